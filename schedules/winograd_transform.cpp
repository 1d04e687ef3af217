#include "schedules/winograd_transform.h"

#include <cmath>

namespace convc {
namespace {

using Halide::Expr;
using Polynomial = std::vector<double>;  // coefficient of x^i at i

// times (x - root)
Polynomial times_root(const Polynomial &p, double root) {
    Polynomial product(p.size() + 1);
    for (size_t i = 0; i < p.size(); i++) {
        product[i + 1] += p[i];
        product[i] -= root * p[i];
    }
    return product;
}

// times (x^2 - a^2)
Polynomial times_pair(const Polynomial &p, double a) {
    Polynomial product(p.size() + 2);
    for (size_t i = 0; i < p.size(); i++) {
        product[i + 2] += p[i];
        product[i] -= a * a * p[i];
    }
    return product;
}

double value_at(const Polynomial &p, double x) {
    double value = 0;
    for (size_t i = p.size(); i-- > 0;) value = value * x + p[i];
    return value;
}

// The product of (x^2 - b^2) over all pairs but one (-1: over all).
Polynomial pairs_without(const std::vector<double> &pairs, int left_out) {
    Polynomial product{1};
    for (size_t i = 0; i < pairs.size(); i++) {
        if (static_cast<int>(i) != left_out) product = times_pair(product, pairs[i]);
    }
    return product;
}

// sum of factors[i] * values[i], without what is multiplied by 0 or by 1. Rounded factors near 0 are 0: sqrt(2)^2 - 2.
Expr combination(const std::vector<double> &factors, const std::vector<Expr> &values) {
    constexpr double nothing = 1e-12;
    Expr sum;
    for (size_t i = 0; i < factors.size(); i++) {
        const double factor = factors[i];
        if (std::abs(factor) < nothing) continue;
        const bool plain = std::abs(std::abs(factor) - 1) < nothing;
        const Expr term = plain ? values[i] : values[i] * static_cast<float>(std::abs(factor));
        if (!sum.defined()) {
            sum = factor < 0 ? -term : term;
        } else {
            sum = factor < 0 ? sum - term : sum + term;
        }
    }
    return sum.defined() ? sum : Expr(0.0f);
}

int terms(const std::vector<double> &factors) {
    int count = 0;
    for (const double factor : factors) count += std::abs(factor) > 1e-12;
    return count;
}

}  // namespace

bool WinogradTransform::exists(int64_t outputs, int64_t taps) {
    const int64_t points = outputs + taps - 1;
    if (outputs == 1 && taps == 1) return true;
    return outputs >= 2 && taps >= 2 && (points == 4 || points == 6 || points == 8);
}

WinogradTransform::WinogradTransform(int64_t outputs, int64_t taps)
    : outputs_(static_cast<int>(outputs)), taps_(static_cast<int>(taps)), points_(outputs_ + taps_ - 1) {
    // Measured over many shapes (tests/schedules/winograd_transform_test.cpp): of the sets tried, those with the least
    // error.
    if (points_ == 4) pairs_ = {1};
    if (points_ == 6) pairs_ = {std::sqrt(2.0), std::sqrt(0.5)};
    if (points_ == 8) pairs_ = {1, 2, 0.5};
}

std::vector<Expr> WinogradTransform::of_inputs(const std::vector<Expr> &inputs) const {
    if (points_ == 1) return inputs;
    std::vector<Expr> result;
    const Polynomial all = pairs_without(pairs_, -1);
    result.push_back(combination(all, inputs));
    for (size_t i = 0; i < pairs_.size(); i++) {
        // The product over the other points is others * (x -+ a), and others = x * (an even polynomial).
        const Polynomial others = times_root(pairs_without(pairs_, static_cast<int>(i)), 0);
        const Expr even = combination(times_root(others, 0), inputs);
        const Expr odd = combination(others, inputs) * static_cast<float>(pairs_[i]);
        result.push_back(even + odd);
        result.push_back(even - odd);
    }
    result.push_back(combination(times_root(all, 0), inputs));
    return result;
}

std::vector<Expr> WinogradTransform::of_products(const std::vector<Expr> &products) const {
    if (points_ == 1) return products;
    std::vector<Expr> sums, differences;
    for (size_t i = 0; i < pairs_.size(); i++) {
        sums.push_back(products[1 + 2 * i] + products[2 + 2 * i]);
        differences.push_back(products[1 + 2 * i] - products[2 + 2 * i]);
    }
    std::vector<Expr> result;
    for (int power = 0; power < outputs_; power++) {
        std::vector<double> factors;
        factors.reserve(pairs_.size());
        for (const double a : pairs_) factors.push_back(std::pow(a, power));
        Expr value = combination(factors, power % 2 == 0 ? sums : differences);
        if (power == 0) value = products[0] + value;
        if (power == outputs_ - 1) value = value + products[static_cast<size_t>(points_) - 1];
        result.push_back(value);
    }
    return result;
}

std::vector<std::vector<double>> WinogradTransform::filter_matrix() const {
    if (points_ == 1) return {{1}};
    const auto powers = [&](double point, double divisor) {
        std::vector<double> row;
        row.reserve(static_cast<size_t>(taps_));
        for (int i = 0; i < taps_; i++) row.push_back(std::pow(point, i) / divisor);
        return row;
    };
    const Polynomial all = pairs_without(pairs_, -1);
    std::vector<std::vector<double>> matrix{powers(0, value_at(all, 0))};
    for (size_t i = 0; i < pairs_.size(); i++) {
        const Polynomial others = times_root(pairs_without(pairs_, static_cast<int>(i)), 0);
        for (const double point : {pairs_[i], -pairs_[i]}) {
            matrix.push_back(powers(point, value_at(times_root(others, -point), point)));
        }
    }
    std::vector<double> last(static_cast<size_t>(taps_));
    last.back() = 1;
    matrix.push_back(last);
    return matrix;
}

int WinogradTransform::input_operations() const {
    if (points_ == 1) return 0;
    const Polynomial all = pairs_without(pairs_, -1);
    int count = 2 * (terms(all) - 1);
    for (size_t i = 0; i < pairs_.size(); i++) {
        count += 2 * (terms(pairs_without(pairs_, static_cast<int>(i))) - 1) + 2;
    }
    return count;
}

int WinogradTransform::output_operations() const {
    if (points_ == 1) return 0;
    const int pairs = static_cast<int>(pairs_.size());
    return 2 * pairs + outputs_ * (pairs - 1) + 2;
}

}  // namespace convc
