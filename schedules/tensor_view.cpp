#include "schedules/tensor_view.h"

#include <algorithm>

namespace convc {

int64_t view_elements(const View &view) {
    int64_t product = 1;
    for (const ViewDimension &dimension : view) product *= dimension.extent;
    return product;
}

View dense_view(const std::vector<int64_t> &extents) {
    View view;
    int64_t stride = 1;
    for (int64_t extent : extents) {
        view.push_back({Size(extent), Size(stride)});
        stride *= extent;
    }
    return view;
}

View parameter_view(const Parameter &parameter) {
    std::vector<int64_t> extents(parameter.shape.rbegin(), parameter.shape.rend());
    return dense_view(extents);
}

View activation_view(const TensorType &type, const TensorSizes &sizes, int64_t groups, bool flatten) {
    const Size pixels = TensorSizes{1, sizes.space}.elements(1);
    const Size image = times(pixels, type.channels);
    const bool last = channels_last(type.layout);
    const Size channel_stride = last ? Size(1) : pixels;
    const int64_t pixel_stride = last ? type.channels : 1;

    View view(6, ViewDimension{1, 0});
    view[view_channel] = {type.channels / groups, channel_stride};
    view[view_group] = {groups, times(channel_stride, type.channels / groups)};
    if (flatten) {
        view[view_width] = {last ? times(pixels, sizes.batch) : pixels, pixel_stride};
        if (!last) view[view_batch] = {sizes.batch, image};
        return view;
    }
    Size stride = pixel_stride;
    for (int i = 0; i < type.rank(); i++) {
        const Size &extent = sizes.space[static_cast<size_t>(type.rank() - 1 - i)];
        view[static_cast<size_t>(view_width + i)] = {extent, stride};
        stride = times(stride, extent);
    }
    view[view_batch] = {sizes.batch, image};
    return view;
}

View activation_view(const TensorType &type, int64_t groups, bool flatten) {
    const auto known_or_not = [](int64_t extent) {
        return extent == runtime_extent ? Size::argument(0) : Size(extent);
    };
    TensorSizes sizes{known_or_not(type.batch), {}};
    for (int64_t extent : type.space) sizes.space.push_back(known_or_not(extent));
    return activation_view(type, sizes, groups, flatten);
}

bool has_runtime_space(const View &activation) {
    return !activation[view_width].extent.known() || !activation[view_height].extent.known() ||
           !activation[view_depth].extent.known();
}

ViewAxis parallel_axis(const View &activation) {
    if (activation[view_depth].extent > 1) return view_depth;
    return activation[view_height].extent > 1 ? view_height : view_width;
}

Axis stage_axis(const Stage &stage, ViewAxis axis) {
    const int from_last = static_cast<int>(axis) - static_cast<int>(view_width);
    const int index = static_cast<int>(stage.axes.size()) - 1 - from_last;
    return index < 0 ? Axis{} : stage.axes[static_cast<size_t>(index)];
}

View with_channels(View view, int64_t channels) {
    view[view_channel].extent = channels;
    return view;
}

int64_t ceil_divided(int64_t value, int64_t divisor) {
    return value >= 0 ? (value + divisor - 1) / divisor : -(-value / divisor);
}

int64_t input_span(const Axis &axis, int64_t outputs) {
    return (outputs - 1) * axis.stride + axis.effective_kernel();
}

}  // namespace convc
