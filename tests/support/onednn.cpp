#include "tests/support/onednn.h"

#include <algorithm>
#include <array>
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
                                            const dnnl::engine &engine) {
    const Geometry geometry(stage);
    const typename Primitive::desc operation(dnnl::prop_kind::forward_inference, algorithm, tensor_descriptor(input),
                                             weight_descriptor(stage), memory::desc(), tensor_descriptor(stage.output),
                                             geometry.strides, geometry.dilations, geometry.before, geometry.after);
    return {operation, engine};
}

struct Activation {
    TensorType type;
    Tensor values;
};

int64_t bordered_index(PadMode mode, int64_t at, int64_t extent) {
    switch (mode) {
        case PadMode::reflect:
            return at < 0 ? -at : at >= extent ? 2 * (extent - 1) - at : at;
        case PadMode::replicate:
            return std::clamp<int64_t>(at, 0, extent - 1);
        case PadMode::circular:
            return (at + extent) % extent;
        default:
            return at < 0 || at >= extent ? -1 : at;
    }
}

// oneDNN pads with zeros only: any other border is laid around a copy, along one axis after another, and the stage then
// has no padding. Positions are counted as `outer` x `extent` x `inner` elements.
Activation with_border(const Activation &input, Stage &stage, size_t space) {
    Axis &axis = stage.axes[space];
    Activation padded{input.type, {}};
    padded.type.space[space] += axis.pad_before + axis.pad_after;
    const std::vector<int64_t> extents = input.type.extents();
    const size_t position = space + (channels_last(input.type.layout) ? 1 : 2);
    int64_t outer = 1, inner = 1;
    for (size_t i = 0; i < extents.size(); i++) {
        if (i < position) outer *= extents[i];
        if (i > position) inner *= extents[i];
    }
    const int64_t extent = extents[position];
    const auto border = static_cast<float>(stage.pad_value);
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t at = -axis.pad_before; at < extent + axis.pad_after; at++) {
            const int64_t from = bordered_index(stage.pad_mode, at, extent);
            if (from < 0) {
                padded.values.insert(padded.values.end(), static_cast<size_t>(inner), border);
            } else {
                const auto row = input.values.begin() + (o * extent + from) * inner;
                padded.values.insert(padded.values.end(), row, row + inner);
            }
        }
    }
    axis.pad_before = axis.pad_after = 0;
    return padded;
}

class StageByStage {
public:
    StageByStage(const Layer &layer, const LayerData &data) : layer_(layer), data_(data) {}

    Tensor run() {
        Activation x{layer_.inputs[0].type, data_.inputs[0]};
        for (size_t i = 0; i < layer_.stages.size(); i++) {
            const Stage &stage = layer_.stages[i];
            x = stage.kind == StageKind::shuffle ? shuffled(stage, x) : convolved(i, x);
            for (const Epilogue &epilogue : stage.epilogues) apply(epilogue, i, x);
        }
        stream_.wait();
        return std::move(x.values);
    }

private:
    memory wrap(const memory::desc &descriptor, const Tensor &tensor) {
        return {descriptor, engine_, const_cast<float *>(tensor.data())};  // oneDNN takes inputs, too, as void *
    }

    Activation output_of(const Stage &stage) {
        return {stage.output, Tensor(static_cast<size_t>(*stage.output.elements()))};
    }

    const Tensor &parameter(size_t stage, Parameter::Role role) const {
        const std::vector<Parameter> all = layer_.parameters();
        const auto found = std::find_if(all.begin(), all.end(), [&](const Parameter &each) {
            return each.stage == static_cast<int>(stage) && each.role == role;
        });
        return data_.parameters[static_cast<size_t>(found - all.begin())];
    }

    // As oneDNN wants them: constants written out for each channel, and turned round for a true convolution.
    Tensor weights_of(size_t index) const {
        const Stage &stage = layer_.stages[index];
        Tensor weights;
        if (stage.weights) {
            for (int64_t c = 0; c < stage.out_channels; c++) {
                weights.insert(weights.end(), stage.weights->begin(), stage.weights->end());
            }
        } else {
            weights = parameter(index, Parameter::Role::weight);
        }
        const int64_t volume = stage.kernel_volume();
        for (auto filter = weights.begin(); stage.flip && filter != weights.end(); filter += volume) {
            std::reverse(filter, filter + volume);
        }
        return weights;
    }

    Activation convolved(size_t index, Activation x) {
        Stage stage = layer_.stages[index];
        for (size_t axis = 0; stage.pad_mode != PadMode::zeros && axis < stage.axes.size(); axis++) {
            x = with_border(x, stage, axis);
        }
        dnnl::primitive primitive;
        if (stage.kind == StageKind::transposed) {
            primitive = dnnl::deconvolution_forward(
                describe<dnnl::deconvolution_forward>(stage, dnnl::algorithm::deconvolution_direct, x.type, engine_));
        } else {
            primitive = dnnl::convolution_forward(
                describe<dnnl::convolution_forward>(stage, dnnl::algorithm::convolution_direct, x.type, engine_));
        }
        const Tensor weights = weights_of(index);
        Activation y = output_of(stage);
        execute(primitive, {{DNNL_ARG_SRC, wrap(tensor_descriptor(x.type), x.values)},
                            {DNNL_ARG_WEIGHTS, wrap(weight_descriptor(stage), weights)},
                            {DNNL_ARG_DST, wrap(tensor_descriptor(y.type), y.values)}});
        return y;
    }

