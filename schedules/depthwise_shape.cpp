// What a depthwise kernel's vectors run over, and what it copies.
#include "schedules/depthwise_shape.h"

#include <algorithm>

#include "schedules/machine_model.h"
#include "schedules/padding.h"
#include "schedules/single_stage.h"

namespace convc::depthwise {
namespace {

int64_t power_of_two_at_most(int64_t value) {
    int64_t power = 1;
    while (power * 2 <= value) power *= 2;
    return power;
}

// Of a channel's input with the border around it.
int64_t plane_bytes(const StageGroup &group) {
    const View output = output_view(group);
    const auto span = [&](ViewAxis axis) { return input_span(stage_axis(group.stage(0), axis), output[axis].extent); };
    return span(view_width) * span(view_height) * span(view_depth) * static_cast<int64_t>(sizeof(float));
}

}  // namespace

View output_view(const StageGroup &group) {
    return activation_view(group.output(), 1, flattens(group));
}

bool in_tiles(const StageGroup &group) {
    return has_runtime_space(output_view(group));
}

bool shares_rows(const Stage &stage, int64_t register_rows, int64_t sums) {
    constexpr int64_t most_unrolled_columns = 256;  // one column alone, LLVM orders in less time than rows of them
    const Axis axis = stage_axis(stage, view_height);
    return axis.dilation < register_rows * axis.stride && axis.kernel > 1 &&
           axis.kernel * sums <= most_unrolled_columns && !is_literal(stage) && register_rows > 1;
}

bool leaves_out_rows(const StageGroup &group, int64_t register_rows, const Target &target) {
    const Axis axis = stage_axis(group.stage(0), view_height);
    return leaves_out_zeros(group, target) && !in_tiles(group) && is_padded(axis) &&
           axis.dilation >= register_rows * axis.stride &&
           int64_t{output_view(group)[view_height].extent} % register_rows == 0;
}

int64_t width_of(const View &view) {
    return view[view_width].extent.known() ? int64_t{view[view_width].extent} : int64_t{1} << 20;
}

// Copying takes 0.1 of the time of 400 taps, and pays for 121 where vectors of pixels multiply a fifth in vain. On
// Sapphire Rapids, of their time: 31x31 at 56 x 56 0.68, 27x27 at 14 x 14 0.27, 11x11 at 14 x 14 0.92, 13x13 at 28 x 28
// 0.98, 125 taps of one row 0.35; but 15x15 at 64 x 64 1.13, 13x13 of stride 2 at 112 x 112 1.16.
bool gathers_channels(const StageGroup &group, const Target &target) {
    constexpr int64_t few_taps = 121, many_taps = 400;
    const Stage &stage = group.stage(0);
    const View view = output_view(group);
    const int64_t taps = stage.kernel_volume(), lanes = target.vector_lanes();
    if (in_tiles(group) || view[view_channel].stride == 1 || stage.weights || stage.multiplier() > 1) return false;
    const Axis axis = stage_axis(stage, view_width);
    if (taps < few_taps || axis.dilation > 1 || !pads_with_zeros(stage) || view[view_channel].extent % lanes != 0) {
        return false;
    }
    const int64_t width = view[view_width].extent;
    const double useful = static_cast<double>(width) / static_cast<double>(ceil_divided(width, lanes) * lanes) *
                          share_of_taps(group, view_width, 1);
    const bool wastes = axis.stride == 1 && useful < 0.8;
    return taps >= many_taps || wastes || (view[view_height].extent == 1 && view[view_depth].extent == 1);
}

bool vectors_of_channels(const StageGroup &group, const Target &target) {
    const View view = output_view(group);
    if (view[view_channel].stride != 1) return gathers_channels(group, target);
    return view[view_channel].extent >= target.vector_lanes() || view[view_channel].extent >= width_of(view);
}

int64_t vector_extent(const StageGroup &group, const Target &target) {
    const View view = output_view(group);
    const int64_t extent = vectors_of_channels(group, target) ? int64_t{view[view_channel].extent} : width_of(view);
    return std::min<int64_t>(target.vector_lanes(), power_of_two_at_most(extent));
}

std::optional<SeparableKernel> factors_of(const Stage &stage) {
    std::optional<SeparableKernel> factors = separable_kernel(stage);
    if (factors && static_cast<int64_t>(factors->column.size() + factors->row.size()) > most_literal_taps) {
        return std::nullopt;
    }
    return factors;
}

bool is_literal(const Stage &stage) {
    return stage.weights && (stage.kernel_volume() <= most_literal_taps || factors_of(stage));
}

bool reads_rows_in_place(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    if (in_tiles(group) || vectors_of_channels(group, target) || !has_padding(stage)) return false;
    if (!pads_with_zeros(stage) || stage.weights || output_view(group)[view_channel].stride == 1) return false;
    const View input = activation_view(group.input(), 1, false);
    const Axis x = stage_axis(stage, view_width);
    const bool near = std::max(x.pad_before, x.pad_after) <= input[view_width].extent;
    return near && x.stride == 2 && input[view_height].extent > 2 && input[view_width].stride == 1 &&
           plane_bytes(group) > target.l1_bytes / 2;
}

bool uses_strip(const StageGroup &group, const Target &target) {
    if (reads_rows_in_place(group, target)) return false;
    const Stage &stage = group.stage(0);
    const bool channels_apart = output_view(group)[view_channel].stride != 1 && !gathers_channels(group, target);
    return in_tiles(group) || (has_padding(stage) && (channels_apart || is_literal(stage) || !pads_with_zeros(stage)));
}

bool copies_planes(const StageGroup &group, const Target &target) {
    const View input = activation_view(group.input(), 1, flattens(group));
    return !in_tiles(group) && !vectors_of_channels(group, target) && input[view_channel].stride != 1;
}

bool fills_planes(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    if (!uses_strip(group, target) || !copies_planes(group, target)) return false;
    return may_fill_border(stage) && !factors_of(stage) && plane_bytes(group) <= target.l1_bytes / 2;
}

bool leaves_out_border_rows(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const int64_t rows = request.schedule.knob("register_rows").value_or(1);
    const int64_t sums = rows * *request.schedule.knob("columns");
    return fills_planes(request.group, request.target) && leaves_out_zeros(request.group, request.target) &&
           is_padded(stage_axis(stage, view_height)) && rows == output_view(request.group)[view_height].extent &&
           shares_rows(stage, rows, sums);
}

int64_t planes_at_a_time(const StageGroup &group, int64_t channels, const Target &target) {
    if (group.stage(0).multiplier() > 1) return 1;
    const int64_t fitting = target.l1_bytes / 4 / std::max<int64_t>(plane_bytes(group), 1);
    int64_t planes = std::clamp<int64_t>(fitting, 1, std::max<int64_t>(channels, 1));
    while (channels % planes != 0) planes--;
    return planes;
}

int64_t lanes_of_sums(const StageGroup &group, const Target &target) {
    const int64_t lanes = vector_extent(group, target);
    const bool short_rows = lanes < target.vector_lanes() && lanes < width_of(output_view(group));
    return short_rows && fills_planes(group, target) ? 2 * lanes : lanes;
}

bool copies_rows(const Stage &stage, int64_t register_rows) {
    constexpr double most_copied = 1.3;  // times each row: 7x7 at 56 x 56, 1.9 times, takes 0.22 ms for 0.17
    const Axis axis = stage_axis(stage, view_height);
    if (stage_axis(stage, view_depth).kernel > 1) return false;
    const auto rows = static_cast<double>(register_rows * axis.stride);
    return static_cast<double>(input_span(axis, register_rows)) <= most_copied * rows;
}

bool hops(const StageGroup &group, int64_t vectors) {
    return shares_sets(group) && vectors > hops_of_channels && vectors % hops_of_channels == 0;
}

bool may_copy_vectors(const StageGroup &group, const Target &target) {
    const int64_t lanes = vector_extent(group, target);
    return vectors_of_channels(group, target) && !uses_strip(group, target) && group.stage(0).multiplier() == 1 &&
           group.stage(0).kernel_volume() > 1 && output_view(group)[view_channel].extent % lanes == 0;
}

bool copies_border(const KernelRequest &request) {
    const Axis axis = stage_axis(request.group.stage(0), view_width);
    return request.schedule.knob("copies") == 1 && is_padded(axis) && !request.group.stage(0).weights &&
           axis.dilation < *request.schedule.knob("columns") * axis.stride;
}

bool leaves_out_zeros(const StageGroup &group, const Target &target) {
    return uses_strip(group, target) && pads_with_zeros(group.stage(0)) && !group.stage(0).weights;
}

bool shares_sets(const StageGroup &group) {
    constexpr int64_t bad_pitch = 512;
    const View input = activation_view(group.input(), 1, false);
    return input[view_width].stride * static_cast<int64_t>(sizeof(float)) % bad_pitch == 0;
}

}  // namespace convc::depthwise
