#include "schedules/gpu_winograd_schedule.h"

#include <algorithm>

#include "schedules/gpu_tiled_schedule.h"
#include "schedules/knob_values.h"
#include "schedules/single_stage.h"

namespace convc::gpu_winograd {
namespace {

constexpr int64_t most_outputs = 6;
constexpr int64_t most_workspace = int64_t{1} << 30;  // bytes that a default takes for tiles and products

int64_t points(const winograd::Tiling &tiles) {
    return tiles.x.points() * tiles.y.points();
}

// At each point a 1x1 that sums over the taps of depth too: gpu_tiled's kernel.
double product_cycles(const KernelRequest &request, const Tile &tile) {
    const Stage &stage = request.group.stage(0);
    const View output = products_view(request.group, tile);
    const StagedChunk staged{.chunks = input_channels(stage) / (tile.chunk * tile.split) * tile.depth.kernel,
                             .columns = tile.block_columns(),
                             .rows = tile.row_threads,
                             .loaded_columns = tile.columns};
    const int64_t blocks = output[view_channel].extent / tile.block_channels() *
                           ceil_divided(output[view_width].extent, tile.block_columns()) *
                           ceil_divided(output[view_height].extent, tile.row_threads) * output[view_depth].extent *
                           output[view_batch].extent * output[view_group].extent * points(tile.tiles);
    const int64_t weights = input_channels(stage) * stage.out_channels * tile.depth.kernel * points(tile.tiles);
    return chunked_kernel_cycles(tile, staged, gpu_facts(request.target), blocks,
                                 weights * static_cast<int64_t>(sizeof(float)));
}

// Of all tiles at all points.
int64_t transformed_bytes(const KernelRequest &request, const Tile &tile) {
    const View output = products_view(request.group, tile);
    const int64_t tiles = int64_t{output[view_width].extent} * output[view_height].extent * output[view_batch].extent *
                          output[view_group].extent;
    const int64_t inputs = input_channels(request.group.stage(0)) * tile.depth_inputs;
    const int64_t products = int64_t{output[view_channel].extent} * output[view_depth].extent;
    return tiles * points(tile.tiles) * (inputs + products) * static_cast<int64_t>(sizeof(float));
}

// The transforms write them and read them.
double cycles(const KernelRequest &request) {
    const Tile tile(request);
    const GpuFacts facts = gpu_facts(request.target);
    const double bytes = 2.0 * static_cast<double>(transformed_bytes(request, tile));
    return product_cycles(request, tile) + 2 * streaming_kernel_cycles(bytes / 2, facts);
}

ModelledSchedule best_schedule(const StageGroup &group, const Target &target) {
    ModelledSchedule best{{"gpu_winograd", {}}};
    for (const Knob &knob : knobs(group, target)) best.schedule.knobs.emplace_back(knob.name, knob.low);
    Schedule tried = best.schedule;
    const Stage &stage = group.stage(0);
    for (int64_t outputs = 2; outputs <= most_outputs; outputs++) {
        set_knob(tried, "outputs", outputs);
        if (winograd::transform_conflict(group, outputs)) continue;
        const winograd::Tiling tiles(group, outputs);
        try_blocks(tried, {input_channels(stage), group_channels(stage), tiles.x.tiles(), tiles.y.tiles()}, [&] {
            const KernelRequest request{group, tried, target};
            if (conflict(request)) return;
            if (const double time = cycles(request); time < best.cycles) best = {tried, time};
        });
    }
    return best;
}

}  // namespace

Tile::Tile(const KernelRequest &request)
    : ChunkedBlock(request.schedule),
      tiles(request.group, *request.schedule.knob("outputs")),
      depth(stage_axis(request.group.stage(0), view_depth)),
      depth_inputs(input_span(depth, grouped_output(request.group)[view_depth].extent)) {}

View products_view(const StageGroup &group, const Tile &tile) {
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const int64_t channels = ceil_divided(group_channels(stage), tile.block_channels()) * tile.block_channels();
    return dense_view({channels, stage.groups, tile.tiles.x.tiles(), tile.tiles.y.tiles(), output[view_depth].extent,
                       output[view_batch].extent});
}

std::optional<std::string> refusal(const StageGroup &group, const Target &target) {
    if (auto reason = winograd::refusal(group, target)) return reason;
    if (group.stage(0).kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (winograd::Tiling(group, 2).scatters()) return "takes no dilation along width and height";
    return std::nullopt;
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    const ModelledSchedule best = best_schedule(group, target);
    if (transformed_bytes({group, best.schedule, target}, Tile({group, best.schedule, target})) > most_workspace) {
        return "its workspace would be too large";
    }
    if (best.cycles < gpu_tiled::best_schedule(group, target).cycles) return std::nullopt;
    return "gpu_tiled is expected to take less time";
}

std::vector<Knob> knobs(const StageGroup &group, const Target &) {
    const winograd::Tiling finest(group, 2);
    View tiles = grouped_output(group);
    tiles[view_width].extent = finest.x.tiles();
    std::vector<Knob> all = chunked_block_knobs(tiles, input_channels(group.stage(0)), "tiles");
    all.insert(all.begin(), {"outputs", "outputs of a tile along an axis", 2, most_outputs});
    return all;
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    constexpr int64_t most_points = 8;  // of 9 points, sums over channels are made in two (winograd_schedule.h)
    if (auto reason = winograd::transform_conflict(request.group, *request.schedule.knob("outputs"))) return reason;
    const Tile tile(request);
    if (std::max(tile.tiles.x.points(), tile.tiles.y.points()) > most_points) {
        return Conflict{ConflictKind::rounding, "so many points round too much in one sum"};
    }
    if (auto reason = chunked_block_conflict(request, input_channels(request.group.stage(0)), tile.tiles.x.tiles(),
                                             tile.block_columns() * tile.row_threads)) {
        return reason;
    }
    return std::nullopt;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    return best_schedule(group, target).schedule;
}

}  // namespace convc::gpu_winograd
