// The epilogues: what rides on any stage and is computed before the result leaves registers. PyTorch's definitions.
#pragma once

#include <Halide.h>

#include <functional>

#include "convc/layer.h"

namespace convc {

// Where the values come from that an epilogue needs at one output element.
struct EpilogueOperands {
    std::function<Halide::Expr()> bias;
    std::function<Halide::Expr()> scale;
    std::function<Halide::Expr(int operand)> tensor;  // of Layer::inputs[operand]
};

// `value` after the stage's epilogues, in the order written. NaN passes through as in PyTorch: relu(NaN) = NaN.
Halide::Expr apply_epilogues(const Stage &stage, Halide::Expr value, const EpilogueOperands &operands);

}  // namespace convc
