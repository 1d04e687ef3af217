#include "tests/support/random_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace convc::test {
namespace {

template <class T>
void default_to(std::vector<T> &values, std::vector<T> all) {
    if (values.empty()) values = std::move(all);
}

int64_t output_extent(StageKind kind, int64_t extent, const Axis &axis) {
    if (extent == runtime_extent) return runtime_extent;
    const int64_t padding = axis.pad_before + axis.pad_after;
    if (kind != StageKind::transposed) return (extent + padding - axis.effective_kernel()) / axis.stride + 1;
    return (extent - 1) * axis.stride - padding + axis.effective_kernel() + axis.output_padding;
}

bool has_padding(const Stage &stage) {
    return std::any_of(stage.axes.begin(), stage.axes.end(), [](const Axis &axis) {
        return axis.pad_before > 0 || axis.pad_after > 0 || axis.same_at_run_time;
    });
}

// Whether the padding of every axis keeps to what the mode allows.
bool allows_padding(PadMode mode, const Stage &stage, const TensorType &input) {
    for (size_t i = 0; i < stage.axes.size(); i++) {
        const int64_t pad = std::max(stage.axes[i].pad_before, stage.axes[i].pad_after);
        const int64_t extent = input.space[i];
        if (extent == runtime_extent || pad == 0) continue;
        if (mode == PadMode::reflect && pad >= extent) return false;
        if (mode == PadMode::circular && pad > extent) return false;
    }
    return true;
}

}  // namespace

RandomLayers::RandomLayers(uint64_t seed, RandomLayerOptions options) : options_(std::move(options)), random_(seed) {
    default_to(options_.layouts, {Layout::nwc, Layout::ncw, Layout::nhwc, Layout::nchw, Layout::ndhwc, Layout::ncdhw});
    default_to(options_.kinds,
               {StageKind::convolution, StageKind::depthwise, StageKind::transposed, StageKind::shuffle});
    default_to(options_.pad_modes,
               {PadMode::zeros, PadMode::reflect, PadMode::replicate, PadMode::circular, PadMode::constant});
    default_to(options_.precisions, {Precision::strict, Precision::standard, Precision::fast});
    if (options_.epilogues.empty()) {
        for (int kind = 0; kind <= static_cast<int>(EpilogueKind::mul); kind++) {
            options_.epilogues.push_back(static_cast<EpilogueKind>(kind));
        }
    }
}

