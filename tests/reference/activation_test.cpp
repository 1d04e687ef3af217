// The activations against known values of PyTorch's, and their error bounds against their own slopes.
#include "compiler/reference/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace convc {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Epilogue epilogue(EpilogueKind kind, double low = 0, double high = 0) {
    return {kind, low, high, -1};
}

const std::vector<Epilogue> activations{
    epilogue(EpilogueKind::relu),      epilogue(EpilogueKind::relu6),       epilogue(EpilogueKind::leaky_relu, 0.25),
    epilogue(EpilogueKind::sigmoid),   epilogue(EpilogueKind::tanh),        epilogue(EpilogueKind::clip, -1, 2),
    epilogue(EpilogueKind::silu),      epilogue(EpilogueKind::gelu),        epilogue(EpilogueKind::leaky_relu, -3),
    epilogue(EpilogueKind::hardswish), epilogue(EpilogueKind::hardsigmoid),
};

double value_of(const Epilogue &epilogue, double at) {
    BoundedNumber number{at, std::abs(at), 0, 0};
    activate(epilogue, number);
    return number.value;
}

double value_of(EpilogueKind kind, double at) {
    return value_of(epilogue(kind), at);
}

// torch.nn.functional, computed in float64.
TEST(Activation, PyTorchsValues) {
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::sigmoid, 1), 0.7310585786300049);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::tanh, 0.5), 0.46211715726000973);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::silu, -2), -0.2384058440442351);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::gelu, 1), 0.8413447460685429);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::gelu, -1), -0.15865525393145707);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::hardswish, 1), 4 / 6.0);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::hardswish, -4), 0);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::hardsigmoid, 1), 4 / 6.0);
    EXPECT_DOUBLE_EQ(value_of(EpilogueKind::hardsigmoid, 4), 1);
    EXPECT_EQ(value_of(EpilogueKind::relu, -2), 0);
    EXPECT_EQ(value_of(EpilogueKind::relu6, 7), 6);
    EXPECT_EQ(value_of(epilogue(EpilogueKind::leaky_relu, 0.25), -2), -0.5);
    EXPECT_EQ(value_of(epilogue(EpilogueKind::clip, -1, 2), -3), -1);
    EXPECT_EQ(value_of(epilogue(EpilogueKind::clip, -1, 2), 3), 2);
}

TEST(Activation, GeluKeepsItsDigitsFarBelowZero) {
    // x times the normal distribution's tail: Q(6) = 9.865876450376981e-10.
    EXPECT_NEAR(value_of(EpilogueKind::gelu, -6) / (-6 * 9.865876450376981e-10), 1, 1e-13);
}

TEST(Activation, ConstantsCountAsF32) {
    EXPECT_EQ(value_of(epilogue(EpilogueKind::clip, 0, 0.1), 1), static_cast<double>(0.1F));
}

TEST(Activation, NanComesOutOfEveryOne) {
    for (const Epilogue &activation : activations) EXPECT_TRUE(std::isnan(value_of(activation, nan)));
}

TEST(Activation, Infinity) {
    EXPECT_EQ(value_of(EpilogueKind::relu, infinity), infinity);
    EXPECT_EQ(value_of(EpilogueKind::relu, -infinity), 0);
    EXPECT_EQ(value_of(EpilogueKind::relu6, infinity), 6);
    EXPECT_EQ(value_of(EpilogueKind::sigmoid, -infinity), 0);
    EXPECT_EQ(value_of(EpilogueKind::tanh, -infinity), -1);
    EXPECT_EQ(value_of(EpilogueKind::hardsigmoid, infinity), 1);
    // x times a zero, as PyTorch computes them.
    EXPECT_TRUE(std::isnan(value_of(EpilogueKind::silu, -infinity)));
    EXPECT_TRUE(std::isnan(value_of(EpilogueKind::gelu, -infinity)));
    EXPECT_TRUE(std::isnan(value_of(EpilogueKind::hardswish, -infinity)));
}

// What an input off by `carried` does to the result is within the bound: so the Lipschitz constants are large enough,
// and not by more than a factor of 1.05 somewhere.
TEST(Activation, ErrorBoundFollowsTheSteepestSlope) {
    constexpr double step = 1e-3;
    for (const Epilogue &activation : activations) {
        double steepest = 0;
        for (int i = -8000; i < 8000; i++) {
            const double at = i * step;
            BoundedNumber number{at, std::abs(at), step, 0};
            activate(activation, number);
            const double moved = std::abs(value_of(activation, at + step) - number.value);
            EXPECT_LE(moved, number.error() + 1e-12) << static_cast<int>(activation.kind) << " at " << at;
            steepest = std::max(steepest, moved / number.error());
        }
        EXPECT_GT(steepest, 0.95) << static_cast<int>(activation.kind);
    }
}

TEST(Activation, ExactOnesAddNoErrorOfTheirOwn) {
    for (EpilogueKind kind : {EpilogueKind::relu, EpilogueKind::relu6, EpilogueKind::clip}) {
        BoundedNumber number{1, 1, 0, 0};
        activate(epilogue(kind, -1, 2), number);
        EXPECT_EQ(number.error(), 0);
    }
}

TEST(Activation, TranscendentalOnesAddFourUlp) {
    BoundedNumber number{1, 1, 0, 0};
    activate(epilogue(EpilogueKind::tanh), number);
    EXPECT_NEAR(number.error(), 4 * 0x1p-24, 1e-12);  // tanh(1) = 0.76: an ulp is 2^-24
}

}  // namespace
}  // namespace convc
