// The shape of a Winograd kernel: its tiles, its knobs, what limits them, and what the machine model chooses. Part of
// winograd.cpp.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"
#include "schedules/winograd_transform.h"

namespace convc::winograd {

// The tiles along width or height. A transposed stage of stride s is s phases, each a convolution of its own, of stride
// 1 and a share of the taps (stride_phases.h). Under dilation d the axis is d interleaved rows without: tile t of row r
// is tile t d + r, so that neighbouring tiles have neighbouring inputs.
struct TiledAxis {
    int64_t kernel;
    int64_t taps, phases;  // taps: of a phase
    int64_t interleaved;   // rows
    int64_t extent;        // outputs of a row of a phase
    int64_t outputs;       // of a tile
    int64_t pad;           // before the input; of a transposed stage, as its axis has it
    bool transposed;
    bool whole_row;  // a tile is a row, and what lies outside is 0 (WinogradTransform::of_whole_row)

    TiledAxis(const StageGroup &group, ViewAxis along, int64_t tile_outputs);
    WinogradTransform transform() const;
    int64_t points() const { return whole_row ? 2 * outputs - 1 : outputs + taps - 1; }
    int64_t tiles() const { return ceil_divided(extent, outputs) * interleaved; }
    // Parts are whole blocks of so many tiles, or, where rows are interleaved, tiles of all rows.
    int64_t blocks_of_part(int64_t block, int64_t parts) const;
    int64_t tiles_of_part(int64_t block, int64_t parts) const;
    // Outputs of a layer that these tiles make, and inputs that they read.
    int64_t outputs_of(int64_t tiles) const { return tiles * outputs * phases; }
    int64_t span(int64_t tiles) const;
    // Elements of padding before the input where position 0 is the first that any tile reads.
    int64_t before() const { return transposed ? taps - 1 - pad / phases : whole_row ? 0 : pad; }
};

struct Tiling {
    TiledAxis x, y;
    Tiling(const StageGroup &group, int64_t outputs) : x(group, view_width, outputs), y(group, view_height, outputs) {}
    int64_t points() const { return x.points() * y.points(); }
    int64_t phases() const { return x.phases * y.phases; }
    // In how many sums over input channels, one after another, a product is made. The error of a sum grows with its
    // length: 9 points in one sum have up to 3.3 times the error of the sum as written, in two 2.5 times. They are
    // worth it: 1x7 of 128 channels at 17 x 17 takes 0.73 of the time in tiles of 3 outputs, not of 2.
    int64_t partial_sums() const { return std::max(x.points(), y.points()) > 8 ? 2 : 1; }
    bool interleaves() const { return x.interleaved * y.interleaved > 1; }
    // Whether the outputs of a tile lie apart.
    bool scatters() const { return phases() > 1 || interleaves(); }
};

int64_t channel_tile(const KernelRequest &request);

// Why tiles of so many outputs are impossible, or round too much.
std::optional<Conflict> transform_conflict(const StageGroup &group, int64_t outputs);

std::optional<std::string> refusal(const StageGroup &group, const Target &target);
// Why the direct sum takes less time.
std::optional<std::string> reluctance(const StageGroup &group, const Target &target);
// Multiply-adds whose time a thread saves against the direct sum; 0 where that is the better choice, or the only one.
double saved_work(const StageGroup &group, const Target &target);
std::vector<Knob> knobs(const StageGroup &group, const Target &target);
std::optional<Conflict> conflict(const KernelRequest &request);
// Half vectors pay where one holds all output channels of a group (3x3 of 32 groups of 8 at 28 x 28: 0.18 to 0.12 ms).
// Where two or more of them waste fewer lanes than whole ones they do not (37 channels: 0.77 to 0.91 ms).
double time(const StageGroup &group, const Target &target);
Schedule default_schedule(const StageGroup &group, const Target &target);
std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob);
double cycles(const KernelRequest &request);

}  // namespace convc::winograd
