// The knobs of `gpu_winograd`, what limits them, and what a model of the GPU chooses. Part of gpu_winograd.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"
#include "schedules/gpu_chunk_model.h"
#include "schedules/winograd_schedule.h"

namespace convc::gpu_winograd {

// What the knobs say, in numbers. `columns` and rows are of tiles.
struct Tile : ChunkedBlock {
    explicit Tile(const KernelRequest &request);

    winograd::Tiling tiles;
    Axis depth;
    int64_t depth_inputs;  // positions along the depth that some output reads, padding included
};

// Products of all tiles at a point, as a kernel sees them: output channels of a group, padded to whole blocks, groups,
// columns and rows of tiles, depth, images.
View products_view(const StageGroup &group, const Tile &tile);

std::optional<std::string> refusal(const StageGroup &group, const Target &target);
std::optional<std::string> reluctance(const StageGroup &group, const Target &target);
std::vector<Knob> knobs(const StageGroup &group, const Target &target);
std::optional<Conflict> conflict(const KernelRequest &request);
Schedule default_schedule(const StageGroup &group, const Target &target);

}  // namespace convc::gpu_winograd
