// Constant kernels (weights=): how many of their taps count, and whether a column times a row computes the same.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "convc/layer.h"

namespace convc {

int64_t nonzero_taps(const std::vector<double> &taps);

// kernel[i][j] = column[i] * row[j], along height and width.
struct SeparableKernel {
    std::vector<double> column, row;
};

// Of a stage with constant weights of height and width beyond 1 and no depth. By default only where the product is the
// kernel exactly and both factors are f32 numbers: a product of integers then stays one of integers, and integer data
// come out exact. precision=fast allows 1e-6 of the largest tap; precision=strict rewrites nothing.
//
// A matrix of integers has rank 1 where every row is a multiple of the primitive vector along one of them (its entries'
// greatest common divisor taken out), and by Gauss's lemma the multiples are integers. Binary fractions are integers
// times a power of two, which goes to the row.
std::optional<SeparableKernel> separable_kernel(const Stage &stage);

}  // namespace convc
