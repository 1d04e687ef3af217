// How a kernel looks at memory: tensors as Halide buffers, with extents and strides in elements, innermost dimension
// first. The generators constrain their buffers by these views, and the entry points build halide_buffer_t from them.
#pragma once

#include <cstdint>
#include <vector>

#include "convc/layer.h"
#include "schedules/layer_sizes.h"
#include "schedules/size.h"

namespace convc {

struct ViewDimension {
    Size extent = 1;
    Size stride = 0;
};
using View = std::vector<ViewDimension>;

int64_t view_elements(const View &view);  // the product of the extents

// The six dimensions every activation has in a kernel: channels within a group, group, width, height, depth, batch.
// Axes that the layout does not have get extent 1; so one generator serves every rank and layout.
enum ViewAxis { view_channel, view_group, view_width, view_height, view_depth, view_batch };

// The view of an activation whose channels fall into `groups`. With `flatten`, all pixels (and for channels-last
// layouts the batch too) become one long width: what a pointwise kernel wants.
View activation_view(const TensorType &type, const TensorSizes &sizes, int64_t groups, bool flatten);
// The same where nobody needs to compute a run-time extent: it reads as runtime_extent.
View activation_view(const TensorType &type, int64_t groups, bool flatten);

// Whether an extent of the width, height or depth is known at run time only.
bool has_runtime_space(const View &activation);

// Of extents that are all known: the outermost spatial axis with more than one element: the one that kernels cut into
// parallel parts.
ViewAxis parallel_axis(const View &activation);

// A parameter in PyTorch's row-major order.
View parameter_view(const Parameter &parameter);

// Dense and row-major: extents innermost first.
View dense_view(const std::vector<int64_t> &extents);

// The geometry of a stage along width, height or depth; an axis that the layout lacks is the trivial one.
Axis stage_axis(const Stage &stage, ViewAxis axis);

// The same with so many channels a group.
View with_channels(View view, int64_t channels);

int64_t ceil_divided(int64_t value, int64_t divisor);  // towards +infinity; the divisor is positive

// Inputs, padding included, that so many neighbouring outputs of a forward stage read along an axis.
int64_t input_span(const Axis &axis, int64_t outputs);

}  // namespace convc
