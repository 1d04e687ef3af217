// The one layout of a file: what `convc fmt` writes. Formatting twice changes nothing; comments and blank lines between
// statements stay.
#pragma once

#include <string>

#include "compiler/syntax/ast.h"
#include "compiler/syntax/source.h"

namespace convc {

// For a module without syntax errors: a broken statement is in the text, but not in what this returns.
std::string format_module(const SourceFile &file, const ast::Module &module);

}  // namespace convc
