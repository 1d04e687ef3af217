#include "schedules/single_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace convc {

bool is_depthwise(const Stage &stage) {
    return stage.kind != StageKind::shuffle && stage.groups == stage.in_channels;
}

int64_t group_channels(const Stage &stage) {
    return stage.out_channels / stage.groups;
}

int64_t input_channels(const Stage &stage) {
    return stage.in_channels / stage.groups;
}

int64_t weight_bytes(const Stage &stage) {
    return stage.out_channels * input_channels(stage) * stage.kernel_volume() * static_cast<int64_t>(sizeof(float));
}

bool groups_share_lines(const StageGroup &group) {
    constexpr int64_t pair_of_lines = 128;
    const Stage &stage = group.stage(0);
    return stage.groups > 1 && channels_last(group.output().layout) &&
           group_channels(stage) * static_cast<int64_t>(sizeof(float)) % pair_of_lines != 0;
}

int64_t groups_for_threads(const StageGroup &group) {
    return groups_share_lines(group) ? 1 : group.stage(0).groups;
}

View grouped_output(const StageGroup &group) {
    return activation_view(group.output(), group.stage(0).groups, flattens(group));
}

int64_t modelled_extent(const View &output, ViewAxis axis) {
    if (output[axis].extent.known()) return int64_t{output[axis].extent};
    return axis == view_batch ? 1 : many_pixels;
}

double modelled_outputs(const View &output) {
    double outputs = 1;
    for (size_t axis = 0; axis < output.size(); axis++) {
        outputs *= static_cast<double>(modelled_extent(output, static_cast<ViewAxis>(axis)));
    }
    return outputs;
}

double share_of_taps(const StageGroup &group, ViewAxis along, int64_t tile) {
    const Stage &stage = group.stage(0);
    const int64_t extent = grouped_output(group)[along].extent;
    const Axis axis = stage_axis(stage, along);
    if (!pads_with_zeros(stage) || !is_padded(axis) || extent % tile != 0) return 1;
    const int64_t input = activation_view(group.input(), stage.groups, false)[along].extent;
    int64_t met = 0;
    for (int64_t at = 0; at < extent; at += tile) {
        for (int64_t tap = 0; tap < axis.kernel; tap++) {
            const int64_t first = at * axis.stride + tap * axis.dilation - axis.pad_before;
            met += first < input && first + (tile - 1) * axis.stride >= 0;
        }
    }
    const int64_t tiles = extent / tile;
    return static_cast<double>(met) / static_cast<double>(axis.kernel * tiles);
}

double share_of_tile_taps(const StageGroup &group, int64_t columns, int64_t rows) {
    if (has_runtime_space(grouped_output(group))) return 1;
    return share_of_taps(group, view_width, columns) * share_of_taps(group, view_height, rows);
}

int64_t channel_block(const Stage &stage, const Target &target) {
    int64_t lanes = target.vector_lanes();
    while (input_channels(stage) % lanes != 0) lanes /= 2;
    return lanes;
}

int64_t groups_in_vector(const Stage &stage, const Target &target) {
    int64_t lanes = target.vector_lanes();
    while (stage.groups % lanes != 0) lanes /= 2;
    return lanes;
}

bool prefers_vectors_of_groups(const Stage &stage, const Target &target) {
    constexpr int64_t fewest_groups = 4, fewest_products = 4;
    if (stage.kind != StageKind::convolution || is_depthwise(stage)) return false;
    const int64_t groups = groups_in_vector(stage, target);
    return groups >= fewest_groups && stage.out_channels / stage.groups < groups &&
           stage.in_channels / stage.groups * stage.kernel_volume() >= fewest_products &&
           channels_last(stage.output.layout);
}

bool is_padded(const Axis &axis) {
    return axis.pad_before != 0 || axis.pad_after != 0 || axis.same_at_run_time;
}

bool has_padding(const Stage &stage) {
    return std::any_of(stage.axes.begin(), stage.axes.end(), is_padded);
}

