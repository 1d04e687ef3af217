// Text to syntax tree. Recovers at the next statement (or argument), so that one run reports every mistake.
#pragma once

#include "compiler/syntax/ast.h"
#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/source.h"

namespace convc {

// Parses a whole file: `let`, `layer` and `schedule` statements. Also accepts one bare canonical line
// (`f32 nhwc[...] -> conv(...)` or `(x: ..., gate: ...) -> ...`) as a layer without a name.
// Statements with syntax errors are left out of the module; the diagnostics say why. Never fails, in time linear in the text.
ast::Module parse_module(const SourceFile &file, Diagnostics &diagnostics);

}  // namespace convc
