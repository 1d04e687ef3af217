#include "compiler/reference/error_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace convc {
namespace {

constexpr double unit_roundoff = 0x1p-24;
constexpr double least_normal = std::numeric_limits<float>::min();
constexpr double least_subnormal = std::numeric_limits<float>::denorm_min();
constexpr double largest = std::numeric_limits<float>::max();

double gamma(int64_t roundings) {
    const double ku = static_cast<double>(roundings) * unit_roundoff;
    return ku < 1 ? ku / (1 - ku) : std::numeric_limits<double>::infinity();
}

double ulp(double value) {
    return std::max(std::exp2(std::floor(std::log2(value)) - 23), least_subnormal);
}

}  // namespace

void BoundedNumber::add(double term) {
    value += term;
    magnitude += std::abs(term);
    roundings++;
}

void BoundedNumber::multiply(double factor) {
    value *= factor;
    magnitude *= std::abs(factor);
    carried *= std::abs(factor);
    roundings++;
}

void BoundedNumber::apply(double result, double lipschitz, double ulps) {
    double error_after = lipschitz * error();
    if (ulps > 0) error_after += ulps * ulp(std::abs(result) + error_after) + least_normal;
    *this = {result, std::abs(result), error_after, 0};
}

double BoundedNumber::error() const {
    if (!std::isfinite(value)) return 0;
    if (!(magnitude + carried <= largest)) return std::numeric_limits<double>::infinity();
    // A product below the least normal number is off by up to half the least subnormal one, whatever its size.
    const double underflow = static_cast<double>(roundings) * least_subnormal;
    return gamma(roundings) * (magnitude + carried) + carried + underflow;
}

}  // namespace convc
