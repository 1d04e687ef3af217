// Blocks whose threads sum over chunks of input channels staged in shared memory: their knobs, what limits them, and a
// model of what they take. What gpu_tiled, gpu_chain and gpu_winograd share; the loops are in gpu_chunks.h.
//
// The model is fitted to 700 kernels of 40 layers, each timed on an H100 (2026-11-27): its error is 15 % (root mean
// square of the logarithm), and what it likes best took 1.07 times as long as the best of the timed ones, in the mean.
// Of other devices it knows what GpuFacts says.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

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
    int64_t vectors() const { return chunk / unroll(); }                            // of a thread's chunk
    // Shared memory for so many staged pixels and the sums.
    int64_t shared_bytes(int64_t staged_pixels) const;
};

// These knobs, for an output of pixels, or what else it has of them, and so many input channels.
std::vector<Knob> chunked_block_knobs(const View &output, int64_t channels, const std::string &pixels = "pixels");

// Why a block that stages so many pixels does not fit so many input channels, so many outputs in a row, or a block's
// shared memory.
std::optional<Conflict> chunked_block_conflict(const KernelRequest &request, int64_t channels, int64_t columns,
                                               int64_t staged_pixels);

// What a default takes, and what the model says of it.
struct ModelledSchedule {
    Schedule schedule;
    double cycles = std::numeric_limits<double>::max();
};

// Calls `consider` with every block in `tried` that a default considers for a group of so many input channels, and
// output channels of width x height pixels.
struct BlockExtents {
    int64_t inputs, outputs, width, height;
};
void try_blocks(Schedule &tried, const BlockExtents &extents, const std::function<void()> &consider);

// What a block stages between two barriers, in pixels, and how its threads sum over it.
struct StagedChunk {
    int64_t chunks = 1;  // one after another
    int64_t columns = 1, rows = 1;
    int64_t loaded_columns = 1;             // that a thread loads for a row of taps
    int64_t taps = 1;                       // that it sums over
    int64_t row_taps = 1;                   // of these, in one turn of its loop
    int64_t column_step = 1, row_step = 1;  // from the inputs of an output to its neighbour's
};

// Computing what is staged, where that is no copy: what a thread executes for a chunk, and how long it waits.
struct StagingCost {
    double instructions = 0, latency = 0;
};

// Modelled cycles from one kernel's begin to the next one's, for so many blocks and bytes of weights.
double chunked_kernel_cycles(const ChunkedBlock &block, const StagedChunk &staged, const GpuFacts &facts,
                             int64_t blocks, int64_t weight_bytes, const std::optional<StagingCost> &computed = {});

// The same of a kernel that does little with so many bytes read and written.
double streaming_kernel_cycles(double bytes, const GpuFacts &facts);

}  // namespace convc
