#include "tests/support/onednn.h"

#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>

namespace convc::test {
namespace {

using dnnl::memory;

// Dimensions in oneDNN's logical order (batch, channels, space), and how far apart they stand in memory.
memory::desc tensor_descriptor(const TensorType &type) {
    memory::dims dims{type.batch, type.channels};
    dims.insert(dims.end(), type.space.begin(), type.space.end());
    const int64_t area = std::accumulate(type.space.begin(), type.space.end(), int64_t{1}, std::multiplies<>());
    const bool last = channels_last(type.layout);
    memory::dims strides(dims.size());
    strides[0] = area * type.channels;
    strides[1] = last ? 1 : area;
    int64_t step = last ? type.channels : 1;
    for (size_t i = dims.size(); i-- > 2;) {
        strides[i] = step;
        step *= dims[i];
    }
    return {dims, memory::data_type::f32, strides};
}

// oneDNN's logical order is group, out, in, kernel; PyTorch's transposed weights have in before out.
memory::desc weight_descriptor(const Stage &stage) {
    const int64_t in = stage.in_channels / stage.groups;
    const int64_t out = stage.out_channels / stage.groups;
    const int64_t volume = stage.kernel_volume();
    const bool transposed = stage.kind == StageKind::transposed;
    memory::dims dims{stage.groups, out, in};
    memory::dims strides{in * out * volume, transposed ? volume : in * volume, transposed ? out * volume : volume};
    int64_t step = volume;
    for (const Axis &axis : stage.axes) {
        step /= axis.kernel;
        dims.push_back(axis.kernel);
        strides.push_back(step);
    }
    return {dims, memory::data_type::f32, strides};
}

struct Geometry {
    memory::dims strides, dilations, before, after;
    explicit Geometry(const Stage &stage) {
        for (const Axis &axis : stage.axes) {
            strides.push_back(axis.stride);
            dilations.push_back(axis.dilation - 1);
            before.push_back(axis.pad_before);
            after.push_back(axis.pad_after - axis.output_padding);
        }
    }
};

template <class Primitive>
typename Primitive::primitive_desc describe(const Stage &stage, dnnl::algorithm algorithm, const TensorType &input,
                                            const memory::desc &bias, const dnnl::engine &engine) {
    const Geometry geometry(stage);
    const typename Primitive::desc operation(dnnl::prop_kind::forward_inference, algorithm, tensor_descriptor(input),
                                             weight_descriptor(stage), bias, tensor_descriptor(stage.output),
                                             geometry.strides, geometry.dilations, geometry.before, geometry.after);
    return {operation, engine};
}

memory wrap(const memory::desc &descriptor, const dnnl::engine &engine, const Tensor &tensor) {
    return {descriptor, engine, const_cast<float *>(tensor.data())};  // oneDNN takes inputs, too, as void *
}

}  // namespace

bool onednn_computes(const Layer &layer) {
    if (layer.stages.size() != 1) return false;
    const Stage &stage = layer.stages[0];
    const bool plain =
        stage.epilogues.empty() || (stage.epilogues.size() == 1 && stage.epilogues[0].kind == EpilogueKind::bias);
    return plain && stage.kind != StageKind::shuffle && stage.pad_mode == PadMode::zeros && !stage.flip &&
           !stage.weights;
}

std::optional<Tensor> onednn_output(const Layer &layer, const LayerData &data) try {
    const Stage &stage = layer.stages[0];
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const bool has_bias = stage.has_epilogue(EpilogueKind::bias);
    const memory::desc bias =
        has_bias ? memory::desc({stage.out_channels}, memory::data_type::f32, memory::format_tag::a) : memory::desc();
    dnnl::primitive primitive;
    const TensorType &input = layer.inputs[0].type;
    if (stage.kind == StageKind::transposed) {
        primitive = dnnl::deconvolution_forward(
            describe<dnnl::deconvolution_forward>(stage, dnnl::algorithm::deconvolution_direct, input, bias, engine));
    } else {
        primitive = dnnl::convolution_forward(
            describe<dnnl::convolution_forward>(stage, dnnl::algorithm::convolution_direct, input, bias, engine));
    }
    Tensor output(static_cast<size_t>(*stage.output.elements()));
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, wrap(tensor_descriptor(input), engine, data.inputs[0])},
        {DNNL_ARG_WEIGHTS, wrap(weight_descriptor(stage), engine, data.parameters[0])},
        {DNNL_ARG_DST, wrap(tensor_descriptor(stage.output), engine, output)}};
    if (has_bias) arguments.emplace(DNNL_ARG_BIAS, wrap(bias, engine, data.parameters[1]));
    dnnl::stream stream(engine);
    primitive.execute(stream, arguments);
    stream.wait();
    return output;
} catch (const dnnl::error &) {
    return std::nullopt;
}

}  // namespace convc::test
