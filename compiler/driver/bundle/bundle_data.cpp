#include "compiler/driver/bundle/bundle_data.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "compiler/driver/kernel_call.h"
#include "compiler/driver/layer_run.h"
#include "compiler/reference/compare.h"
#include "compiler/reference/reference.h"

namespace convc {
namespace {

constexpr int64_t most_samples = 2048;  // of an output; a smaller one is taken whole

// What keeps sums of products at the size of one input, as a power of 2.
float weight_scale(const Parameter &parameter) {
    const int64_t filters = std::max<int64_t>(parameter.shape[0], 1);
    const double products = std::max(static_cast<double>(parameter.elements()) / static_cast<double>(filters), 1.0);
    return static_cast<float>(std::exp2(std::round(std::log2(std::sqrt(3 / products)))));
}

bundle_tensor tensor_of(const Parameter &parameter) {
    switch (parameter.role) {
        case Parameter::Role::weight:
            return {parameter.elements(), weight_scale(parameter), 0};
        case Parameter::Role::bias:
            return {parameter.elements(), 0.5F, 0};
        case Parameter::Role::scale:
            return {parameter.elements(), 0.5F, 1};
    }
    return {};
}

void fill(LayerData &data, const std::vector<bundle_tensor> &tensors, bool integers) {
    for (size_t i = 0; i < tensors.size(); i++) {
        const bool is_input = i < data.inputs.size();
        std::vector<float> &values = is_input ? data.inputs[i] : data.parameters[i - data.inputs.size()];
        bundle_fill(&tensors[i], i, integers, values.data());
    }
}

// Without those that any number would satisfy.
std::vector<bundle_sample> samples_of(const ReferenceResult &expected, const std::vector<double> &as_written,
                                      const std::vector<double> &transformed) {
    std::vector<bundle_sample> samples;
    std::mt19937_64 random(1);
    const auto elements = static_cast<int64_t>(expected.output.size());
    const int64_t count = std::min(elements, most_samples);
    for (int64_t i = 0; i < count; i++) {
        const int64_t begin = i * elements / count, end = (i + 1) * elements / count;
        const int64_t element = begin + static_cast<int64_t>(random() % static_cast<uint64_t>(end - begin));
        const auto at = static_cast<size_t>(element);
        if (!std::isfinite(expected.output[at]) || std::isinf(as_written[at])) continue;
        samples.push_back({element, expected.output[at], {as_written[at], transformed[at]}});
    }
    return samples;
}

double largest(const std::vector<double> &values) {
    return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

BundleSpecimen specimen_of(const Layer &layer, const ReferenceResult &expected, bool integers) {
    BundleSpecimen made;
    made.integers = integers;
    made.exact = integers && exact_on_integers(layer);
    const std::vector<double> as_written =
        allowed_differences(expected, made.exact ? Tolerance::exact : Tolerance::bounded);
    const std::vector<double> transformed = allowed_differences(expected, Tolerance::transformed);
    made.most_allowed = {largest(as_written), largest(transformed)};
    made.samples = samples_of(expected, as_written, transformed);
    if (made.exact) {
        const std::vector<float> output(expected.output.begin(), expected.output.end());
        made.checksum = bundle_checksum(output.data(), static_cast<int64_t>(output.size()));
    }
    return made;
}

}  // namespace

Result<BundleData> make_bundle_data(const Layer &layer) {
    Result<LayerData> data = make_data(layer, {});
    if (!data) return data.error();
    BundleData made;
    made.extents = data->extents;
    for (const std::vector<float> &input : data->inputs) {
        made.tensors.push_back({static_cast<int64_t>(input.size()), 1, 0});
    }
    for (const Parameter &parameter : layer.parameters()) made.tensors.push_back(tensor_of(parameter));
    for (size_t i = 0; i < made.specimens.size(); i++) {
        const bool integers = i == 0;
        fill(*data, made.tensors, integers);
        const Result<ReferenceResult> expected = reference_of(*data);
        if (!expected) return expected.error();
        made.output_elements = static_cast<int64_t>(expected->output.size());
        made.specimens[i] = specimen_of(data->layer, *expected, integers);
    }
    return made;
}

}  // namespace convc
