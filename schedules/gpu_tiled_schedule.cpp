#include "schedules/gpu_tiled_schedule.h"

#include <algorithm>
#include <limits>

#include "schedules/gpu_model.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"

namespace convc::gpu_tiled {
namespace {

constexpr int64_t fewest_channels = 16;  // of inputs: below, staging costs more than it saves
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

// Modelled cycles of a multiprocessor.
double cycles(const KernelRequest &request) {
    constexpr double load = 4, barrier = 60, staging = 20, launch = 200;
    const Tile tile(request);
    const auto number = [](int64_t value) { return static_cast<double>(value); };
    const double taps = number(tile.x.taps * tile.y.taps * tile.z.taps);
    const double vectors = number(tile.chunk / tile.unroll()), channels = number(tile.chunk);
    const double chunks = number(input_channels(request.group.stage(0)) / (tile.chunk * tile.split));
    const double apart = number((tile.x_apart() ? tile.x.taps : 1) * (tile.y_apart() ? tile.y.taps : 1) * tile.z.taps);
    const double products = taps * channels * number(Tile::vector * tile.columns);
    const double weight_loads = taps * channels * load;
    const double rows_of_taps = taps / (tile.x_apart() ? 1 : number(tile.x.taps));
    const double input_loads = rows_of_taps * vectors * number(tile.loaded_columns()) * load;
    const double staged = apart * number(tile.staged_columns() * tile.staged_rows()) * vectors * number(tile.split) /
                          number(tile.threads()) * staging;
    const double accumulators = number(tile.columns) * 2 * load;
    const double of_thread =
        chunks * (products + weight_loads + input_loads + staged + apart * (accumulators + barrier)) + launch;
    return multiprocessor_cycles(of_thread, tile, gpu_facts(request.target),
                                 blocks(tile, grouped_output(request.group)), tile.shared_bytes());
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

int64_t Tile::shared_bytes() const {
    const int64_t staged = chunk * split * staged_columns() * staged_rows();
    return (staged + sums()) * static_cast<int64_t>(sizeof(float));
}

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

std::optional<std::string> reluctance(const StageGroup &group, const Target &) {
    const Stage &stage = group.stage(0);
    if (input_channels(stage) < fewest_channels) return "there are too few input channels to be worth staging";
    if (group_channels(stage) < fewest_channels)
        return "there are too few output channels a group to share what is staged";
    return std::nullopt;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &) {
    return chunked_block_knobs(grouped_output(group), input_channels(group.stage(0)));
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Tile tile(request);
    if (auto reason = chunked_block_conflict(request, input_channels(request.group.stage(0)), tile.x.outputs)) {
        return reason;
    }
    if (body(tile) > most_unrolled) return Conflict{ConflictKind::shape, "a thread's loop body is too long"};
    if (tile.shared_bytes() > GpuFacts().shared_bytes) {
        return Conflict{ConflictKind::memory, "what is staged exceeds a block's shared memory"};
    }
    return std::nullopt;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    const int64_t width = TiledAxis(group, view_width).outputs, height = TiledAxis(group, view_height).outputs;
    Schedule best{"gpu_tiled", {}};
    for (const Knob &knob : knobs(group, target)) best.knobs.emplace_back(knob.name, knob.low);
    double least = std::numeric_limits<double>::max();
    Schedule tried = best;
    try_blocks(tried, {width, height, {4, 8, 16, 32}, {4, 8, 16, 32}}, [&] {
        const KernelRequest request{group, tried, target};
        if (conflict(request)) return;
        if (const double time = cycles(request); time < least) least = time, best = tried;
    });
    return best;
}

}  // namespace convc::gpu_tiled
