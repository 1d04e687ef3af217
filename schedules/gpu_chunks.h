// The loops of kernels whose reduction runs over chunks of input channels, staged in shared memory: what gpu_tiled and
// gpu_chain share. Their shape: gpu_tiled.cpp.
#pragma once

#include <Halide.h>

#include <functional>
#include <string>
#include <vector>

#include "schedules/gpu_block.h"
#include "schedules/gpu_model.h"
#include "schedules/tensor_view.h"

namespace convc {

// A block, by the knobs of these names.
struct ChunkedBlock {
    static constexpr int64_t vector = 4;        // output channels of a thread: a load of 16 bytes
    static constexpr int64_t most_columns = 8;  // of a thread: 16 pixels of 4 channels went to local memory

    explicit ChunkedBlock(const Schedule &schedule);

    int64_t columns, channel_threads, column_threads, row_threads, chunk, split;

    int64_t threads() const { return channel_threads * column_threads * row_threads * split; }
    int64_t block_channels() const { return channel_threads * vector; }
    int64_t block_columns() const { return columns * column_threads; }
    int64_t unroll() const { return chunk % 4 == 0 ? 4 : chunk % 2 == 0 ? 2 : 1; }  // input channels in a vector
    int64_t sums() const { return block_channels() * block_columns() * row_threads * split; }
};

// These knobs, for an output of pixels, or what else it has of them, and so many input channels.
std::vector<Knob> chunked_block_knobs(const View &output, int64_t channels, const std::string &pixels = "pixels");

// Why a block does not fit so many input channels or so many outputs in a row.
std::optional<Conflict> chunked_block_conflict(const KernelRequest &request, int64_t channels, int64_t columns);

// Calls `consider` with every block in `tried` that a default considers for an output of width x height pixels, with
// one of these `channel_threads` and `chunks`.
struct BlockChoices {
    int64_t width, height;
    std::vector<int64_t> channel_threads, chunks;
};
void try_blocks(Schedule &tried, const BlockChoices &choices, const std::function<void()> &consider);

// Modelled cycles of a multiprocessor, whose four schedulers start an instruction of a warp a cycle: what a thread
// executes, times the warps of the multiprocessor with the most of so many blocks, as far as there are enough of them
// to hide latency.
double multiprocessor_cycles(double of_thread, const ChunkedBlock &block, const GpuFacts &facts, int64_t blocks,
                             int64_t shared_bytes);

// Cuts the output into blocks and threads; returns the innermost loop over blocks.
Halide::Var spread_over_blocks(Halide::Func output, const OutputLoops &loops, const View &view,
                               const ChunkedBlock &block, bool stores_vectors);

// A stage of the accumulators, with a share of the channels as one more dimension and its reduction outside; returns
// the innermost loop over threads.
Halide::Var spread_sums(Halide::Stage sums, const OutputLoops &loops, const Halide::Var &share,
                        const std::vector<Halide::RVar> &reduction, const ChunkedBlock &block);

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
