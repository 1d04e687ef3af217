// The machine model: what default_schedule() believes about a CPU. Small functions of a Target; a new machine is new
// data in Target, not code here.
#pragma once

#include <cstdint>
#include <functional>

#include "convc/target.h"

namespace convc {

// The register tile of a matrix product whose rows are channels (in vectors) and whose columns are pixels (broadcast).
struct RegisterTile {
    int64_t vectors = 1;
    int64_t columns = 1;
};

// Whether vectors * columns accumulators, one step's weights and one broadcast stay in registers.
bool fits_registers(const RegisterTile &tile, const Target &target);

// Modelled cycles a useful vector multiply-add: two FMAs and two loads a cycle, FMA latency 4 cycles, and what rounding
// `channels` up to vectors and `pixels` to columns wastes. A vector takes as long to load as `vector_load` broadcasts.
// Where pixels lie in the vectors and channels are broadcast, the two change places.
double tile_cycles(const RegisterTile &tile, int64_t channels, int64_t pixels, double vector_load,
                   const Target &target);

// The same a useful lane, which compares vectors of every width: on a CPU that computes with a whole register in two
// turns, such a vector takes two turns to load, too.
double lane_cycles(const RegisterTile &tile, int64_t channels, int64_t pixels, double vector_load,
                   const Target &target);

// The same of a tile whose columns are vectors too, as where vectors run across groups.
double lane_cycles_of_vectors(const RegisterTile &tile, int64_t channels, int64_t pixels, const Target &target);

// Modelled cycles that an output takes beside its sum, where whole vectors of them are stored: epilogue, store,
// addresses.
double output_cycles(const Target &target);

// Cycles for weights that each of so many parts reads again; none where a cache of `cache_bytes` keeps them.
double reading_again_cycles(int64_t weight_bytes, int64_t parts, int64_t cache_bytes);

// Multiply-adds that a thread could do while all of them shuffle the channels of so many elements, in a kernel of its own.
double shuffling_work(double elements, const Target &target);

// What a thread waits for so many bytes from L3 beyond the `cycles` that it computes meanwhile, on CPUs whose L3 is
// known to be slow.
double waiting_for_l3(double bytes, double cycles, const Target &target);

// How many times as long a step takes where more of its broadcasts come from one set of L1 than that has ways: a tile
// of 2 x 14 reads pixels that lie a page apart at 0.79 times the speed of one of 2 x 7, of 2 x 12 at 0.93, of 2 x 10 at
// 0.99 (1x1 of 1024 channels, 8 ways).
double set_conflicts(int64_t columns, int64_t bytes_between_pixels, const Target &target);

// The tile with the fewest cycles, of at most so many vectors; above 4 only where that is all channels.
RegisterTile best_register_tile(int64_t channels, int64_t pixels, const Target &target, double vector_load = 1,
                                int64_t most_vectors = 6, int64_t bytes_between_pixels = sizeof(float));

// The vector_load of vectors that lie anywhere in memory, `stride` elements between their lanes.
double unaligned_load(int64_t stride, const Target &target);

// How many of `channels` one turn of the inner loop over such a tile sums up, a divisor of them: 1 for large tiles.
int64_t default_unroll(int64_t channels, const RegisterTile &tile);

// Threads to plan for: the target's, or 8 when it does not say.
int64_t planned_threads(const Target &target);

// Into how many parts to cut `items` equal pieces of work, `others` times over, so that the threads finish together
// with parts as large as that allows.
int64_t balanced_parts(int64_t items, int64_t others, const Target &target);

// So many parts, or as many more as cost nothing: no thread gets more pieces, and no task takes less than
// some 7 us of the `cycles` that all the work takes one thread. A thread that is slower than the others, because its
// core is a small one or has another program on its second hardware thread, leaves the tasks it does not get to to
// them; with a part for each thread, all wait for it. `extra_cycles(parts)`: what so many parts take beyond the sums,
// as for the rows of the input that neighbours copy both.
int64_t finer_parts(int64_t parts, int64_t items, int64_t others, double cycles, const Target &target,
                    const std::function<double(int64_t parts)> &extra_cycles = nullptr);

// The same from balanced_parts().
int64_t fine_parts(int64_t items, int64_t others, double cycles, const Target &target,
                   const std::function<double(int64_t parts)> &extra_cycles = nullptr);

// Pieces that the thread with the most tasks gets, where `items` of them, `others` times over, are cut into `parts`.
int64_t pieces_of_slowest(int64_t items, int64_t parts, int64_t others, const Target &target);

// Of all work, what the thread with the most tasks does (one over the threads where all have equally many), where
// `items` equal pieces of it, `others` times over, are cut into `parts`.
double share_of_slowest(int64_t items, int64_t parts, int64_t others, const Target &target);

}  // namespace convc
