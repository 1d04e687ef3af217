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
        view.push_back({extent, stride});
        stride *= extent;
    }
    return view;
}

View parameter_view(const Parameter &parameter) {
    std::vector<int64_t> extents(parameter.shape.rbegin(), parameter.shape.rend());
    return dense_view(extents);
}

View activation_view(const TensorType &type, int64_t groups, bool flatten) {
    int64_t pixels = 1;
    for (int64_t extent : type.space) pixels *= extent;
    const bool last = channels_last(type.layout);
    const int64_t channel_stride = last ? 1 : pixels;
    const int64_t pixel_stride = last ? type.channels : 1;

    View view(6, ViewDimension{1, 0});
    view[view_channel] = {type.channels / groups, channel_stride};
    view[view_group] = {groups, channel_stride * (type.channels / groups)};
    if (flatten) {
        view[view_width] = {last ? pixels * type.batch : pixels, pixel_stride};
        if (!last) view[view_batch] = {type.batch, pixels * type.channels};
        return view;
    }
    int64_t stride = pixel_stride;
    for (int i = 0; i < type.rank(); i++) {
        const int64_t extent = type.space[static_cast<size_t>(type.rank() - 1 - i)];
        view[static_cast<size_t>(view_width + i)] = {extent, stride};
        stride *= extent;
    }
    view[view_batch] = {type.batch, pixels * type.channels};
    return view;
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

}  // namespace convc
