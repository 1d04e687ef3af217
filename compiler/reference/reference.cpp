#include "compiler/reference/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "compiler/reference/activation.h"
#include "compiler/reference/check_sizes.h"
#include "compiler/reference/error_bound.h"
#include "compiler/reference/tensor_view.h"

namespace convc {
namespace {

using Index = TensorView::Index;

// What a stage reads: the layer's x, or what the stage before it computed.
struct StageInput {
    TensorView view;
    ReferenceTensor values;
    ReferenceTensor errors;
};

// What one tap reads: the input's elements at `from` (the same position in every channel), a constant, or nothing.
struct TapSource {
    enum class Kind { nothing, input, constant } kind = Kind::input;
    Index from{};
};

// The input position, possibly in the padding, that a tap reads for an output position. A transposed stage spreads the
// input's elements `stride` apart: nullopt between them.
std::optional<int64_t> tap_position(StageKind kind, const Axis &axis, int64_t output, int64_t tap) {
    if (kind != StageKind::transposed) return output * axis.stride - axis.pad_before + tap * axis.dilation;
    const int64_t spread = output + axis.pad_before - tap * axis.dilation;
    return spread % axis.stride == 0 ? std::optional(spread / axis.stride) : std::nullopt;
}

// Where the padded input's element at `position` comes from; nullopt: from nowhere.
std::optional<int64_t> padded_source(PadMode mode, int64_t position, int64_t extent) {
    if (0 <= position && position < extent) return position;
    switch (mode) {
        case PadMode::reflect:
            return position < 0 ? -position : 2 * (extent - 1) - position;
        case PadMode::replicate:
            return std::clamp<int64_t>(position, 0, extent - 1);
        case PadMode::circular:
            return (position % extent + extent) % extent;
        default:
            return std::nullopt;
    }
}

TapSource tap_source(const Stage &stage, const TensorView &x, const Index &at, int64_t tap) {
    TapSource source;
    for (size_t i = stage.axes.size(), axis = 5; i-- > 0;) {
        axis--;
        const Axis &geometry = stage.axes[i];
        const auto position = tap_position(stage.kind, geometry, at[axis], tap % geometry.kernel);
        tap /= geometry.kernel;
        if (!position) return {TapSource::Kind::nothing, {}};
        const auto inside = padded_source(stage.pad_mode, *position, x.extent[axis]);
        if (!inside) source.kind = TapSource::Kind::constant;
        source.from[axis] = inside.value_or(0);
    }
    const bool zeros = stage.pad_mode != PadMode::constant || stage.pad_value == 0;
    if (source.kind == TapSource::Kind::constant && zeros) source.kind = TapSource::Kind::nothing;
    return source;
}

// One output element of a conv, depthwise or transposed stage, without epilogues: the loops over taps and channels.
BoundedNumber convolve(const Stage &stage, const ReferenceTensor &weights, const StageInput &x, const Index &at) {
    const int64_t volume = stage.kernel_volume();
    const int64_t group_in = stage.in_channels / stage.groups;
    const int64_t group_out = stage.out_channels / stage.groups;
    const int64_t first_channel = at[1] / group_out * group_in;
    const bool transposed =
        stage.kind == StageKind::transposed;  // weights [in, out/groups, k], else [out, in/groups, k]
    const int64_t w_first = transposed ? first_channel * group_out + at[1] % group_out : at[1] * group_in;
    const int64_t w_step = transposed ? group_out : 1;
    BoundedNumber sum;
    sum.roundings = group_in * volume;
    for (int64_t tap = 0; tap < volume; tap++) {
        TapSource source = tap_source(stage, x.view, at, tap);
        if (source.kind == TapSource::Kind::nothing) continue;
        const int64_t w_tap = stage.flip ? volume - 1 - tap : tap;
        if (stage.weights && (*stage.weights)[static_cast<size_t>(w_tap)] == 0) continue;
        source.from[0] = at[0];
        source.from[1] = first_channel;
        const size_t x_first = x.view.offset(source.from);
        for (int64_t c = 0; c < group_in; c++) {
            const double w = stage.weights ? static_cast<float>((*stage.weights)[static_cast<size_t>(w_tap)])
                                           : weights[static_cast<size_t>((w_first + c * w_step) * volume + w_tap)];
            if (source.kind == TapSource::Kind::constant) {
                sum.include(w, static_cast<float>(stage.pad_value), 0);
            } else {
                const size_t from = x_first + static_cast<size_t>(c * x.view.stride[1]);
                sum.include(w, x.values[from], x.errors[from]);
            }
        }
    }
    return sum;
}

// Views C channels as (groups, C / groups), transposes, flattens.
BoundedNumber shuffle(const Stage &stage, const StageInput &x, Index at) {
    at[1] = at[1] % stage.groups * (stage.in_channels / stage.groups) + at[1] / stage.groups;
    const size_t from = x.view.offset(at);
    return {x.values[from], std::abs(x.values[from]), x.errors[from], 0};
}

// What the epilogues of one stage read.
struct Operands {
    ReferenceTensor bias, scale;
    std::vector<TensorView> views;  // of the layer's inputs
    const std::vector<ReferenceTensor> *inputs = nullptr;

