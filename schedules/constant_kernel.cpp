// Constant kernels of rank 1.
#include "schedules/constant_kernel.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace convc {
namespace {

struct Matrix {
    int64_t height = 0, width = 0;
    std::vector<double> values;

    double at(int64_t i, int64_t j) const { return values[static_cast<size_t>(i * width + j)]; }
    // The tap of largest magnitude.
    int64_t pivot() const {
        const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
        return std::max_element(values.begin(), values.end(), smaller) - values.begin();
    }
};

// The taps as the kernel has them: f32.
std::optional<Matrix> matrix_of(const Stage &stage) {
    const size_t rank = stage.axes.size();
    if (!stage.weights || rank < 2) return std::nullopt;
    if (rank == 3 && stage.axes[0].kernel > 1) return std::nullopt;
    Matrix matrix{stage.axes[rank - 2].kernel, stage.axes[rank - 1].kernel, {}};
    if (matrix.height < 2 || matrix.width < 2) return std::nullopt;
    for (double tap : *stage.weights) matrix.values.push_back(static_cast<double>(static_cast<float>(tap)));
    if (matrix.at(0, matrix.pivot()) == 0) return std::nullopt;
    return matrix;
}

bool is_f32(double value) {
    return static_cast<double>(static_cast<float>(value)) == value;
}

// The power of two that makes integers below 2^24 of all taps; nullopt where none does.
std::optional<double> integer_scale(const Matrix &matrix) {
    constexpr double most = 1 << 24;
    constexpr int most_bits = 60;
    double scale = 1;
    for (int bits = 0; bits <= most_bits; bits++, scale *= 2) {
        const bool integers = std::all_of(matrix.values.begin(), matrix.values.end(), [&](double tap) {
            return std::trunc(tap * scale) == tap * scale && std::abs(tap * scale) < most;
        });
        if (integers) return scale;
    }
    return std::nullopt;
}

std::optional<SeparableKernel> exact_factors(const Matrix &matrix) {
    const std::optional<double> scale = integer_scale(matrix);
    if (!scale) return std::nullopt;
    const int64_t p = matrix.pivot() / matrix.width, q = matrix.pivot() % matrix.width;
    int64_t divisor = 0;
    for (int64_t j = 0; j < matrix.width; j++) {
        divisor = std::gcd(divisor, static_cast<int64_t>(matrix.at(p, j) * *scale));
    }
    SeparableKernel factors;
    for (int64_t j = 0; j < matrix.width; j++) {
        factors.row.push_back(matrix.at(p, j) / static_cast<double>(divisor));
    }
    for (int64_t i = 0; i < matrix.height; i++) {
        const double multiple = matrix.at(i, q) / factors.row[static_cast<size_t>(q)];
        factors.column.push_back(multiple);
        if (std::trunc(multiple) != multiple || !is_f32(multiple)) return std::nullopt;
        for (int64_t j = 0; j < matrix.width; j++) {
            if (multiple * factors.row[static_cast<size_t>(j)] != matrix.at(i, j)) return std::nullopt;
        }
    }
    return std::all_of(factors.row.begin(), factors.row.end(), is_f32) ? std::optional(factors) : std::nullopt;
}

// The cross through the largest tap.
std::optional<SeparableKernel> close_factors(const Matrix &matrix) {
    constexpr double tolerance = 1e-6;
    const int64_t p = matrix.pivot() / matrix.width, q = matrix.pivot() % matrix.width;
    SeparableKernel factors;
    for (int64_t j = 0; j < matrix.width; j++) factors.row.push_back(matrix.at(p, j));
    for (int64_t i = 0; i < matrix.height; i++) {
        factors.column.push_back(matrix.at(i, q) / matrix.at(p, q));
        for (int64_t j = 0; j < matrix.width; j++) {
            const double off = factors.column.back() * factors.row[static_cast<size_t>(j)] - matrix.at(i, j);
            if (std::abs(off) > tolerance * std::abs(matrix.at(p, q))) return std::nullopt;
            // A tap of 0 contributes nothing, not even NaN: it has to be one of the product too.
            const bool zero = factors.column.back() == 0 || factors.row[static_cast<size_t>(j)] == 0;
            if (zero != (matrix.at(i, j) == 0)) return std::nullopt;
        }
    }
    return factors;
}

}  // namespace

int64_t nonzero_taps(const std::vector<double> &taps) {
    return std::count_if(taps.begin(), taps.end(), [](double tap) { return static_cast<float>(tap) != 0; });
}

std::optional<SeparableKernel> separable_kernel(const Stage &stage) {
    if (stage.precision == Precision::strict) return std::nullopt;
    const std::optional<Matrix> matrix = matrix_of(stage);
    if (!matrix) return std::nullopt;
    std::optional<SeparableKernel> factors = exact_factors(*matrix);
    if (!factors && stage.precision == Precision::fast) factors = close_factors(*matrix);
    return factors;
}

}  // namespace convc
