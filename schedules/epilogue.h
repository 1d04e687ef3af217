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

// The same for a sum in a register, which starts from the bias where that comes first: one addition less an output (1x1
// of 24 -> 144 channels: 3 % faster).
Halide::Expr start_of_sum(const Stage &stage, const EpilogueOperands &operands);
Halide::Expr finish_sum(const Stage &stage, Halide::Expr sum, const EpilogueOperands &operands);

// The same value, its constants of type double given by their bits: Halide 21 writes a double into OpenCL as the
// nearest float.
Halide::Expr doubles_by_bits(const Halide::Expr &value);

}  // namespace convc
