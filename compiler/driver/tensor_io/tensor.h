// A tensor in a file: a shape and its numbers as f32, in row-major order whatever order the file has them in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace convc {

struct Tensor {
    std::vector<int64_t> shape;
    std::vector<float> values;
};

// [1, 56, 56, 64]
std::string print_shape(std::span<const int64_t> shape);

// nullopt: a negative extent, or more than 2^63 - 1 elements.
std::optional<int64_t> element_count(std::span<const int64_t> shape);

}  // namespace convc
