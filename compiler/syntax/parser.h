// Text to syntax tree. Recovers at the next statement (or argument), so that one run reports every mistake.
#pragma once

#include "compiler/syntax/ast.h"
#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/source.h"

namespace convc {

// Parses a whole file: `let`, `layer` and `schedule` statements. Also accepts one bare canonical line
// (`f32 nhwc[...] -> conv(...)` or `(x: ..., gate: ...) -> ...`) as a layer without a name.
// Statements with syntax errors go to Module::broken; the diagnostics say why. Never fails, in time linear in the text.
// Expressions are at most max_nesting brackets deep and have at most max_operators operators, so a recursive visitor is
// safe; lists are bounded too, so memory is a small multiple of the text.
inline constexpr int max_nesting = 200;
inline constexpr int max_operators = 1000;
inline constexpr size_t max_list_items = 100000;

ast::Module parse_module(const SourceFile &file, Diagnostics &diagnostics);

}  // namespace convc
