// The shape of a Winograd kernel: its tiles, its knobs, what limits them, and what the machine model chooses. Part of
// winograd.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"

namespace convc::winograd {

// The tiles along width or height. Under dilation d the axis is d interleaved axes without, its phases, of which each
// has tiles of its own.
struct TiledAxis {
    int64_t taps, phases, outputs, extent;  // outputs: of a tile; extent: of the output in one phase

    TiledAxis(const StageGroup &group, ViewAxis along, int64_t tile_outputs);
    int64_t points() const { return outputs + taps - 1; }
    int64_t tiles() const { return ceil_divided(extent, outputs); }
    // Inputs that so many neighbouring tiles of all phases read.
    int64_t span(int64_t neighbours) const { return (neighbours * outputs + taps - 1) * phases; }
};

struct Tiling {
    TiledAxis x, y;
    Tiling(const StageGroup &group, int64_t outputs) : x(group, view_width, outputs), y(group, view_height, outputs) {}
    int64_t points() const { return x.points() * y.points(); }
    int64_t phases() const { return x.phases * y.phases; }
};

int64_t channel_tile(const KernelRequest &request);

// Input channels that lie side by side in the transformed input: the most lanes that divide them.
int64_t channel_block(const Stage &stage, const Target &target);

std::optional<std::string> refusal(const StageGroup &group, const Target &target);
// Why the direct sum takes less time.
std::optional<std::string> reluctance(const StageGroup &group, const Target &target);
// Multiply-adds whose time a thread saves against the direct sum; 0 where that is the better choice, or the only one.
double saved_work(const StageGroup &group, const Target &target);
std::vector<Knob> knobs(const StageGroup &group, const Target &target);
std::optional<std::string> conflict(const KernelRequest &request);
Schedule default_schedule(const StageGroup &group, const Target &target);

}  // namespace convc::winograd
