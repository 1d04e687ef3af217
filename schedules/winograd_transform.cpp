#include "schedules/winograd_transform.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

// The pairs among so many points. Measured over many shapes (tests/kernels/winograd_test.cpp): of the sets tried, those
// with the least error. The last were found by minimizing the error of long sums, among those whose products an f32
// holds exactly: sqrt(sum over points of (A G B)^2), with the norms of the rows of G and B.
std::vector<double> pairs_of(int64_t points) {
    if (points <= 1) return {};
    if (points <= 4) return {1};
    if (points <= 6) return {std::sqrt(2.0), std::sqrt(0.5)};
    if (points <= 8) return {1, 2, 0.5};
    return {0.25, 2.125, 0.6875, 1.125};
}

// 1, point, point^2, ... by divisor
std::vector<double> powers(double point, int64_t count, double divisor) {
    std::vector<double> row;
    row.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; i++) row.push_back(std::pow(point, i) / divisor);
    return row;
}

// The terms that two rows have in common, or those in which they differ in sign.
std::vector<double> terms_in_common(const std::vector<double> &row, const std::vector<double> &other, bool same_sign) {
    std::vector<double> terms(row.size());
    for (size_t i = 0; i < row.size(); i++) {
        if (same_sign == (row[i] * other[i] > 0)) terms[i] = row[i];
    }
    return terms;
}

}  // namespace

bool WinogradTransform::exists(int64_t outputs, int64_t taps) {
    if (outputs == 1 && taps == 1) return true;
    // 9 points round little enough for many taps only. In long sums: 2.6 times as much as a sequential sum in F(3, 7),
    // 3.3 times in F(6, 4).
    return outputs >= 2 && taps >= 2 && outputs + taps - 1 <= (taps >= 7 ? 9 : 8);
}

WinogradTransform::WinogradTransform(int64_t outputs, int64_t taps) : pairs_(pairs_of(outputs + taps - 1)) {
    const int64_t points = outputs + taps - 1;
    has_zero_ = points > 1 && points % 2 == 0;
    const Polynomial all = has_zero_ ? times_root(pairs_without(pairs_, -1), 0) : pairs_without(pairs_, -1);
    const auto add_point = [&](double point, const Polynomial &others) {
        inputs_.push_back(others);
        inputs_.back().resize(static_cast<size_t>(points));
        filter_.push_back(powers(point, taps, value_at(others, point)));
    };
    if (has_zero_) add_point(0, pairs_without(pairs_, -1));
    for (size_t i = 0; i < pairs_.size(); i++) {
        Polynomial others = pairs_without(pairs_, static_cast<int>(i));
        if (has_zero_) others = times_root(others, 0);
        for (const double point : {pairs_[i], -pairs_[i]}) add_point(point, times_root(others, -point));
    }
    inputs_.push_back(all);  // at infinity
    filter_.emplace_back(static_cast<size_t>(taps));
    filter_.back().back() = 1;

    for (int64_t power = 0; power < outputs; power++) {
        std::vector<double> row;
        if (has_zero_) row.push_back(power == 0);
        for (const double a : pairs_) row.insert(row.end(), {std::pow(a, power), std::pow(-a, power)});
        row.push_back(power == outputs - 1);
        outputs_.push_back(row);
    }
}

WinogradTransform WinogradTransform::of_whole_row(int64_t outputs) {
    WinogradTransform transform(outputs, outputs);
    std::swap(transform.inputs_, transform.filter_);
    std::reverse(transform.outputs_.begin(), transform.outputs_.end());
    // The divisors go over to the taps, which are transformed once.
    for (size_t p = 0; p + 1 < transform.filter_.size(); p++) {
        const double divisor = 1 / transform.inputs_[p].front();
        for (double &factor : transform.inputs_[p]) factor *= divisor;
        for (double &factor : transform.filter_[p]) factor /= divisor;
    }
    return transform;
}

std::vector<Expr> WinogradTransform::of_inputs(const std::vector<Expr> &inputs) const {
    std::vector<Expr> result;
    if (has_zero_) result.push_back(combination(inputs_.front(), inputs));
    for (size_t i = 0; i < pairs_.size(); i++) {
        const std::vector<double> &plus = inputs_[first_of_pair(i)], &minus = inputs_[first_of_pair(i) + 1];
        const Expr same = combination(terms_in_common(plus, minus, true), inputs);
        const Expr opposite = combination(terms_in_common(plus, minus, false), inputs);
        result.push_back(same + opposite);
        result.push_back(same - opposite);
    }
    result.push_back(combination(inputs_.back(), inputs));
    return result;
}

std::vector<Expr> WinogradTransform::of_products(const std::vector<Expr> &products) const {
    std::vector<Expr> sums, differences;
    for (size_t i = 0; i < pairs_.size(); i++) {
        sums.push_back(products[first_of_pair(i)] + products[first_of_pair(i) + 1]);
        differences.push_back(products[first_of_pair(i)] - products[first_of_pair(i) + 1]);
    }
    std::vector<Expr> result;
    for (const std::vector<double> &row : outputs_) {
        std::vector<Expr> values;
        std::vector<double> factors;
        if (has_zero_) values.push_back(products.front()), factors.push_back(row.front());
        for (size_t i = 0; i < pairs_.size(); i++) {
            const bool even = row[first_of_pair(i)] == row[first_of_pair(i) + 1];
            values.push_back(even ? sums[i] : differences[i]);
            factors.push_back(row[first_of_pair(i)]);
        }
        values.push_back(products.back()), factors.push_back(row.back());
        result.push_back(combination(factors, values));
    }
    return result;
}

int WinogradTransform::input_operations() const {
    int count = 0;
    if (has_zero_) count += terms(inputs_.front()) - 1;
    for (size_t i = 0; i < pairs_.size(); i++) count += terms(inputs_[first_of_pair(i)]);
    return count + terms(inputs_.back()) - 1;
}

int WinogradTransform::output_operations() const {
    int count = 2 * static_cast<int>(pairs_.size());
    for (const std::vector<double> &row : outputs_) {
        // A pair is one term here, its sum or its difference.
        count += terms(row) - static_cast<int>(pairs_.size()) - 1;
    }
    return points() == 1 ? 0 : count;
}

}  // namespace convc
