#include "schedules/epilogue.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace convc {
namespace {

using Halide::Expr;

// ---- What keeps NaN. Halide compiles floats with LLVM's fast-math flags: arithmetic promises that its result is no
// NaN, and a later comparison or selection may believe it. A strict comparison promises nothing, and where one is in a
// module, selections do not either: min and max are one instruction each, which gives its second operand where either
// is NaN. To ask whether a number is NaN, LLVM must not know that it is one, and sees its bits.

constexpr int32_t positive_infinity = 0x7f800000;

Expr bits_of(const Expr &value) {
    return Halide::reinterpret<int32_t>(value);
}

Expr choose(const Expr &condition, const Expr &yes, const Expr &no) {
    return Halide::reinterpret<float>(Halide::select(condition, bits_of(yes), bits_of(no)));
}

// Not Halide::strict_float(), which would make all arithmetic behind `a` and `b` strict too: no fused multiply-adds.
Expr is_less(const Expr &a, const Expr &b) {
    using Halide::Internal::Call;
    return Call::make(Halide::Bool(), Call::strict_lt, {a, b}, Call::PureIntrinsic);
}

// max(value, low), min(value, high), in which a NaN value stays NaN.
Expr at_least(const Expr &value, float low) {
    return Halide::select(is_less(value, low), low, value);
}
Expr at_most(const Expr &value, float high) {
    return Halide::select(is_less(high, value), high, value);
}

Expr relu(const Expr &value) {
    return at_least(value, 0.0f);
}

Expr clamped(const Expr &value, float low, float high) {
    return at_most(at_least(value, low), high);
}

// `result`, computed from `value` by arithmetic that knows no NaN.
Expr unless_nan(const Expr &value, const Expr &result) {
    return choose((bits_of(value) & std::numeric_limits<int32_t>::max()) > positive_infinity, value, result);
}

// ---- The transcendental ones, in double: one rounding at the end keeps them within 4 ulp of the true value
// everywhere, in the far tails and among the denormals too, for a few instructions an output. Halide's own exp and erf
// in f32 do not (erf cancels in 1 + erf), and its tanh calls libm a lane at a time.

Expr constant(double value) {
    return Halide::Internal::make_const(Halide::Float(64), value);
}

Expr horner(const Expr &x, const std::vector<double> &coefficients) {
    Expr sum = constant(coefficients.back());
    for (size_t i = coefficients.size() - 1; i-- > 0;) {
        sum = sum * x + constant(coefficients[i]);
    }
    return sum;
}

// e^x = 2^n e^r with n = round(x / ln 2): Taylor's series of e^r, |r| <= ln 2 / 2, to a relative 2e-10.
Expr exponential(const Expr &x) {
    const Expr limited = Halide::clamp(x, constant(-708.0), constant(708.0));
    const Expr n = Halide::round(limited * constant(1.4426950408889634074));
    const Expr r = limited - n * constant(0.69314718055994530942);
    const Expr series = horner(r, {1, 1, 1 / 2., 1 / 6., 1 / 24., 1 / 120., 1 / 720., 1 / 5040., 1 / 40320.});
    const Expr exponent = Halide::cast<int64_t>(Halide::cast<int32_t>(n) + 1023) << Halide::cast<int64_t>(52);
    const Expr result = series * Halide::reinterpret<double>(exponent);
    return Halide::select(x > 709.0f, constant(std::numeric_limits<double>::infinity()), result);
}

// erfc(z) = t exp(-z^2 + p(t)), t = 2 / (2 + z), for z >= 0; p fitted on Chebyshev nodes to a relative 3e-9, so that
// the far tail keeps its digits, which 1 - erf(z) loses. Form: Numerical Recipes, 3rd edition, section 6.2.2.
Expr complementary_error(const Expr &z) {
    constexpr double far = 10.6;  // beyond, 10.6 * erfc(10.6) is below the smallest denormal float
    constexpr double nearest = 2 / (2 + far);
    const Expr magnitude = Halide::select(z < 0.0f, -z, z);
    const Expr t = 2.0f / (2.0f + magnitude);
    const Expr k = (t - constant(nearest)) * constant(2 / (1 - nearest)) - 1.0f;
    const Expr p =
        horner(k, {-0.5640253971650412, 0.575427799315551, 0.01690396847489787, -0.03027706478042971,
                   -0.0012701572920137845, 0.003909327698673723, -0.00025255816005256176, -0.0005965453606276778,
                   0.00013295761777963084, 7.77734831067499e-05, -2.423641986192025e-05, -5.870021909050342e-06});
    const Expr tail =
        Halide::select(magnitude > constant(far), constant(0.0), t * exponential(p - magnitude * magnitude));
    return Halide::select(z < 0.0f, 2.0f - tail, tail);
}

Expr in_float(const Expr &value) {
    return Halide::cast<float>(value);
}
Expr in_double(const Expr &value) {
    return Halide::cast<double>(value);
}

Expr sigmoid(const Expr &value) {
    return in_float(1.0f / (1.0f + exponential(-in_double(value))));
}

Expr silu(const Expr &value) {
    return in_float(in_double(value) / (1.0f + exponential(-in_double(value))));
}

Expr gelu(const Expr &value) {
    const Expr v = in_double(value);
    return in_float(0.5f * v * complementary_error(v * constant(-0.70710678118654752440)));
}

// Taylor's series near 0, where 1 - 2 / (e^2x + 1) cancels.
Expr hyperbolic_tangent(const Expr &value) {
    const Expr v = in_double(value);
    const Expr near =
        v * horner(v * v, {1, -1 / 3., 2 / 15., -17 / 315., 62 / 2835., -1382 / 155925., 21844 / 6081075.});
    const Expr far = 1.0f - 2.0f / (exponential(2.0f * v) + 1.0f);
    return in_float(Halide::select(Halide::abs(v) < constant(0.3), near, far));
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
            return relu(value);
        case EpilogueKind::relu6:
            return clamped(value, 0.0f, 6.0f);
        case EpilogueKind::clip:
            return clamped(value, low, high);
        case EpilogueKind::leaky_relu:
            return Halide::select(value < 0.0f, value * low, value);
        case EpilogueKind::sigmoid:
            return unless_nan(value, sigmoid(value));
        case EpilogueKind::tanh:
            return unless_nan(value, hyperbolic_tangent(value));
        case EpilogueKind::silu:
            return unless_nan(value, silu(value));
        case EpilogueKind::gelu:
            return unless_nan(value, gelu(value));
        case EpilogueKind::hardswish:
            return value * hardsigmoid(value);
        case EpilogueKind::hardsigmoid:
            return hardsigmoid(value);
    }
    return value;
}

