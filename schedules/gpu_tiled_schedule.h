// The knobs of `gpu_tiled`, what limits them, and what a model of the GPU chooses. Part of gpu_tiled.cpp.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"
#include "schedules/gpu_chunk_model.h"

namespace convc::gpu_tiled {

// Along an axis, outputs of one stride phase (all of them, where the stage is no transposed one): output o of it reads
// position o * stride + first + tap * step through one of `taps` taps.
struct TiledAxis {
    int64_t taps = 1, stride = 1, step = 1;
    int64_t phases = 1;
    int64_t outputs = 1;  // of a phase

    TiledAxis(const StageGroup &group, ViewAxis axis);
    int64_t span(int64_t tile) const { return (tile - 1) * stride + (taps - 1) * std::abs(step) + 1; }
    // Whether the taps of so many outputs read none of each other's positions: then each tap is staged for itself.
    bool taps_apart(int64_t tile) const { return taps > 1 && std::abs(step) > (tile - 1) * stride; }
};

// What the knobs say, in numbers.
struct Tile : ChunkedBlock {
    explicit Tile(const KernelRequest &request);

    TiledAxis x, y, z;

    bool x_apart() const { return x.taps_apart(block_columns()); }
    bool y_apart() const { return y.taps_apart(row_threads); }
    int64_t staged_columns() const {
        return x_apart() ? (block_columns() - 1) * x.stride + 1 : x.span(block_columns());
    }
    int64_t staged_rows() const { return y_apart() ? (row_threads - 1) * y.stride + 1 : y.span(row_threads); }
    // Inputs that a thread loads for a row of taps that it sums over at once.
    int64_t loaded_columns() const { return x_apart() ? (columns - 1) * x.stride + 1 : x.span(columns); }
};

// The output as a kernel sees it: of a transposed stage, positions and behind them the phases along width, height and
// depth.
View output_view(const StageGroup &group);

std::optional<std::string> refusal(const StageGroup &group, const Target &target);
std::optional<std::string> reluctance(const StageGroup &group, const Target &target);
std::vector<Knob> knobs(const StageGroup &group, const Target &target);
std::optional<Conflict> conflict(const KernelRequest &request);
// What the model chooses for a group that gpu_tiled does not refuse.
ModelledSchedule best_schedule(const StageGroup &group, const Target &target);
Schedule default_schedule(const StageGroup &group, const Target &target);

}  // namespace convc::gpu_tiled