// Mostly small multiples of 1/8, sometimes any double of moderate size.
double RandomLayers::number() {
    if (options_.integers) return static_cast<double>(random_.between(-8, 8));
    if (!random_.one_in(4)) return static_cast<double>(random_.between(-64, 64)) / 8;
    return static_cast<double>(random_.between(-1'000'000'000, 1'000'000'000)) /
           static_cast<double>(random_.between(1, 1'000'000'007));
}

Layer RandomLayers::next() {
    layer_ = Layer();
    layer_.inputs.push_back({random_.one_in(4) ? "image" : "x", input_type()});
    const int64_t stages = random_.between(1, options_.most_stages);
    for (int64_t i = 0; i < stages; i++) add_stage();
    return layer_;
}

TensorType RandomLayers::input_type() {
    TensorType type;
    type.layout = random_.pick(options_.layouts);
    type.batch = random_.between(1, options_.most_batch);
    type.channels = random_.between(1, options_.most_channels);
    for (int i = 0; i < spatial_rank(type.layout); i++) type.space.push_back(random_.between(1, options_.most_space));
    if (!options_.runtime_extents) return type;
    if (random_.one_in(3)) type.batch = runtime_extent;
    for (int64_t &extent : type.space) {
        if (random_.one_in(3)) extent = runtime_extent;
    }
    return type;
}

void RandomLayers::add_stage() {
    const TensorType input = layer_.stages.empty() ? layer_.inputs[0].type : layer_.stages.back().output;
    Stage stage = channels_of(random_.pick(options_.kinds), input);
    stage.output = input;
    stage.output.channels = stage.out_channels;
    if (stage.kind != StageKind::shuffle) {
        choose_axes(stage, input);
        stage.flip = options_.flip && random_.one_in(4);
        stage.precision =
            random_.one_in(2) ? options_.precisions[options_.precisions.size() / 2] : random_.pick(options_.precisions);
        if (stage.kind != StageKind::transposed) choose_pad_mode(stage, input);
        choose_weights(stage);
    }
    const int64_t epilogues = random_.between(0, options_.most_epilogues);
    for (int64_t i = 0; i < epilogues; i++) add_epilogue(stage);
    layer_.stages.push_back(std::move(stage));
}

Stage RandomLayers::channels_of(StageKind kind, const TensorType &input) {
    Stage stage;
    stage.kind = kind;
    stage.in_channels = stage.out_channels = input.channels;
    if (kind == StageKind::depthwise) {
        stage.groups = input.channels;
        stage.out_channels = input.channels * (random_.one_in(3) ? random_.between(1, 3) : 1);
        return stage;
    }
    do {
        stage.groups = random_.between(1, options_.most_groups);
    } while (input.channels % stage.groups != 0);
    const int64_t most = std::max<int64_t>(1, options_.most_channels / stage.groups);
    if (kind != StageKind::shuffle) stage.out_channels = stage.groups * random_.between(1, most);
    return stage;
}

void RandomLayers::choose_axes(Stage &stage, const TensorType &input) {
    const bool same = random_.one_in(4);
    for (size_t i = 0; i < input.space.size(); i++) {
        const int64_t extent = input.space[i];
        const Axis axis = stage.kind == StageKind::transposed ? transposed_axis(extent) : forward_axis(extent, same);
        stage.axes.push_back(axis);
        stage.output.space[i] = output_extent(stage.kind, extent, axis);
    }
}

Axis RandomLayers::forward_axis(int64_t extent, bool same) {
    Axis axis;
    axis.kernel = random_.between(1, options_.most_kernel);
    axis.stride = random_.one_in(2) ? 1 : random_.between(1, options_.most_stride);
    axis.dilation = random_.one_in(2) ? 1 : random_.between(1, options_.most_dilation);
    const int64_t span = axis.effective_kernel();
    int64_t total = same ? span - 1 : random_.between(0, span);
    if (same && axis.stride > 1 && span > 1) {
        axis.same_at_run_time = extent == runtime_extent;
        const int64_t outputs = (extent + axis.stride - 1) / axis.stride;
        total = axis.same_at_run_time ? 0 : std::max<int64_t>(0, (outputs - 1) * axis.stride + span - extent);
    }
    if (!same && extent != runtime_extent) total = std::max(total, span - extent);
    axis.pad_before = same || random_.one_in(2) ? total / 2 : random_.between(0, total);
    axis.pad_after = total - axis.pad_before;
    return axis;
}

Axis RandomLayers::transposed_axis(int64_t extent) {
    Axis axis;
    axis.kernel = random_.between(1, options_.most_kernel);
    axis.stride = random_.between(1, options_.most_stride);
    axis.dilation = random_.one_in(2) ? 1 : random_.between(1, options_.most_dilation);
    axis.output_padding = random_.one_in(2) ? 0 : random_.between(0, std::max(axis.stride, axis.dilation) - 1);
    const int64_t whole = output_extent(StageKind::transposed, extent == runtime_extent ? 1 : extent, axis);
    const int64_t most = std::min(whole - 1, axis.effective_kernel() - 1);
    axis.pad_before = random_.between(0, most);
    axis.pad_after = random_.one_in(2) ? random_.between(0, most - axis.pad_before)
                                       : std::min(axis.pad_before, most - axis.pad_before);
    return axis;
}

void RandomLayers::choose_pad_mode(Stage &stage, const TensorType &input) {
    const PadMode mode = random_.one_in(2) ? options_.pad_modes[0] : random_.pick(options_.pad_modes);
    if (!has_padding(stage) || !allows_padding(mode, stage, input)) return;
    stage.pad_mode = mode;
    if (mode == PadMode::constant) stage.pad_value = number();
    if (mode == PadMode::constant && stage.pad_value == 0) stage.pad_value = 1;
}

void RandomLayers::choose_weights(Stage &stage) {
    const bool allowed = stage.kind == StageKind::depthwise ||
                         (stage.kind == StageKind::convolution && stage.in_channels == 1 && stage.out_channels == 1);
    if (!options_.constant_weights || !allowed || !random_.one_in(3)) return;
    stage.weights.emplace();
    for (int64_t i = 0; i < stage.kernel_volume(); i++) stage.weights->push_back(number());
}

void RandomLayers::add_epilogue(Stage &stage) {
    Epilogue epilogue;
    epilogue.kind = random_.pick(options_.epilogues);
    const bool once = epilogue.kind == EpilogueKind::bias || epilogue.kind == EpilogueKind::scale;
    if (once && stage.has_epilogue(epilogue.kind)) return;
    if (epilogue.kind == EpilogueKind::leaky_relu) epilogue.low = number();
    if (epilogue.kind == EpilogueKind::clip) {
        epilogue.low = number();
        epilogue.high = std::max(epilogue.low, number());
    }
    const bool reads = epilogue.kind == EpilogueKind::add || epilogue.kind == EpilogueKind::mul;
    if (reads) epilogue.operand = operand_for(stage);
    stage.epilogues.push_back(epilogue);
}

// x where it has the output's shape and no run-time extent, else a tensor of its own, some of its extents 1.
int RandomLayers::operand_for(const Stage &stage) {
    if (random_.one_in(2) && layer_.inputs[0].type == stage.output && !stage.output.has_runtime_extent()) return 0;
    TensorType type = stage.output;
    if (random_.one_in(4)) type.batch = 1;
    if (random_.one_in(4)) type.channels = 1;
    for (int64_t &extent : type.space) {
        if (random_.one_in(4)) extent = 1;
    }
    layer_.inputs.push_back({fmt::format("t{}", layer_.inputs.size()), std::move(type)});
    return static_cast<int>(layer_.inputs.size()) - 1;
}

}  // namespace convc::test
