// The loops of kernels whose reduction runs over chunks of input channels, staged in shared memory: what gpu_tiled and
// gpu_chain share. Their shape: gpu_tiled.cpp.
#pragma once

#include <Halide.h>

#include <vector>

#include "schedules/gpu_block.h"
#include "schedules/gpu_chunk_model.h"
#include "schedules/tensor_view.h"

namespace convc {

// Cuts the output into blocks and threads; returns the innermost loop over blocks.
Halide::Var spread_over_blocks(Halide::Func output, const OutputLoops &loops, const View &view,
                               const ChunkedBlock &block, bool stores_vectors);

// A stage of the accumulators, with a share of the channels as one more dimension and its reduction outside; returns
// the innermost loop over threads.
Halide::Var spread_sums(Halide::Stage sums, const OutputLoops &loops, const Halide::Var &share,
                        const std::vector<Halide::RVar> &reduction, const ChunkedBlock &block);

// The accumulators of a block in shared memory, all shares', and those of one chunk in the registers of a thread, whose
// further dimensions are of one.
void keep_sums(Halide::Func sums, const Halide::Func &output, const Halide::Var &block, const OutputLoops &loops,
               const Halide::Var &share, const ChunkedBlock &tile);
void keep_part(Halide::Func part, const Halide::Func &sums, const Halide::Var &thread, const OutputLoops &loops,
               const std::vector<Halide::Var> &further, const ChunkedBlock &tile);

// What a thread loads of what is staged, so many columns for a turn of its loop, in registers.
void load_staged(Halide::Func staged, const Halide::Func &part, const Halide::RVar &turn, int64_t columns,
                 const ChunkedBlock &tile);

// Whether channels of an input may be loaded as vectors. Of numbers that lie three apart, Halide 21 loads all between
// them too, six at a time, and OpenCL has no vectors of six.
bool loads_vectors(const View &input, const Target &target);

// What is staged, by all threads of the block: vectors of channels, neighbouring addresses by neighbours. Of a row,
// `columns` is the loop over what one thread computes at once, and `inner` the loop in that, where there is one.
// Returns the loop over a thread's turns.
struct StagedLoops {
    Halide::Var columns;
    std::vector<Halide::Var> inner = {};
    bool dense_channels = true, vectors = true;
};
Halide::Var spread_staged(Halide::Func staged, const StagedLoops &loops, const ChunkedBlock &block);

}  // namespace convc