bool pads_with_zeros(const Stage &stage) {
    const bool zeros =
        stage.pad_mode == PadMode::zeros || (stage.pad_mode == PadMode::constant && stage.pad_value == 0);
    return has_padding(stage) && zeros;
}

bool is_pointwise(const Stage &stage) {
    for (const Axis &axis : stage.axes) {
        if (axis.kernel != 1 || axis.stride != 1 || axis.output_padding != 0) return false;
    }
    return !has_padding(stage);
}

namespace {

bool broadcasts_over_pixels(const TensorType &operand, const TensorType &output) {
    return operand.batch != output.batch || operand.space != output.space;
}

// A further tensor as the output's view sees it; an extent of 1 where it is broadcast.
View operand_view(const TensorType &operand, const TensorSizes &sizes, const TensorType &output, int64_t groups,
                  bool flatten) {
    const bool one_channel = operand.channels == 1 && output.channels != 1;
    View view = activation_view(operand, sizes, one_channel ? 1 : groups, flatten);
    if (one_channel) view[view_group] = {1, 0};
    return view;
}

std::optional<std::string> too_large(const char *what, const TensorType &type) {
    if (type.has_runtime_extent()) return std::nullopt;  // the entry point counts at every call
    const std::optional<int64_t> elements = type.elements();
    if (elements && *elements <= std::numeric_limits<int32_t>::max()) return std::nullopt;
    return fmt::format("{} {} has more than 2^31 - 1 elements", what, print_tensor(type));
}

// Positions along an axis are 32-bit numbers in a kernel: those of the padded input, or of what a transposed stage
// leaves before its padding is cut off, and every step between taps and outputs.
bool is_indexable(const Axis &axis, int64_t extent) {
    constexpr int64_t most = std::numeric_limits<int32_t>::max();
    const int64_t known = extent == runtime_extent ? 0 : extent;  // the entry point adds it up at every call
    if (std::max({axis.stride, axis.dilation, axis.effective_kernel(), axis.pad_before, axis.pad_after}) > most) {
        return false;
    }
    return axis.pad_before + axis.pad_after + known <= most;
}

}  // namespace

bool flattens(const StageGroup &group) {
    const Stage &stage = group.stage(0);
    for (const Epilogue &epilogue : stage.epilogues) {
        if (epilogue.operand < 0) continue;
        const TensorType &operand = group.layer->inputs[static_cast<size_t>(epilogue.operand)].type;
        if (broadcasts_over_pixels(operand, stage.output)) return false;
    }
    return is_pointwise(stage);
}

std::optional<std::string> general_refusal(const StageGroup &group) {
    const Stage &stage = group.stage(0);
    if (group.count != 1) return "computes one stage at a time";
    if (auto reason = too_large("the input", group.input())) return reason;
    if (auto reason = too_large("the output", stage.output)) return reason;
    const TensorType &padded = stage.kind == StageKind::transposed ? stage.output : group.input();
    for (size_t i = 0; i < stage.axes.size(); i++) {
        if (!is_indexable(stage.axes[i], padded.space[i])) {
            return "indexes no more than 2^31 - 1 positions along an axis, padding included";
        }
    }
    for (const Parameter &parameter : group.layer->stage_parameters(group.first)) {
        if (parameter.elements() > std::numeric_limits<int32_t>::max() / 2) {
            return fmt::format("{} has more than 2^30 elements", parameter.name());
        }
    }
    return std::nullopt;
}

std::optional<std::string> strip_refusal(const Stage &stage, const std::array<int64_t, 3> &outputs, int64_t channels) {
    constexpr int64_t most = std::numeric_limits<int32_t>::max();
    int64_t bytes = channels * static_cast<int64_t>(sizeof(float));
    for (size_t i = 0; i < outputs.size(); i++) {
        const Axis axis = stage_axis(stage, static_cast<ViewAxis>(view_width + i));
        if (__builtin_mul_overflow(bytes, input_span(axis, outputs[i]), &bytes)) bytes = most + 1;
        bytes = std::min(bytes, most + 1);
    }
    if (bytes <= most) return std::nullopt;
    return "a task's input with its border takes more than 2^31 - 1 bytes";
}

