#include "compiler/reference/activation.h"

#include <algorithm>
#include <cmath>

namespace convc {
namespace {

constexpr double transcendental_ulps = 4;

// Keeps NaN, as PyTorch's clamp does; std::clamp leaves it undefined.
double clamp(double v, double low, double high) {
    return v < low ? low : v > high ? high : v;
}

// erfc, because 1 + erf loses every digit of a far negative v.
double gelu(double v) {
    return 0.5 * v * std::erfc(-v * std::sqrt(0.5));
}

}  // namespace

// The Lipschitz constants of silu, gelu and hardswish are the largest values of their derivatives, rounded up.
void activate(const Epilogue &epilogue, BoundedNumber &number) {
    const double v = number.value;
    const double low = static_cast<float>(epilogue.low);
    const double high = static_cast<float>(epilogue.high);
    switch (epilogue.kind) {
        case EpilogueKind::relu:
            return number.apply(v < 0 ? 0 : v, 1);
        case EpilogueKind::relu6:
            return number.apply(clamp(v, 0, 6), 1);
        case EpilogueKind::clip:
            return number.apply(clamp(v, low, high), 1);
        case EpilogueKind::leaky_relu:
            return number.apply(v > 0 ? v : v * low, std::max(1.0, std::abs(low)), 1);
        case EpilogueKind::sigmoid:
            return number.apply(1 / (1 + std::exp(-v)), 0.25, transcendental_ulps);
        case EpilogueKind::tanh:
            return number.apply(std::tanh(v), 1, transcendental_ulps);
        case EpilogueKind::silu:
            return number.apply(v / (1 + std::exp(-v)), 1.1, transcendental_ulps);
        case EpilogueKind::gelu:
            return number.apply(gelu(v), 1.13, transcendental_ulps);
        case EpilogueKind::hardswish:
            return number.apply(v * clamp(v + 3, 0, 6) / 6, 1.5, 4);
        case EpilogueKind::hardsigmoid:
            return number.apply(clamp(v + 3, 0, 6) / 6, 1 / 6.0, 4);
        case EpilogueKind::bias:
        case EpilogueKind::scale:
        case EpilogueKind::add:
        case EpilogueKind::mul:
            return;
    }
}

}  // namespace convc
