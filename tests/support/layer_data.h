// Seeded numbers for a layer's inputs and parameters, and the reference's answer to them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/reference/reference.h"
#include "convc/layer.h"

namespace convc::test {

using Tensor = std::vector<float>;

// In the order of layer.inputs and layer.parameters().
struct LayerData {
    std::vector<Tensor> inputs;
    std::vector<Tensor> parameters;
};

// Integers from -limit to limit.
LayerData integer_data(const Layer &layer, uint64_t seed, int limit);

// Integers so small that every product and partial sum of the layer is exact in f32, as long as its epilogues and
// constant weights are exact on integers; the widest range for which that holds. nullopt where not even -1, 0, 1 are.
std::optional<LayerData> exact_data(const Layer &layer, uint64_t seed);

// Uniform in [-1, 1).
LayerData uniform_data(const Layer &layer, uint64_t seed);

// Whether the epilogues keep integers integers: all but leaky_relu, the smooth ones and those that divide by six.
bool keeps_integers(const Layer &layer);

std::vector<ReferenceTensor> widen(const std::vector<Tensor> &tensors);

// Adds a GoogleTest failure, and returns an empty result, where the reference refuses.
ReferenceResult reference_of(const Layer &layer, const LayerData &data);

}  // namespace convc::test
