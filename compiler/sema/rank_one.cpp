#include "compiler/sema/rank_one.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace convc::sema {
namespace {

using Vector = std::vector<double>;

struct Matrix {
    Vector values;  // row-major
    size_t rows;
    size_t columns;

    double at(size_t row, size_t column) const { return values[row * columns + column]; }
};

struct Factors {
    Vector column;
    Vector row;
};

// Rotates columns p and q of a matrix held column by column until they are orthogonal; false when they were already.
bool rotate(Vector &columns, size_t length, size_t p, size_t q) {
    double pp = 0;
    double qq = 0;
    double pq = 0;
    for (size_t i = 0; i < length; i++) {
        const double a = columns[p * length + i];
        const double b = columns[q * length + i];
        pp += a * a;
        qq += b * b;
        pq += a * b;
    }
    if (std::abs(pq) <= 1e-15 * std::sqrt(pp * qq)) return false;
    const double zeta = (qq - pp) / (2 * pq);
    const double tangent = std::copysign(1.0, zeta) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
    const double cosine = 1 / std::sqrt(1 + tangent * tangent);
    const double sine = cosine * tangent;
    for (size_t i = 0; i < length; i++) {
        const double a = columns[p * length + i];
        const double b = columns[q * length + i];
        columns[p * length + i] = cosine * a - sine * b;
        columns[q * length + i] = sine * a + cosine * b;
    }
    return true;
}

// The entry of largest magnitude.
size_t pivot_of(const Vector &values) {
    const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
    return static_cast<size_t>(std::max_element(values.begin(), values.end(), smaller) - values.begin());
}

// The cross through the largest entry: exact for rank 1, and near enough otherwise to tell when it is not worth an SVD.
Factors cross(const Matrix &matrix) {
    const size_t pivot = pivot_of(matrix.values);
    const size_t row = pivot / matrix.columns;
    const size_t column = pivot % matrix.columns;
    Factors factors;
    for (size_t i = 0; i < matrix.rows; i++) factors.column.push_back(matrix.at(i, column) / matrix.values[pivot]);
    for (size_t j = 0; j < matrix.columns; j++) factors.row.push_back(matrix.at(row, j));
    return factors;
}

double relative_residual(const Matrix &matrix, const Factors &factors) {
    double residual = 0;
    double whole = 0;
    for (size_t i = 0; i < matrix.rows; i++) {
        for (size_t j = 0; j < matrix.columns; j++) {
            residual = std::max(residual, std::abs(matrix.at(i, j) - factors.column[i] * factors.row[j]));
            whole = std::max(whole, std::abs(matrix.at(i, j)));
        }
    }
    return residual / whole;
}

// The smallest number up to 4096 whose products with all entries are integers, 0 when there is none.
int64_t common_denominator(const Vector &values) {
    for (int64_t denominator = 1; denominator <= 4096; denominator++) {
        const bool whole = std::all_of(values.begin(), values.end(), [&](double value) {
            const double product = value * static_cast<double>(denominator);
            return std::abs(product) < 1e9 && std::abs(product - std::round(product)) < 1e-9;
        });
        if (whole) return denominator;
    }
    return 0;
}

// An exact factorisation in integers over a common denominator, shared between both factors when it is a square.
std::optional<Factors> simple_factors(const Matrix &matrix) {
    const int64_t denominator = common_denominator(matrix.values);
    if (denominator == 0) return std::nullopt;
    const auto scaled = [&](size_t row, size_t column) {
        return std::llround(matrix.at(row, column) * static_cast<double>(denominator));
    };
    const size_t pivot = pivot_of(matrix.values);
    const size_t pivot_column = pivot % matrix.columns;
    size_t row = 0;
    while (scaled(row, pivot_column) == 0) row++;
    int64_t divisor = 0;
    for (size_t j = 0; j < matrix.columns; j++) divisor = std::gcd(divisor, scaled(row, j));
    const int64_t pivot_value = scaled(row, pivot_column) / divisor;
    const auto root = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(denominator))));
    const bool square = root * root == denominator;
    const auto column_scale = static_cast<double>(square ? root : 1);
    const auto row_scale = static_cast<double>(square ? root : denominator);
    Factors factors;
    for (size_t i = 0; i < matrix.rows; i++) {
        if (scaled(i, pivot_column) % pivot_value != 0) return std::nullopt;
        const int64_t quotient = scaled(i, pivot_column) / pivot_value;
        factors.column.push_back(static_cast<double>(quotient) / column_scale);
    }
    for (size_t j = 0; j < matrix.columns; j++) {
        const int64_t quotient = scaled(row, j) / divisor;
        factors.row.push_back(static_cast<double>(quotient) / row_scale);
    }
    if (relative_residual(matrix, factors) > 1e-9) return std::nullopt;
    return factors;
}

std::optional<Factors> factors_of(const Matrix &matrix) {
    Factors rough = cross(matrix);
    if (relative_residual(matrix, rough) > 1e-3) return std::nullopt;
    const Vector singular = singular_values(matrix.values, matrix.rows, matrix.columns);
    if (singular.size() > 1 && singular[1] > rank_one_tolerance * singular[0]) return std::nullopt;
    if (std::optional<Factors> simple = simple_factors(matrix)) return simple;
    return rough;
}

}  // namespace

Vector singular_values(Vector matrix, size_t rows, size_t columns) {
    // Held column by column, the fewer of the two being the columns.
    Vector held(matrix.size());
    const bool transpose = columns > rows;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) held[transpose ? i * columns + j : j * rows + i] = matrix[i * columns + j];
    }
    const size_t count = std::min(rows, columns);
    const size_t length = std::max(rows, columns);
    bool turned = true;
    for (int sweep = 0; turned && sweep < 60; sweep++) {
        turned = false;
        for (size_t p = 0; p + 1 < count; p++) {
            for (size_t q = p + 1; q < count; q++) turned = rotate(held, length, p, q) || turned;
        }
    }
    Vector values(count);
    for (size_t p = 0; p < count; p++) {
        double sum = 0;
        for (size_t i = 0; i < length; i++) sum += held[p * length + i] * held[p * length + i];
        values[p] = std::sqrt(sum);
    }
    std::sort(values.begin(), values.end(), std::greater<>());
    return values;
}

std::optional<std::vector<Vector>> rank_one_factors(const Vector &kernel, const std::vector<int64_t> &shape) {
    if (kernel.empty() || kernel[pivot_of(kernel)] == 0) return std::nullopt;
    std::vector<Vector> factors;
    Vector rest = kernel;
    for (size_t axis = 0; axis + 1 < shape.size(); axis++) {
        const auto rows = static_cast<size_t>(shape[axis]);
        const std::optional<Factors> found = factors_of({rest, rows, rest.size() / rows});
        if (!found) return std::nullopt;
        factors.push_back(found->column);
        rest = found->row;
    }
    factors.push_back(std::move(rest));
    return factors;
}

}  // namespace convc::sema
