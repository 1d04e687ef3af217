#include "schedules/gpu_tiled_schedule.h"

#include <algorithm>

#include "schedules/gpu_model.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"

namespace convc::gpu_tiled {
namespace {

constexpr int64_t fewest_inputs = 16;    // channels: below, staging costs more than it saves
constexpr int64_t fewest_outputs = 8;    // channels of a group: 9 took 0.9 of gpu_direct's time
constexpr int64_t most_unrolled = 1024;  // multiply-adds of a thread's loop body

bool is_transposed(const Stage &stage) {
    return stage.kind == StageKind::transposed;
}

int64_t body(const Tile &tile) {
    return Tile::vector * tile.columns * tile.unroll() * (tile.x_apart() ? 1 : tile.x.taps);
}

int64_t blocks(const Tile &tile, const View &output) {
    int64_t count = ceil_divided(output[view_channel].extent, tile.block_channels()) *
                    ceil_divided(tile.x.outputs, tile.block_columns()) * ceil_divided(tile.y.outputs, tile.row_threads);
    return count * tile.z.outputs * output[view_batch].extent * output[view_group].extent * tile.x.phases *
           tile.y.phases * tile.z.phases;
}

StagedChunk staged_chunk(const Tile &tile, int64_t channels) {
    const int64_t apart = (tile.x_apart() ? tile.x.taps : 1) * (tile.y_apart() ? tile.y.taps : 1) * tile.z.taps;
    return {.chunks = channels / (tile.chunk * tile.split) * apart,
            .columns = tile.staged_columns(),
            .rows = tile.staged_rows(),
            .loaded_columns = tile.loaded_columns(),
            .taps = tile.x.taps * tile.y.taps * tile.z.taps / apart,
            .row_taps = tile.x_apart() ? 1 : tile.x.taps,
            .column_step = tile.x.stride,
            .row_step = tile.y.stride};
}

double cycles(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const Tile tile(request);
    const int64_t taps = stage_axis(stage, view_width).kernel * stage_axis(stage, view_height).kernel *
                         stage_axis(stage, view_depth).kernel;
    const int64_t weights = input_channels(stage) * stage.out_channels * taps;
    return chunked_kernel_cycles(tile, staged_chunk(tile, input_channels(stage)), gpu_facts(request.target),
                                 blocks(tile, grouped_output(request.group)),
                                 weights * static_cast<int64_t>(sizeof(float)));
}

}  // namespace

TiledAxis::TiledAxis(const StageGroup &group, ViewAxis axis) {
    const Stage &stage = group.stage(0);
    outputs = grouped_output(group)[axis].extent;
    if (is_transposed(stage)) {
        const PhasedAxis phased = phased_axis(group, axis);
        taps = phased.taps;
        step = -1;
        phases = phased.phases;
        outputs = phased.positions;
    } else {
        const Axis geometry = stage_axis(stage, axis);
        taps = geometry.kernel;
        stride = geometry.stride;
        step = geometry.dilation;
    }
}

Tile::Tile(const KernelRequest &request)
    : ChunkedBlock(request.schedule),
      x(request.group, view_width),
      y(request.group, view_height),
      z(request.group, view_depth) {}

View output_view(const StageGroup &group) {
    View view = grouped_output(group);
    if (!is_transposed(group.stage(0))) return view;
    for (const ViewAxis axis : {view_width, view_height, view_depth}) {
        const TiledAxis tiled(group, axis);
        const Size stride = view[axis].stride;
        view.push_back({tiled.phases, stride});
        view[axis] = {tiled.outputs, times(stride, stage_axis(group.stage(0), axis).stride)};
    }
    return view;
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::shuffle || is_depthwise(stage)) return "computes dense and grouped convolutions";
    if (stage.weights) return "takes no constant weights";
    if (group.input().has_runtime_extent()) return "needs every extent when it is compiled";
    if (!is_transposed(stage)) return std::nullopt;
    for (const ViewAxis axis : {view_width, view_height, view_depth}) {
        if (!is_indexable(group, axis)) return "indexes no more than 2^29 positions";
        const PhasedAxis phased = phased_axis(group, axis);
        // Else some phases would have fewer outputs than others.
        if (grouped_output(group)[axis].extent % phased.stride != 0) return "needs outputs that the stride divides";
        if (phased.dilation != 1) return "takes no dilation of a transposed convolution";
    }
    const auto reads_tensor = [](const Epilogue &epilogue) { return epilogue.operand >= 0; };
    if (std::any_of(stage.epilogues.begin(), stage.epilogues.end(), reads_tensor)) {
        return "reads no further tensor behind a transposed convolution";
    }
    return std::nullopt;
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    if (input_channels(stage) < fewest_inputs) return "there are too few input channels to be worth staging";
    // Few outputs leave a device idle, unless several threads share the sum of each.
    const double threads = static_cast<double>(gpu_facts(target).multiprocessors * 1024);
    if (group_channels(stage) < fewest_outputs && modelled_outputs(grouped_output(group)) > threads) {
        return "there are too few output channels a group to share what is staged";
    }
    return std::nullopt;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &) {
    return chunked_block_knobs(grouped_output(group), input_channels(group.stage(0)));
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Tile tile(request);
    if (auto reason = chunked_block_conflict(request, input_channels(request.group.stage(0)), tile.x.outputs,
                                             tile.staged_columns() * tile.staged_rows())) {
        return reason;
    }
    if (body(tile) > most_unrolled) return Conflict{ConflictKind::shape, "a thread's loop body is too long"};
    return std::nullopt;
}

ModelledSchedule best_schedule(const StageGroup &group, const Target &target) {
    const int64_t width = TiledAxis(group, view_width).outputs, height = TiledAxis(group, view_height).outputs;
    ModelledSchedule best{{"gpu_tiled", {}}};
    for (const Knob &knob : knobs(group, target)) best.schedule.knobs.emplace_back(knob.name, knob.low);
    Schedule tried = best.schedule;
    try_blocks(tried, {input_channels(group.stage(0)), group_channels(group.stage(0)), width, height}, [&] {
        const KernelRequest request{group, tried, target};
        if (conflict(request)) return;
        if (const double time = cycles(request); time < best.cycles) best = {tried, time};
    });
    return best;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    return best_schedule(group, target).schedule;
}

}  // namespace convc::gpu_tiled
