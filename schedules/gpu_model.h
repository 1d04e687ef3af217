// What a GPU offers, by its compute capability, and how threads are spread over an output: what GPU schedules share.
#pragma once

#include <cstdint>
#include <optional>

#include "convc/target.h"
#include "schedules/algorithm.h"
#include "schedules/tensor_view.h"

namespace convc {

// NVIDIA's CUDA C++ Programming Guide, "Compute Capabilities"; multiprocessors of the largest product of each.
struct GpuFacts {
    int64_t multiprocessors = 80;
    int64_t threads = 2048;                       // of a multiprocessor, at most
    int64_t registers = 65536;                    // of a multiprocessor
    int64_t blocks = 32;                          // of a multiprocessor, at most
    int64_t shared_of_all = 96 << 10;             // bytes of a multiprocessor
    int64_t reserved = 0;                         // of these, what each block takes beside its own
    int64_t shared_bytes = 48 << 10;              // of a block, without asking for more
    static constexpr int64_t warp = 32;           // threads that run in step
    static constexpr int64_t most_threads = 256;  // of a block of ours: with 255 registers each they fit
};
GpuFacts gpu_facts(const Target &target);

// How many blocks of so many threads are on a multiprocessor at once, by what they take of it: registers are given to
// warps 256 at a time.
int64_t resident_blocks(const GpuFacts &facts, int64_t threads, int64_t registers, int64_t shared_bytes);

// The threads of a block along channels, along a row and along a column.
struct ThreadBlock {
    int64_t channels = 1, columns = 1, rows = 1;
    int64_t count() const { return channels * columns * rows; }
};

// Of so many pieces along each, one a thread: about `wanted` threads, along what lies densely first, so that the
// threads of a warp read and write neighbouring addresses.
ThreadBlock thread_block(const ThreadBlock &pieces, bool channels_first, int64_t wanted);

// Output channels that a thread computes as a vector: 4, which are a load of 16 bytes, or fewer where a group has so
// few that vectors of 4 would be mostly padding.
int64_t channels_in_vector(int64_t channels);

// Whether channels of neighbouring pixels lie further apart than those of one pixel.
bool channels_lie_densely(const View &activation);

// The threads of a block as knobs.
std::vector<Knob> thread_knobs();

// Why a block is impossible: more threads than most_threads.
std::optional<Conflict> block_conflict(const Schedule &schedule);

}  // namespace convc