    double input(int operand, const Index &at) const {
        const auto i = static_cast<size_t>(operand);
        return (*inputs)[i][views[i].offset(at)];
    }
};

void apply_epilogue(const Epilogue &epilogue, const Operands &operands, const Index &at, BoundedNumber &number) {
    switch (epilogue.kind) {
        case EpilogueKind::bias:
            return number.add(operands.bias[static_cast<size_t>(at[1])]);
        case EpilogueKind::scale:
            return number.multiply(operands.scale[static_cast<size_t>(at[1])]);
        case EpilogueKind::add:
            return number.add(operands.input(epilogue.operand, at));
        case EpilogueKind::mul:
            return number.multiply(operands.input(epilogue.operand, at));
        default:
            return activate(epilogue, number);
    }
}

// Every element is computed on its own, so that how they are shared out between CPUs changes no bit.
void share_out(size_t elements, int64_t products_of_one, const std::function<void(size_t, size_t)> &compute) {
    constexpr double worth_a_thread = 1e6;  // multiply-adds: some milliseconds
    const double products = static_cast<double>(elements) * static_cast<double>(products_of_one);
    const double cpus = std::max(1U, std::thread::hardware_concurrency());
    const auto threads = static_cast<size_t>(std::clamp(products / worth_a_thread, 1.0, cpus));
    std::vector<std::future<void>> others;
    for (size_t i = 1; i < threads; i++) {
        others.push_back(std::async(std::launch::async, compute, elements * i / threads, elements * (i + 1) / threads));
    }
    compute(0, elements / threads);
    for (std::future<void> &other : others) other.get();
}

StageInput run_stage(const Stage &stage, const StageInput &x, const ReferenceTensor &weights, const Operands &operands,
                     const std::vector<int64_t> &elements) {
    const size_t count = elements.empty() ? static_cast<size_t>(*stage.output.elements()) : elements.size();
    StageInput y{TensorView(stage.output), ReferenceTensor(count), ReferenceTensor(count)};
    const auto compute = [&](size_t first, size_t last) {
        for (size_t i = first; i < last; i++) {
            const Index at = y.view.index(elements.empty() ? i : static_cast<size_t>(elements[i]));
            BoundedNumber number =
                stage.kind == StageKind::shuffle ? shuffle(stage, x, at) : convolve(stage, weights, x, at);
            for (const Epilogue &epilogue : stage.epilogues) apply_epilogue(epilogue, operands, at, number);
            y.values[i] = number.value;
            y.errors[i] = number.error();
        }
    };
    share_out(count, stage.kernel_volume() * stage.in_channels / stage.groups, compute);
    return y;
}

}  // namespace

Result<ReferenceResult> run_reference(const Layer &layer, const std::vector<ReferenceTensor> &inputs,
                                      const std::vector<ReferenceTensor> &parameters,
                                      const std::vector<int64_t> &elements) try {
    if (const Status sizes = check_sizes(layer, inputs, parameters); !sizes) return sizes.error();
    const int last = static_cast<int>(layer.stages.size()) - 1;
    const std::vector<Parameter> wanted = layer.parameters();
    Operands operands;
    operands.inputs = &inputs;
    for (const NamedTensor &input : layer.inputs) operands.views.emplace_back(input.type);
    StageInput x{operands.views[0], inputs[0], ReferenceTensor(inputs[0].size())};
    size_t parameter = 0;
    for (int i = 0; i <= last; i++) {
        ReferenceTensor weights;
        for (; parameter < wanted.size() && wanted[parameter].stage == i; parameter++) {
            const Parameter::Role role = wanted[parameter].role;
            (role == Parameter::Role::weight ? weights
             : role == Parameter::Role::bias ? operands.bias
                                             : operands.scale) = parameters[parameter];
        }
        x = run_stage(layer.stages[static_cast<size_t>(i)], x, weights, operands,
                      i == last ? elements : std::vector<int64_t>());
    }
    return ReferenceResult{std::move(x.values), std::move(x.errors), elements};
} catch (const std::exception &exception) {  // std::bad_alloc, std::length_error
    return Error{Failure::environment,
                 fmt::format("the reference needs more memory than there is ({})", exception.what())};
}

}  // namespace convc
