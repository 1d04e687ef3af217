#include "schedules/gpu_chain_schedule.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "schedules/gpu_model.h"
#include "schedules/knob_values.h"
#include "schedules/single_stage.h"

namespace convc::gpu_chain {
namespace {

constexpr int64_t most_unrolled = 512;  // multiply-adds of the depthwise loop's body
constexpr int64_t most_loaded = 64;     // inputs that a thread holds at once

int64_t channels_between(const StageGroup &group) {
    return group.stage(0).out_channels;
}

View output_view(const StageGroup &group) {
    return activation_view(group.output(), 1, false);
}

int64_t blocks(const Tile &tile, const View &output) {
    return ceil_divided(output[view_channel].extent, tile.block_channels()) *
           ceil_divided(output[view_width].extent, tile.block_columns()) *
           ceil_divided(output[view_height].extent, tile.row_threads) * int64_t{output[view_depth].extent} *
           int64_t{output[view_batch].extent};
}

double number(int64_t value) {
    return static_cast<double>(value);
}

// What a thread executes to stage its part of a chunk. Warps with nothing to stage wait, and other blocks make use of
// that, but not of all of it: half.
double staging_cycles(const Tile &tile) {
    constexpr double load = 4, guarded_load = 12, turn = 60;
    const double taps = number(tile.x.kernel * tile.y.kernel * tile.z.kernel);
    const double inputs = tile.loads_row() ? taps / number(tile.x.kernel) * number(tile.loaded_columns())
                                           : taps * number(tile.depthwise_columns);
    const double products = taps * number(tile.unroll() * tile.depthwise_columns);
    const int64_t pieces =
        tile.chunk / tile.unroll() * tile.split * (tile.block_columns() / tile.depthwise_columns) * tile.row_threads;
    const auto in_warps = [](int64_t threads) { return ceil_divided(threads, GpuFacts::warp); };
    const double working = number(in_warps(pieces)) / number(in_warps(tile.threads()));
    const double turns = number(ceil_divided(pieces, tile.threads()));
    return (working + turns) / 2 * (products + taps * load + inputs * guarded_load) + turns * turn;
}

// Modelled cycles of a multiprocessor. Each block along the output channels stages the same again, so blocks of many
// channels win.
double cycles(const KernelRequest &request) {
    constexpr double load = 4, barrier = 60, launch = 200;
    const Tile tile(request);
    const double chunks = number(channels_between(request.group) / (tile.chunk * tile.split));
    const double products = number(tile.chunk * Tile::vector * tile.columns);
    const double loads = number(tile.chunk + tile.chunk / tile.unroll() * tile.columns) * load;
    const double accumulators = number(tile.columns) * 2 * load;
    const double of_thread = chunks * (products + loads + staging_cycles(tile) + accumulators + barrier) + launch;
    return multiprocessor_cycles(of_thread, tile, gpu_facts(request.target), blocks(tile, output_view(request.group)),
                                 tile.shared_bytes());
}

}  // namespace

Tile::Tile(const KernelRequest &request)
    : ChunkedBlock(request.schedule),
      depthwise_columns(*request.schedule.knob("depthwise_columns")),
      x(stage_axis(request.group.stage(0), view_width)),
      y(stage_axis(request.group.stage(0), view_height)),
      z(stage_axis(request.group.stage(0), view_depth)) {}

bool Tile::unrolls_row() const {
    return unroll() * depthwise_columns * x.kernel <= most_unrolled;
}

bool Tile::unrolls_plane() const {
    return unroll() * depthwise_columns * x.kernel * y.kernel <= most_unrolled;
}

bool Tile::loads_row() const {
    return depthwise_columns > 1 && unrolls_row() && x.dilation <= x.stride;
}

int64_t Tile::shared_bytes() const {
    const int64_t staged = chunk * split * block_columns() * row_threads;
    return (staged + sums()) * static_cast<int64_t>(sizeof(float));
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (group.count != 2) return "computes a depthwise stage and the 1x1 behind it";
    for (int i = 0; i < group.count; i++) {
        if (auto reason = general_refusal({group.layer, group.first + i, 1})) return reason;
        if (group.stage(i).weights) return "takes no constant weights";
    }
    const Stage &first = group.stage(0), &second = group.stage(1);
    if (first.kind == StageKind::shuffle || first.kind == StageKind::transposed || !is_depthwise(first)) {
        return "begins with a depthwise stage";
    }
    if (first.multiplier() != 1) return "takes no multiplier of the depthwise stage";
    const bool is_dense = second.kind != StageKind::shuffle && second.kind != StageKind::transposed;
    if (!is_dense || second.groups != 1 || !is_pointwise(second)) return "ends with a 1x1 of one group";
    if (group.input().has_runtime_extent()) return "needs every extent when it is compiled";
    return std::nullopt;
}

std::optional<std::string> reluctance(const StageGroup &, const Target &) {
    return "a kernel a stage is what has been measured";
}

std::vector<Knob> knobs(const StageGroup &group, const Target &) {
    const View output = output_view(group);
    std::vector<Knob> all = chunked_block_knobs(output, channels_between(group));
    all.insert(all.begin(), {"stages", "stages in this kernel", group.count, group.count});
    all.push_back({"depthwise_columns", "neighbouring pixels of a row that a thread stages at once", 1, all[1].high});
    return all;
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Tile tile(request);
    if (auto reason = chunked_block_conflict(request, channels_between(request.group),
                                             output_view(request.group)[view_width].extent)) {
        return reason;
    }
    if (tile.block_columns() % tile.depthwise_columns != 0) {
        return Conflict{ConflictKind::division, "depthwise_columns does not divide the columns of a block"};
    }
    if (tile.loads_row() && tile.unroll() * tile.loaded_columns() > most_loaded) {
        return Conflict{ConflictKind::registers, "the inputs under a row of taps exceed a thread's registers"};
    }
    if (tile.shared_bytes() > GpuFacts().shared_bytes) {
        return Conflict{ConflictKind::memory, "what is staged exceeds a block's shared memory"};
    }
    return std::nullopt;
}

std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob) {
    const auto value = [&](const char *name) { return so_far.schedule.knob(name).value_or(1); };
    const int64_t threads = value("channel_threads") * value("column_threads") * value("row_threads");
    const int64_t channels = channels_between(so_far.group);
    const auto is_worthwhile = [&](int64_t candidate) {
        // Powers of two, and 7: extents of networks are their products.
        const bool is_round = std::has_single_bit(static_cast<uint64_t>(candidate)) || candidate == 7;
        if (knob.name == "chunk") return channels % candidate == 0 && (candidate % 4 == 0 || channels % 4 != 0);
        if (knob.name == "split") {
            return is_round && candidate * threads <= GpuFacts::most_threads &&
                   channels % (value("chunk") * candidate) == 0;
        }
        if (knob.name == "depthwise_columns") return value("columns") * value("column_threads") % candidate == 0;
        const bool counts_threads = knob.name.ends_with("_threads");
        return !counts_threads || (is_round && candidate * threads <= GpuFacts::most_threads);
    };
    std::vector<int64_t> values;
    for (int64_t candidate = knob.low; candidate <= knob.high; candidate++) {
        if (is_worthwhile(candidate)) values.push_back(candidate);
    }
    return values;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const int64_t width = output[view_width].extent, height = output[view_height].extent;
    Schedule best{"gpu_chain", {}};
    for (const Knob &knob : knobs(group, target)) best.knobs.emplace_back(knob.name, knob.low);
    double least = std::numeric_limits<double>::max();
    Schedule tried = best;
    try_blocks(tried, {width, height, {1, 2, 4, 8, 16, 32}, {1, 2, 4, 8, 16, 32}}, [&] {
        for (const int64_t depthwise_columns : {int64_t{1}, int64_t{2}, *tried.knob("columns")}) {
            set_knob(tried, "depthwise_columns", depthwise_columns);
            const KernelRequest request{group, tried, target};
            if (conflict(request)) continue;
            if (const double time = cycles(request); time < least) least = time, best = tried;
        }
    });
    return best;
}

}  // namespace convc::gpu_chain
