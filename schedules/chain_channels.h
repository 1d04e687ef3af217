// Which channel is which in a fused chain: a strip keeps the channels in the order in which a convolution wrote them,
// and the shuffles and depthwise stages behind it are permutations of what reads and of what is packed.
#pragma once

#include <Halide.h>

#include "schedules/algorithm.h"

namespace convc {

// The channel of a stage's output, as the layer counts them, that lies at `at` in the strip behind that stage (behind
// the convolution before it, where the stage is a shuffle).
struct StoredChannel {
    Halide::Expr channel;  // within a group
    Halide::Expr group;
};
Halide::Expr channel_at(const StageGroup &group, int stage, const StoredChannel &at);

// The other way round.
StoredChannel place_of(const StageGroup &group, int stage, const Halide::Expr &channel);

// Whether the order in the strip behind a stage is not the layer's.
bool is_permuted(const StageGroup &group, int stage);

}  // namespace convc