    Activation shuffled(const Stage &stage, const Activation &x) {
        const memory::desc type = tensor_descriptor(x.type);
        const dnnl::shuffle_forward::desc operation(dnnl::prop_kind::forward_inference, type, 1,
                                                    static_cast<int>(stage.in_channels / stage.groups));
        Activation y = output_of(stage);
        execute(dnnl::shuffle_forward({operation, engine_}),
                {{DNNL_ARG_SRC, wrap(type, x.values)}, {DNNL_ARG_DST, wrap(type, y.values)}});
        return y;
    }

    void apply(const Epilogue &epilogue, size_t stage, Activation &x) {
        TensorType channels{DataType::f32, x.type.layout, 1, x.type.channels,
                            std::vector<int64_t>(x.type.space.size(), 1)};
        switch (epilogue.kind) {
            case EpilogueKind::bias:
                return combine(dnnl::algorithm::binary_add, channels, parameter(stage, Parameter::Role::bias), x);
            case EpilogueKind::scale:
                return combine(dnnl::algorithm::binary_mul, channels, parameter(stage, Parameter::Role::scale), x);
            case EpilogueKind::add:
            case EpilogueKind::mul: {
                const auto operand = static_cast<size_t>(epilogue.operand);
                const bool adds = epilogue.kind == EpilogueKind::add;
                return combine(adds ? dnnl::algorithm::binary_add : dnnl::algorithm::binary_mul,
                               layer_.inputs[operand].type, data_.inputs[operand], x);
            }
            case EpilogueKind::relu:
                return activate(dnnl::algorithm::eltwise_relu, 0, 0, x);
            case EpilogueKind::leaky_relu:
                return activate(dnnl::algorithm::eltwise_relu, epilogue.low, 0, x);
            case EpilogueKind::relu6:
                return activate(dnnl::algorithm::eltwise_clip, 0, 6, x);
            default:
                return activate(dnnl::algorithm::eltwise_clip, epilogue.low, epilogue.high, x);
        }
    }

    void combine(dnnl::algorithm algorithm, const TensorType &type, const Tensor &operand, Activation &x) {
        const memory::desc descriptor = tensor_descriptor(x.type);
        const dnnl::binary::desc operation(algorithm, descriptor, tensor_descriptor(type), descriptor);
        const memory values = wrap(descriptor, x.values);
        execute(dnnl::binary({operation, engine_}), {{DNNL_ARG_SRC_0, values},
                                                     {DNNL_ARG_SRC_1, wrap(tensor_descriptor(type), operand)},
                                                     {DNNL_ARG_DST, values}});
    }

    void activate(dnnl::algorithm algorithm, double alpha, double beta, Activation &x) {
        const memory::desc descriptor = tensor_descriptor(x.type);
        const dnnl::eltwise_forward::desc operation(dnnl::prop_kind::forward_inference, algorithm, descriptor,
                                                    static_cast<float>(alpha), static_cast<float>(beta));
        const memory values = wrap(descriptor, x.values);
        execute(dnnl::eltwise_forward({operation, engine_}), {{DNNL_ARG_SRC, values}, {DNNL_ARG_DST, values}});
    }

    void execute(const dnnl::primitive &primitive, const std::unordered_map<int, memory> &arguments) {
        primitive.execute(stream_, arguments);
        stream_.wait();
    }

    const Layer &layer_;
    const LayerData &data_;
    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream_{engine_};
};

constexpr std::array exact_epilogues{EpilogueKind::bias, EpilogueKind::relu,  EpilogueKind::relu6,
                                     EpilogueKind::clip, EpilogueKind::scale, EpilogueKind::leaky_relu,
                                     EpilogueKind::add,  EpilogueKind::mul};

}  // namespace

bool onednn_computes(const Layer &layer) {
    if (layer.inputs[0].type.has_runtime_extent()) return false;
    for (const Stage &stage : layer.stages) {
        for (const Epilogue &epilogue : stage.epilogues) {
            const auto *found = std::find(exact_epilogues.begin(), exact_epilogues.end(), epilogue.kind);
            if (found == exact_epilogues.end()) return false;
        }
    }
    return true;
}

std::optional<Tensor> onednn_output(const Layer &layer, const LayerData &data) try {
    return StageByStage(layer, data).run();
} catch (const dnnl::error &) {
    return std::nullopt;
}

ReferenceResult as_expected(const Tensor &onednn, const ReferenceResult &reference) {
    ReferenceResult expected{ReferenceTensor(onednn.begin(), onednn.end()), reference.error_bound};
    for (double &bound : expected.error_bound) bound *= 2;
    return expected;
}

}  // namespace convc::test
