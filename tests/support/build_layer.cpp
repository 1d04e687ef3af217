#include "tests/support/build_layer.h"

#include <utility>

namespace convc::test {
namespace {

int64_t output_extent(StageKind kind, int64_t extent, const Axis &axis) {
    if (extent == runtime_extent) return runtime_extent;
    const int64_t padding = axis.pad_before + axis.pad_after;
    if (kind == StageKind::transposed) {
        return (extent - 1) * axis.stride - padding + axis.effective_kernel() + axis.output_padding;
    }
    return (extent + padding - axis.effective_kernel()) / axis.stride + 1;
}

}  // namespace

TensorType nhwc(int64_t batch, int64_t height, int64_t width, int64_t channels) {
    return {DataType::f32, Layout::nhwc, batch, channels, {height, width}};
}

TensorType tensor(Layout layout, int64_t batch, std::vector<int64_t> space, int64_t channels) {
    return {DataType::f32, layout, batch, channels, std::move(space)};
}

std::vector<Axis> line(int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
    Axis axis;
    axis.kernel = kernel;
    axis.stride = stride;
    axis.dilation = dilation;
    axis.pad_before = axis.pad_after = pad;
    return {axis};
}

std::vector<Axis> square(int64_t kernel, int64_t stride, int64_t pad, int64_t dilation) {
    const Axis axis = line(kernel, stride, pad, dilation)[0];
    return {axis, axis};
}

const TensorType &LayerBuilder::current() const {
    return layer_.stages.empty() ? layer_.inputs[0].type : layer_.stages.back().output;
}

LayerBuilder &LayerBuilder::append(StageKind kind, int64_t out, int64_t groups, std::vector<Axis> axes) {
    Stage stage;
    stage.kind = kind;
    stage.in_channels = current().channels;
    stage.out_channels = out;
    stage.groups = groups;
    stage.output = current();
    stage.output.channels = out;
    for (size_t i = 0; i < axes.size(); i++) {
        stage.output.space[i] = output_extent(kind, stage.output.space[i], axes[i]);
    }
    stage.axes = std::move(axes);
    layer_.stages.push_back(std::move(stage));
    return *this;
}

LayerBuilder &LayerBuilder::conv(int64_t out, std::vector<Axis> axes, int64_t groups) {
    return append(StageKind::convolution, out, groups, std::move(axes));
}

LayerBuilder &LayerBuilder::depthwise(std::vector<Axis> axes, int64_t multiplier) {
    const int64_t channels = current().channels;
    return append(StageKind::depthwise, channels * multiplier, channels, std::move(axes));
}

LayerBuilder &LayerBuilder::transposed(int64_t out, std::vector<Axis> axes, int64_t groups) {
    return append(StageKind::transposed, out, groups, std::move(axes));
}

LayerBuilder &LayerBuilder::shuffle(int64_t groups) {
    return append(StageKind::shuffle, current().channels, groups, {});
}

LayerBuilder &LayerBuilder::epilogue(EpilogueKind kind, int operand) {
    Epilogue added;
    added.kind = kind;
    added.operand = operand;
    layer_.stages.back().epilogues.push_back(added);
    return *this;
}

LayerBuilder &LayerBuilder::weights(std::vector<double> values) {
    layer_.stages.back().weights = std::move(values);
    return *this;
}

LayerBuilder &LayerBuilder::pad_mode(PadMode mode, double value) {
    layer_.stages.back().pad_mode = mode;
    layer_.stages.back().pad_value = value;
    return *this;
}

LayerBuilder &LayerBuilder::epilogue(const Epilogue &epilogue) {
    layer_.stages.back().epilogues.push_back(epilogue);
    return *this;
}

LayerBuilder &LayerBuilder::flip() {
    layer_.stages.back().flip = true;
    return *this;
}

LayerBuilder &LayerBuilder::precision(Precision precision) {
    layer_.stages.back().precision = precision;
    return *this;
}

LayerBuilder &LayerBuilder::input(std::string name, TensorType type) {
    layer_.inputs.push_back({std::move(name), std::move(type)});
    return *this;
}

}  // namespace convc::test
