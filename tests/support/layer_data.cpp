#include "tests/support/layer_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/random.h"

namespace convc::test {
namespace {

constexpr double exact_limit = 1 << 24;  // f32 holds every integer up to here

template <class Draw>
LayerData draw_all(const Layer &layer, uint64_t seed, Draw draw) {
    Random random(seed);
    const auto fill = [&](int64_t elements) {
        Tensor tensor(static_cast<size_t>(elements));
        for (float &value : tensor) value = draw(random);
        return tensor;
    };
    LayerData data;
    for (const NamedTensor &input : layer.inputs) data.inputs.push_back(fill(input.type.elements().value_or(0)));
    for (const Parameter &parameter : layer.parameters()) data.parameters.push_back(fill(parameter.elements()));
    return data;
}

double largest_tap(const Stage &stage, double limit) {
    if (!stage.weights) return limit;
    double largest = 0;
    for (double weight : *stage.weights) largest = std::max(largest, std::abs(weight));
    return largest;
}

int64_t terms_of(const Stage &stage) {
    return stage.in_channels / stage.groups * stage.kernel_volume();
}

// The largest number that the stage can produce on the way from inputs up to `input` and parameters up to `limit`.
double largest_number(const Stage &stage, double input, double limit) {
    const double terms = static_cast<double>(terms_of(stage));
    double largest = std::max(input, std::abs(stage.pad_value));
    if (stage.kind != StageKind::shuffle) largest *= terms * largest_tap(stage, limit);
    for (const Epilogue &epilogue : stage.epilogues) {
        switch (epilogue.kind) {
            case EpilogueKind::bias:
            case EpilogueKind::add:
                largest += limit;
                break;
            case EpilogueKind::scale:
            case EpilogueKind::mul:
                largest *= limit;
                break;
            case EpilogueKind::leaky_relu:
                largest *= std::max(1.0, std::abs(epilogue.low));
                break;
            case EpilogueKind::clip:
                largest = std::max({largest, std::abs(epilogue.low), std::abs(epilogue.high)});
                break;
            default:
                break;
        }
    }
    return largest;
}

bool is_integer(double value) {
    return value == std::floor(value);
}

bool keeps_integers(const Epilogue &epilogue) {
    switch (epilogue.kind) {
        case EpilogueKind::bias:
        case EpilogueKind::relu:
        case EpilogueKind::relu6:
        case EpilogueKind::scale:
        case EpilogueKind::add:
        case EpilogueKind::mul:
            return true;
        case EpilogueKind::clip:
            return is_integer(epilogue.low) && is_integer(epilogue.high);
        case EpilogueKind::leaky_relu:
            return is_integer(epilogue.low);
        default:
            return false;
    }
}

}  // namespace

LayerData integer_data(const Layer &layer, uint64_t seed, int limit) {
    return draw_all(layer, seed, [&](Random &random) { return static_cast<float>(random.between(-limit, limit)); });
}

std::optional<LayerData> exact_data(const Layer &layer, uint64_t seed) {
    for (int limit = 8; limit >= 1; limit--) {
        double largest = limit;
        for (const Stage &stage : layer.stages) largest = largest_number(stage, largest, limit);
        if (largest <= exact_limit) return integer_data(layer, seed, limit);
    }
    return std::nullopt;
}

LayerData uniform_data(const Layer &layer, uint64_t seed) {
    return draw_all(layer, seed, [](Random &random) { return random.unit(); });
}

bool keeps_integers(const Layer &layer) {
    for (const Stage &stage : layer.stages) {
        for (const Epilogue &epilogue : stage.epilogues) {
            if (!keeps_integers(epilogue)) return false;
        }
        if (stage.weights && !std::all_of(stage.weights->begin(), stage.weights->end(), is_integer)) return false;
        if (!is_integer(stage.pad_value)) return false;
    }
    return true;
}

std::vector<ReferenceTensor> widen(const std::vector<Tensor> &tensors) {
    std::vector<ReferenceTensor> wide;
    wide.reserve(tensors.size());
    for (const Tensor &tensor : tensors) wide.emplace_back(tensor.begin(), tensor.end());
    return wide;
}

ReferenceResult reference_of(const Layer &layer, const LayerData &data) {
    Result<ReferenceResult> result = run_reference(layer, widen(data.inputs), widen(data.parameters));
    if (result) return std::move(*result);
    ADD_FAILURE() << layer.canonical_line() << ": " << result.error().message;
    return {};
}

}  // namespace convc::test
