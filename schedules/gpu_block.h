// The loops of a GPU kernel's output: register tiles of threads, threads of blocks, blocks of the grid.
#pragma once

#include <Halide.h>

#include <vector>

#include "schedules/gpu_model.h"
#include "schedules/tensor_view.h"

namespace convc {

// What one thread computes: neighbouring output channels of a group, and columns x rows of pixels.
struct ThreadTile {
    int vector = 1, columns = 1, rows = 1;
    // Whether the channels are stored as one vector. Not with OpenCL: Halide 21 loses the type of vectors of truth
    // values, which an epilogue's comparisons are.
    bool stores_vectors = true;
    // Whether a tile that reaches past the end of a row or column moves inwards; else what lies behind is guarded.
    bool shifts = true;
};

// The vars that a GPU schedule cuts an output by: (channel in the group, group, width, height, depth, image).
struct OutputLoops {
    Halide::Var c, g, x, y, z, n;
    std::vector<Halide::Var> others = {};  // for which every thread computes one value: a block's
    std::vector<Halide::Var> inner = {};   // for which a thread computes all, outside its columns
};

// Cuts `output`, whose group has so many channels, into tiles and threads. Threads run along channels first where those
// lie densely, else along pixels; tails of known extents are shifted inwards, where
// they may be, others guarded. Returns the innermost
// loop over threads, in which a thread's tile is to be computed.
Halide::Var spread_over_threads(Halide::Func output, const OutputLoops &loops, const View &view, const ThreadTile &tile,
                                const ThreadBlock &threads);

}  // namespace convc
