// Filters in Winograd's domain, as winograd.cpp and gpu_winograd.cpp pack them.
#pragma once

#include <Halide.h>

#include "schedules/winograd_schedule.h"

namespace convc::winograd {

// Which of the transformed weights: the point and the stride phase along width and height, the tap of depth, the group,
// the input channel of the group and the output channel of the group.
struct TransformedWeight {
    Halide::Expr px, py, qx = 0, qy = 0, kz, group, input, output;
};

// Of the filters `raw`, which lie in PyTorch's order; computed in f64 and rounded once.
Halide::Expr transformed_weight(const Halide::Func &raw, const Stage &stage, const Tiling &tiles,
                                const TransformedWeight &at);

}  // namespace convc::winograd