double strip_elements(const Stage &stage, const std::array<int64_t, 3> &outputs) {
    auto elements = static_cast<double>(stage.in_channels);
    for (const ViewAxis axis : {view_width, view_height, view_depth}) {
        elements *= static_cast<double>(input_span(stage_axis(stage, axis), outputs[axis - view_width]));
    }
    return elements;
}

std::array<int64_t, 3> outputs_of_part(const View &output, int64_t parts) {
    std::array<int64_t, 3> outputs{output[view_width].extent, output[view_height].extent, output[view_depth].extent};
    int64_t &cut = outputs[static_cast<size_t>(parallel_axis(output) - view_width)];
    cut = (cut + parts - 1) / parts;
    return outputs;
}

std::vector<int> further_tensors(const StageGroup &group) {
    std::vector<int> all;
    for (int i = 0; i < group.count; i++) {
        for (const Epilogue &epilogue : group.stage(i).epilogues) {
            const bool is_new = std::find(all.begin(), all.end(), epilogue.operand) == all.end();
            if (epilogue.operand >= 0 && is_new) all.push_back(epilogue.operand);
        }
    }
    return all;
}

std::vector<KernelArgument> single_stage_arguments(const StageGroup &group, int64_t groups,
                                                   const std::vector<int64_t> &weight_extents, int64_t padded_channels,
                                                   bool nonfinite) {
    using Role = KernelArgument::Role;
    const Stage &stage = group.stage(0);
    const bool flatten = flattens(group);
    const LayerSizes sizes = layer_sizes(*group.layer);
    const TensorSizes &x_sizes =
        group.first == 0 ? sizes.inputs[0] : sizes.outputs[static_cast<size_t>(group.first) - 1];
    const TensorSizes &y_sizes = sizes.outputs[static_cast<size_t>(group.first)];

    std::vector<KernelArgument> all;
    all.push_back({Role::input, {}, -1, activation_view(group.input(), x_sizes, groups, flatten)});
    for (const Parameter &parameter : group.layer->stage_parameters(group.first)) {
        const bool weight = parameter.role == Parameter::Role::weight;
        all.push_back({Role::parameter, parameter, -1,
                       dense_view(weight ? weight_extents : std::vector{padded_channels, groups})});
    }
    if (nonfinite) all.push_back({Role::nonfinite, {}, -1, dense_view({1})});
    for (const int operand : further_tensors({group.layer, group.first, 1})) {
        const auto index = static_cast<size_t>(operand);
        const View view =
            operand_view(group.layer->inputs[index].type, sizes.inputs[index], stage.output, groups, flatten);
        all.push_back({Role::operand, {}, operand, view});
    }
    all.push_back({Role::output, {}, -1, activation_view(stage.output, y_sizes, groups, flatten)});
    return all;
}

std::string KernelArgument::name() const {
    switch (role) {
        case Role::input:
            return "x";
        case Role::parameter:
            return parameter.c_name();
        case Role::nonfinite:
            return "nonfinite";
        case Role::operand:
            return fmt::format("operand{}", operand);
        case Role::output:
            return "y";
    }
    return "";
}

std::vector<KernelArgument> shuffle_arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const int64_t channels = stage.in_channels / stage.groups;
    std::vector<KernelArgument> all = single_stage_arguments(request.group, channels, {}, stage.groups, false);
    View &x = all.front().view;  // seen as C/G groups of G channels; now as G groups of C/G
    x[view_channel].extent = channels;
    x[view_group] = {stage.groups, times(x[view_channel].stride, channels)};
    return all;
}

}  // namespace convc