bool starts_with_bias(const Stage &stage) {
    return !stage.epilogues.empty() && stage.epilogues.front().kind == EpilogueKind::bias;
}

}  // namespace

Halide::Expr apply_epilogues(const Stage &stage, Halide::Expr value, const EpilogueOperands &operands) {
    for (const Epilogue &epilogue : stage.epilogues) value = apply(epilogue, value, operands);
    return value;
}

Halide::Expr start_of_sum(const Stage &stage, const EpilogueOperands &operands) {
    return starts_with_bias(stage) ? operands.bias() : 0.0f;
}

Halide::Expr finish_sum(const Stage &stage, Halide::Expr sum, const EpilogueOperands &operands) {
    for (size_t i = starts_with_bias(stage) ? 1 : 0; i < stage.epilogues.size(); i++) {
        sum = apply(stage.epilogues[i], sum, operands);
    }
    return sum;
}

namespace {

class DoublesByBits : public Halide::Internal::IRMutator {
    using IRMutator::visit;
    Expr visit(const Halide::Internal::FloatImm *number) override {
        if (number->type != Halide::Float(64)) return number;
        return Halide::reinterpret(Halide::Float(64), Expr(std::bit_cast<int64_t>(number->value)));
    }
};

}  // namespace

Expr doubles_by_bits(const Expr &value) {
    return DoublesByBits().mutate(value);
}

}  // namespace convc
