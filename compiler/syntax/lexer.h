// Text to tokens. Never fails: what is not a token is diagnosed and becomes TokenKind::invalid. Linear in the text.
#pragma once

#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/source.h"
#include "compiler/syntax/token.h"

namespace convc {

inline constexpr size_t max_source_bytes = size_t{16} << 20;  // a larger text is one diagnostic and no tokens

TokenizedText tokenize(const SourceFile &file, Diagnostics &diagnostics);

}  // namespace convc
