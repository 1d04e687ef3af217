// Warnings about layers that are right but probably not meant: checkerboard, gridding, a constant kernel of rank 1, a
// depthwise written as groups, padding that no tap needs. Reported by `convc check`.
#pragma once

#include "compiler/sema/sema.h"
#include "compiler/syntax/diagnostics.h"

namespace convc {

void lint_module(const CheckedModule &module, Diagnostics &diagnostics);

}  // namespace convc
