// Where a layer's parameters come from: a directory of .npy files, an .npz, a .safetensors; or a seed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "compiler/driver/tensor_io/tensor.h"
#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// One tensor a parameter, in the order of layer.parameters().
using ParameterValues = std::vector<std::vector<float>>;

class WeightSource {
public:
    virtual ~WeightSource() = default;
    virtual bool contains(const std::string &name) const = 0;
    virtual Result<Tensor> read(const std::string &name, int64_t most_elements) const = 0;

    // By what is at `path`: a directory, or a file's first bytes.
    static Result<std::unique_ptr<WeightSource>> open(const std::filesystem::path &path);
};

// Parameter 0.weight of layer `body[64, 1]` is looked for as `body[64, 1].0.weight`, as `body_64_1.0.weight` and, where
// `plain_names`, as `0.weight`: with several layers at once that would give all of them the same weights.
Result<ParameterValues> read_parameters(const Layer &layer, const WeightSource &source, bool plain_names);

// Uniform, scaled by the fan-in so that values neither explode nor vanish along a chain. The same numbers for the same
// seed and shapes on every machine.
ParameterValues random_parameters(const Layer &layer, uint64_t seed);

// Uniform in [-1, 1).
std::vector<float> random_values(int64_t count, uint64_t seed, uint64_t stream);

}  // namespace convc
