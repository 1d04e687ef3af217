#include "schedules/epilogue.h"

namespace convc {
namespace {

using Halide::Expr;

Expr less(const Expr &a, const Expr &b) {
    return Halide::strict_float(a < b);
}

// max(value, low) and min(value, high), in which a NaN value stays NaN.
Expr at_least(const Expr &value, float low) {
    return Halide::select(less(value, low), low, value);
}
Expr at_most(const Expr &value, float high) {
    return Halide::select(less(high, value), high, value);
}
Expr clamped(const Expr &value, float low, float high) {
    return at_most(at_least(value, low), high);
}

Expr sigmoid(const Expr &value) {
    return 1.0f / (1.0f + Halide::exp(-value));
}

// Cephes' tanhf: a polynomial near 0, where 1 - 2 / (e^2x + 1) would cancel.
Expr tangent_hyperbolic(const Expr &value) {
    const Expr z = value * value;
    const Expr polynomial =
        ((((-5.70498872745e-3f * z + 2.06390887954e-2f) * z - 5.37397155531e-2f) * z + 1.33314422036e-1f) * z -
         3.33332819422e-1f) *
            z * value +
        value;
    const Expr magnitude = Halide::abs(value);
    const Expr far = 1.0f - 2.0f / (Halide::exp(2.0f * Halide::min(magnitude, 20.0f)) + 1.0f);
    return Halide::select(less(magnitude, 0.625f), polynomial, Halide::select(less(value, 0.0f), -far, far));
}

Expr gelu(const Expr &value) {
    return 0.5f * value * (1.0f + Halide::erf(value * 0.70710678118654752440f));
}

Expr hardsigmoid(const Expr &value) {
    return clamped(value + 3.0f, 0.0f, 6.0f) / 6.0f;
}

Expr apply(const Epilogue &epilogue, const Expr &value, const EpilogueOperands &operands) {
    const auto low = static_cast<float>(epilogue.low);
    const auto high = static_cast<float>(epilogue.high);
    switch (epilogue.kind) {
        case EpilogueKind::bias:
            return value + operands.bias();
        case EpilogueKind::scale:
            return value * operands.scale();
        case EpilogueKind::add:
            return value + operands.tensor(epilogue.operand);
        case EpilogueKind::mul:
            return value * operands.tensor(epilogue.operand);
        case EpilogueKind::relu:
            return at_least(value, 0.0f);
        case EpilogueKind::relu6:
            return clamped(value, 0.0f, 6.0f);
        case EpilogueKind::clip:
            return clamped(value, low, high);
        case EpilogueKind::leaky_relu:
            return Halide::select(less(value, 0.0f), value * low, value);
        case EpilogueKind::sigmoid:
            return sigmoid(value);
        case EpilogueKind::tanh:
            return tangent_hyperbolic(value);
        case EpilogueKind::silu:
            return value * sigmoid(value);
        case EpilogueKind::gelu:
            return gelu(value);
        case EpilogueKind::hardswish:
            return value * hardsigmoid(value);
        case EpilogueKind::hardsigmoid:
            return hardsigmoid(value);
    }
    return value;
}

}  // namespace

Halide::Expr apply_epilogues(const Stage &stage, Halide::Expr value, const EpilogueOperands &operands) {
    for (const Epilogue &epilogue : stage.epilogues) value = apply(epilogue, value, operands);
    return value;
}

}  // namespace convc
