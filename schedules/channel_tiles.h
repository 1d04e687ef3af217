// Cutting an output's channels into register tiles of whole vectors.
#pragma once

#include <Halide.h>

#include <vector>

namespace convc {

// The loops over the channels of one register tile.
class ChannelTiles {
public:
    // Splits `channel`, of which `func` has so many, into tiles of `vectors` vectors of `lanes`; the loop over tiles is
    // `tile`. What the last tile has too much is not stored.
    //
    // Where only the last vector of all has a tail, it alone is stored under a mask. Elsewhere the whole tile is:
    // Halide does not cut a loop again whose tail is, so that the tile is one long vector there. (LLVM takes one of 24
    // lanes apart into 16 and 8, and adds up all sums so, 1.7 times as slowly as three of 8.)
    ChannelTiles(Halide::Func func, const Halide::Var &channel, int channels, int vectors, int lanes,
                 const Halide::Var &tile);

    // Innermost first, for reorder().
    std::vector<Halide::VarOrRVar> loops() const;
    void vectorize(Halide::Func func) const;

private:
    Halide::Var vector_{"vector"}, lane_{"lane"};
    bool cut_ = true;  // into vectors
};

}  // namespace convc
