#include "schedules/gpu_winograd_schedule.h"

#include <algorithm>
#include <limits>

#include "schedules/gpu_model.h"
#include "schedules/knob_values.h"
#include "schedules/single_stage.h"

namespace convc::gpu_winograd {
namespace {

constexpr int64_t most_outputs = 6;

double number(int64_t value) {
    return static_cast<double>(value);
}

int64_t points(const winograd::Tiling &tiles) {
    return tiles.x.points() * tiles.y.points();
}

// Of a multiprocessor, for the products: at each point a 1x1 that sums over the taps of depth too. As gpu_tiled's.
double product_cycles(const KernelRequest &request, const Tile &tile) {
    constexpr double load = 4, barrier = 60, staging = 20, launch = 200;
    const View output = products_view(request.group, tile);
    const double chunks =
        number(input_channels(request.group.stage(0)) / (tile.chunk * tile.split) * tile.depth.kernel);
    const double vectors = number(tile.chunk / tile.unroll());
    const double products = number(tile.chunk * Tile::vector * tile.columns);
    const double loads = (number(tile.chunk) + vectors * number(tile.columns)) * load;
    const double staged =
        number(tile.block_columns() * tile.row_threads * tile.split) * vectors / number(tile.threads()) * staging;
    const double accumulators = number(tile.columns) * 2 * load;
    const int64_t blocks = output[view_channel].extent / tile.block_channels() *
                           ceil_divided(output[view_width].extent, tile.block_columns()) *
                           ceil_divided(output[view_height].extent, tile.row_threads) * output[view_depth].extent *
                           output[view_batch].extent * output[view_group].extent * points(tile.tiles);
    return multiprocessor_cycles(chunks * (products + loads + staged + accumulators + barrier) + launch, tile,
                                 gpu_facts(request.target), blocks, tile.shared_bytes());
}

// Of both transforms, by what they write to L2 and read from it.
double transform_cycles(const KernelRequest &request, const Tile &tile) {
    constexpr double bytes_a_cycle = 24;  // of L2, for each multiprocessor of an H100
    const View output = products_view(request.group, tile);
    const double tiles = number(output[view_width].extent * output[view_height].extent * output[view_batch].extent *
                                output[view_group].extent);
    const double inputs = number(input_channels(request.group.stage(0)) * tile.depth_inputs);
    const double products = number(output[view_channel].extent * output[view_depth].extent);
    return tiles * number(points(tile.tiles)) * (inputs + products) * 2 * sizeof(float) / bytes_a_cycle /
           number(gpu_facts(request.target).multiprocessors);
}

}  // namespace

Tile::Tile(const KernelRequest &request)
    : ChunkedBlock(request.schedule),
      tiles(request.group, *request.schedule.knob("outputs")),
      depth(stage_axis(request.group.stage(0), view_depth)),
      depth_inputs(input_span(depth, grouped_output(request.group)[view_depth].extent)) {}

int64_t Tile::shared_bytes() const {
    const int64_t staged = chunk * split * block_columns() * row_threads;
    return (staged + sums()) * static_cast<int64_t>(sizeof(float));
}

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

std::optional<std::string> reluctance(const StageGroup &, const Target &) {
    return "has not been timed on a GPU yet";
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
    if (auto reason = chunked_block_conflict(request, input_channels(request.group.stage(0)), tile.tiles.x.tiles())) {
        return reason;
    }
    if (tile.shared_bytes() > GpuFacts().shared_bytes) {
        return Conflict{ConflictKind::memory, "what is staged exceeds a block's shared memory"};
    }
    return std::nullopt;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    Schedule best{"gpu_winograd", {}};
    for (const Knob &knob : knobs(group, target)) best.knobs.emplace_back(knob.name, knob.low);
    double least = std::numeric_limits<double>::max();
    Schedule tried = best;
    for (int64_t outputs = 2; outputs <= most_outputs; outputs++) {
        set_knob(tried, "outputs", outputs);
        if (winograd::transform_conflict(group, outputs)) continue;
        const winograd::Tiling tiles(group, outputs);
        try_blocks(tried, {tiles.x.tiles(), tiles.y.tiles(), {4, 8, 16, 32}, {1, 2, 4, 8, 16, 32}}, [&] {
            const KernelRequest request{group, tried, target};
            if (conflict(request)) return;
            const Tile tile(request);
            const double time = product_cycles(request, tile) + transform_cycles(request, tile);
            if (time < least) least = time, best = tried;
        });
    }
    return best;
}

}  // namespace convc::gpu_winograd
