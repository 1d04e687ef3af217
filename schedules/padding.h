// Padding in a kernel: the strip of rows with the border around it that a task copies before it convolves.
#pragma once

#include <Halide.h>

#include <vector>

#include "convc/layer.h"
#include "schedules/tensor_view.h"

namespace convc {

// The input in padded coordinates, the border as the stage's pad_mode says: position 0 along an axis is the first
// padded element.
Halide::Func with_border(Halide::Func input, const Stage &stage, const View &view);

// Computes that Func strip by strip, once in each turn of `task`, in the caller's workspace.
void schedule_strip(Halide::Func padded, Halide::Func consumer, const Halide::Var &task, int lanes, const View &input);

// The taps of a kernel as PyTorch orders them, width first; reversed for a true convolution.
std::vector<Halide::Expr> raw_taps(const Stage &stage, const std::vector<Halide::Expr> &taps);

}  // namespace convc
