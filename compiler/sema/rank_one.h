// Whether a constant kernel is an outer product of one vector an axis, and which.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace convc::sema {

// A kernel counts as rank 1 where every further singular value is at most this, relative to the first.
inline constexpr double rank_one_tolerance = 1e-6;

// One factor an axis, their outer product being the kernel; nothing when its rank is higher, or it is 0. Simple numbers
// where there are any: Sobel's kernel gives [1, 2, 1] and [-1, 0, 1].
std::optional<std::vector<std::vector<double>>> rank_one_factors(const std::vector<double> &kernel,
                                                                 const std::vector<int64_t> &shape);

// Row-major; the singular values in descending order, by one-sided Jacobi rotations.
std::vector<double> singular_values(std::vector<double> matrix, size_t rows, size_t columns);

}  // namespace convc::sema
