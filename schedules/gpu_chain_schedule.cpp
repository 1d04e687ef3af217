#include "schedules/gpu_chain_schedule.h"

#include <algorithm>
#include <bit>

#include "schedules/gpu_tiled_schedule.h"
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

// For a chunk; constants from the same fit as the model's. Warps with nothing to stage leave their share to others.
StagingCost staging_cost(const Tile &tile) {
    constexpr double weight = 1, input = 35, latency_of_turn = 1400;
    const double taps = number(tile.x.kernel * tile.y.kernel * tile.z.kernel);
    const double inputs = tile.loads_row() ? taps / number(tile.x.kernel) * number(tile.loaded_columns())
                                           : taps * number(tile.depthwise_columns);
    const double products = taps * number(tile.unroll() * tile.depthwise_columns);
    const int64_t pieces =
        tile.vectors() * tile.split * (tile.block_columns() / tile.depthwise_columns) * tile.row_threads;
    const auto in_warps = [](int64_t threads) { return ceil_divided(threads, GpuFacts::warp); };
    const int64_t turns = ceil_divided(pieces, tile.threads());
    const double working = number(in_warps(std::min(pieces, tile.threads()))) / number(in_warps(tile.threads()));
    return {(number(turns - 1) + working) * (products + taps * weight + inputs * input),
            number(turns) * latency_of_turn};
}

// Each block along the output channels stages the same again, so blocks of many channels win.
double cycles(const KernelRequest &request) {
    const Tile tile(request);
    const int64_t channels = channels_between(request.group);
    const StagedChunk staged{.chunks = channels / (tile.chunk * tile.split),
                             .columns = tile.block_columns(),
                             .rows = tile.row_threads,
                             .loaded_columns = tile.columns};
    const int64_t weights = channels * request.group.stage(1).out_channels;
    return chunked_kernel_cycles(tile, staged, gpu_facts(request.target), blocks(tile, output_view(request.group)),
                                 weights * static_cast<int64_t>(sizeof(float)), staging_cost(tile));
}

ModelledSchedule best_schedule(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    ModelledSchedule best{{"gpu_chain", {}}};
    for (const Knob &knob : knobs(group, target)) best.schedule.knobs.emplace_back(knob.name, knob.low);
    Schedule tried = best.schedule;
    try_blocks(
        tried,
        {channels_between(group), output[view_channel].extent, output[view_width].extent, output[view_height].extent},
        [&] {
            // Of a thread that stages more pixels at once, too few of a block do: 1.5 times as long in the kernels
            // timed.
            for (const int64_t depthwise_columns : {1, 2}) {
                set_knob(tried, "depthwise_columns", depthwise_columns);
                const KernelRequest request{group, tried, target};
                if (conflict(request)) continue;
                if (const double time = cycles(request); time < best.cycles) best = {tried, time};
            }
        });
    return best;
}

// A kernel for each stage. The depthwise one does little with what it reads and writes.
double cycles_of_two_kernels(const StageGroup &group, const Target &target) {
    const GpuFacts facts = gpu_facts(target);
    const StageGroup depthwise{group.layer, group.first, 1}, pointwise{group.layer, group.first + 1, 1};
    const double numbers = modelled_outputs(activation_view(group.input(), 1, false)) +
                           modelled_outputs(activation_view(depthwise.output(), 1, false));
    const double bytes = numbers * sizeof(float);
    return streaming_kernel_cycles(bytes, facts) + gpu_tiled::best_schedule(pointwise, target).cycles;
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

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    const StageGroup pointwise{group.layer, group.first + 1, 1};
    if (gpu_tiled::refusal(pointwise, target) || gpu_tiled::reluctance(pointwise, target)) {
        return "no chain whose 1x1 gpu_tiled would not compute has been timed";
    }
    if (best_schedule(group, target).cycles < cycles_of_two_kernels(group, target)) return std::nullopt;
    return "a kernel a stage is expected to take less time";
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
                                             output_view(request.group)[view_width].extent,
                                             tile.block_columns() * tile.row_threads)) {
        return reason;
    }
    if (tile.block_columns() % tile.depthwise_columns != 0) {
        return Conflict{ConflictKind::division, "depthwise_columns does not divide the columns of a block"};
    }
    if (tile.loads_row() && tile.unroll() * tile.loaded_columns() > most_loaded) {
        return Conflict{ConflictKind::registers, "the inputs under a row of taps exceed a thread's registers"};
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
    return best_schedule(group, target).schedule;
}

}  // namespace convc::gpu_chain
