// How many taps of a kernel meet data rather than padding, along one axis and in closed form.
#pragma once

#include "compiler/cost/count.h"
#include "convc/layer.h"

namespace convc {

// The pairs (position n of `positions`, tap t of the kernel) with 0 <= n * stride + t * dilation - pad_before < extent.
// A convolution's positions are its outputs and the extent its input's; a transposed stage's the other way round.
Count tap_pairs_inside(const Axis &axis, int64_t positions, int64_t extent);

}  // namespace convc
