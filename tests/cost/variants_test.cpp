// The convolution variants and the arithmetic that checks them: every figure of the table, exactly. Bai, "A
// comprehensive introduction to different types of convolutions in deep learning" (2019); Dumoulin & Visin, arXiv
// 1603.07285.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compiler/cost/cost.h"
#include "compiler/cost/derivation.h"
#include "compiler/cost/explain.h"
#include "tests/support/build_layer.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::nhwc;
using test::square;

LayerCost cost_of(const Layer &layer) {
    return layer_cost(layer).value_or(LayerCost{});
}

std::string macs(const Layer &layer) {
    return print_count(cost_of(layer).nominal_macs);
}
std::string parameters(const Layer &layer) {
    return print_count(cost_of(layer).parameters);
}
std::string output(const Layer &layer) {
    return print_tensor(layer.output());
}

double ratio_to_dense(const Layer &layer) {
    const LayerCost cost = cost_of(layer);
    return static_cast<double>(cost.nominal_macs) / static_cast<double>(cost.dense_macs);
}

std::vector<Axis> sides(int64_t height, int64_t width) {
    Axis vertical, horizontal;
    vertical.kernel = height;
    horizontal.kernel = width;
    return {vertical, horizontal};
}

testing::AssertionResult contains(const std::string &text, const std::string &part) {
    if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "no \"" << part << "\" in\n" << text;
}

TEST(Variants, DenseConvolution) {
    const Layer layer = LayerBuilder(nhwc(1, 7, 7, 3)).conv(128, square(3));
    EXPECT_EQ(output(layer), "f32 nhwc[1, 5, 5, 128]");
    EXPECT_EQ(macs(layer), "86,400");
    EXPECT_TRUE(contains(explain_text(layer), "86,400 multiplications\n"));
    EXPECT_TRUE(contains(explain_text(layer), "o = floor((7 + 0 + 0 - 3) / 1) + 1 = 5"));
}

TEST(Variants, OneAndThreeDimensions) {
    const Layer line = LayerBuilder({DataType::f32, Layout::nwc, 1, 1, {10}}).conv(1, {{3, 1, 1, 0, 0, 0, false}});
    EXPECT_EQ(output(line), "f32 nwc[1, 8, 1]");
    EXPECT_EQ(macs(line), "24");
    // The kernel is shallower than the input and slides along depth too: the output is a volume.
    const Axis axis{3, 1, 1, 0, 0, 0, false};
    const Layer volume = LayerBuilder({DataType::f32, Layout::ndhwc, 1, 2, {6, 7, 8}}).conv(4, {axis, axis, axis});
    EXPECT_EQ(output(volume), "f32 ndhwc[1, 4, 5, 6, 4]");
    EXPECT_EQ(macs(volume), print_count(4 * 5 * 6 * 4 * 2 * 27));
}

TEST(Variants, PointwiseIsAMatrixProductAPixel) {
    const Layer layer = LayerBuilder(nhwc(1, 56, 56, 64)).conv(256, square(1));
    EXPECT_EQ(macs(layer), print_count(56 * 56 * 64 * 256));
    EXPECT_EQ(print_count(macs_per_element(layer.stages[0])), "64");
}

TEST(Variants, ConvolutionArithmetic) {
    const auto derivation = [](int64_t extent, const Axis &axis) {
        return derive_axes(LayerBuilder(nhwc(1, extent, extent, 1)).conv(1, {axis, axis}), 0)[0];
    };
    // valid, half (= floor(k/2)) and full (= k - 1) padding of 5 under a 3; same, with the odd pixel after
    EXPECT_EQ(derivation(5, {3, 1, 1, 0, 0, 0, false}).extent, "o = floor((5 + 0 + 0 - 3) / 1) + 1 = 3");
    EXPECT_EQ(derivation(5, {3, 1, 1, 1, 1, 0, false}).extent, "o = floor((5 + 1 + 1 - 3) / 1) + 1 = 5");
    EXPECT_EQ(derivation(5, {3, 1, 1, 2, 2, 0, false}).extent, "o = floor((5 + 2 + 2 - 3) / 1) + 1 = 7");
    EXPECT_EQ(derivation(6, {3, 2, 1, 0, 1, 0, false}).extent, "o = floor((6 + 0 + 1 - 3) / 2) + 1 = 3");
    // k' = k + (k - 1)(d - 1)
    EXPECT_EQ(derivation(9, {3, 1, 4, 0, 0, 0, false}).effective_kernel, "k' = 3 + (3 - 1) * (4 - 1) = 9");
    EXPECT_EQ(derivation(9, {3, 1, 4, 0, 0, 0, false}).extent, "o = floor((9 + 0 + 0 - 9) / 1) + 1 = 1");
}

TEST(Variants, TransposedArithmetic) {
    const Layer to4 = LayerBuilder(nhwc(1, 2, 2, 1)).transposed(1, square(3));
    const Layer to5 = LayerBuilder(nhwc(1, 2, 2, 1)).transposed(1, square(3, 2));
    EXPECT_EQ(output(to4), "f32 nhwc[1, 4, 4, 1]");
    EXPECT_EQ(output(to5), "f32 nhwc[1, 5, 5, 1]");
    EXPECT_TRUE(contains(explain_text(to4), "o = (2 - 1) * 1 - 0 - 0 + 3 + 0 = 4"));
    EXPECT_TRUE(contains(explain_text(to5), "o = (2 - 1) * 2 - 0 - 0 + 3 + 0 = 5"));
}

// The matrix of a convolution of one channel: a row an output element, a column an input element.
std::vector<std::vector<double>> convolution_matrix(const Layer &layer, const std::vector<double> &kernel) {
    const Stage &stage = layer.stages[0];
    const std::vector<int64_t> &in = layer.inputs[0].type.space;
    const std::vector<int64_t> &out = stage.output.space;
    std::vector<std::vector<double>> matrix(static_cast<size_t>(out[0] * out[1]),
                                            std::vector<double>(static_cast<size_t>(in[0] * in[1]), 0));
    for (int64_t y = 0; y < out[0]; y++) {
        for (int64_t x = 0; x < out[1]; x++) {
            for (int64_t tap = 0; tap < stage.kernel_volume(); tap++) {
                const int64_t row = y + tap / stage.axes[1].kernel;
                const int64_t column = x + tap % stage.axes[1].kernel;
                matrix[static_cast<size_t>(y * out[1] + x)][static_cast<size_t>(row * in[1] + column)] =
                    kernel[static_cast<size_t>(tap)];
            }
        }
    }
    return matrix;
}

TEST(Variants, TransposedIsTheTransposeOfTheMatrixAndNotItsInverse) {
    const Layer forward = LayerBuilder(nhwc(1, 4, 4, 1)).conv(1, square(3));
    const Layer transposed = LayerBuilder(forward.output()).transposed(1, square(3));
    const auto c = convolution_matrix(forward, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    ASSERT_EQ(c.size(), 4U);
    ASSERT_EQ(c[0].size(), 16U);
    EXPECT_EQ(transposed.stage_input(0).elements(), static_cast<int64_t>(c.size()));
    EXPECT_EQ(transposed.output().elements(), static_cast<int64_t>(c[0].size()));

    // One multiplication a nonzero, either way.
    int64_t nonzeros = 0;
    for (const std::vector<double> &row : c) nonzeros += 16 - std::count(row.begin(), row.end(), 0.0);
    EXPECT_EQ(nonzeros, 36);
    EXPECT_EQ(macs(forward), "36");
    EXPECT_EQ(macs(transposed), "36");
    EXPECT_EQ(print_count(cost_of(transposed).real_macs), "36");

    // C times its transpose is no identity.
    double off_diagonal = 0;
    for (size_t i = 0; i < 16; i++) off_diagonal += c[0][i] * c[1][i];
    EXPECT_NE(off_diagonal, 0);
}

TEST(Variants, TransposedLeavesOutTapsBeyondItsOutput) {
    // Padding of the forward layer crops the output: along an axis 2 inputs x 3 taps, the first and the last cut off.
    const Layer cropped = LayerBuilder(nhwc(1, 2, 2, 1)).transposed(1, square(3, 1, 1));
    EXPECT_EQ(output(cropped), "f32 nhwc[1, 2, 2, 1]");
    EXPECT_EQ(macs(cropped), "36");
    EXPECT_EQ(print_count(cost_of(cropped).real_macs), "16");
}

TEST(Variants, DilatedStackSeesExponentiallyFar) {
    LayerBuilder stack(nhwc(1, 64, 64, 8));
    const std::vector<int64_t> dilations{1, 2, 4};
    const std::vector<std::string> fields{"3", "7", "15"};
    for (size_t i = 0; i < dilations.size(); i++) {
        stack.conv(8, square(3, 1, dilations[i], dilations[i]));
        EXPECT_EQ(print_count(receptive_field(stack, static_cast<int>(i))[0]), fields[i]);
        EXPECT_EQ(print_count(stage_parameters(stack.layer().stages[i])), "576");
    }
    EXPECT_TRUE(contains(explain_text(stack), "15x15"));
}

TEST(Variants, SpatiallySeparable) {
    const Layer direct = LayerBuilder(nhwc(1, 5, 5, 1)).conv(1, square(3));
    const Layer separable = LayerBuilder(nhwc(1, 5, 5, 1)).conv(1, sides(3, 1)).conv(1, sides(1, 3));
    EXPECT_EQ(macs(direct), "81");
    EXPECT_EQ(macs(separable), "72");
    EXPECT_TRUE(contains(explain_text(separable),
                         "45 + 27 = 72 multiplications, 88.9 % of 81: the dense equivalent is conv(1, 3x3)"));
}

TEST(Variants, SpatiallySeparableInGeneral) {
    for (int64_t n = 5; n <= 40; n += 7) {
        for (int64_t k = 1; k <= 5; k++) {
            const Layer separable = LayerBuilder(nhwc(1, n, n, 1)).conv(1, sides(k, 1)).conv(1, sides(1, k));
            const LayerCost cost = cost_of(separable);
            EXPECT_EQ(print_count(cost.nominal_macs), print_count(as_count((n - k + 1) * (2 * n - k + 1) * k)));
            EXPECT_EQ(print_count(cost.dense_macs), print_count(as_count((n - k + 1) * (n - k + 1) * k * k)));
        }
    }
    // the ratio tends to 2/k: 2/3, 2/5, 2/7
    for (const int64_t k : {3, 5, 7}) {
        const TensorType large = nhwc(1, 1'000'000, 1'000'000, 1);
        EXPECT_NEAR(ratio_to_dense(LayerBuilder(large).conv(1, sides(k, 1)).conv(1, sides(1, k))),
                    2.0 / static_cast<double>(k), 1e-5);
    }
}

TEST(Variants, SobelHasSixParametersNotNine) {
    const TensorType image = nhwc(1, 5, 5, 1);
    const Layer separable =
        LayerBuilder(image).depthwise(sides(3, 1)).weights({1, 2, 1}).depthwise(sides(1, 3)).weights({-1, 0, 1});
    const Layer whole = LayerBuilder(image).depthwise(square(3)).weights({-1, 0, 1, -2, 0, 2, -1, 0, 1});
    EXPECT_EQ(parameters(separable), "6");
    EXPECT_EQ(parameters(whole), "9");
    const Stage &column = separable.stages[0];
    const Stage &row = separable.stages[1];
    for (size_t i = 0; i < 9; i++) {
        EXPECT_EQ((*column.weights)[i / 3] * (*row.weights)[i % 3], (*whole.stages[0].weights)[i]);
    }
    // The same six serve every channel.
    EXPECT_EQ(parameters(LayerBuilder(nhwc(1, 5, 5, 3)).depthwise(sides(3, 1)).weights({1, 2, 1})), "3");
}

TEST(Variants, Depthwise) {
    const Layer layer = LayerBuilder(nhwc(1, 7, 7, 3)).depthwise(square(3), 2);
    EXPECT_EQ(layer.stages[0].groups, 3);
    EXPECT_EQ(layer.stages[0].out_channels, 6);
    EXPECT_EQ(parameters(layer), "54");
    EXPECT_EQ(macs(layer), print_count(25 * 6 * 9));
}

TEST(Variants, DepthwiseSeparable) {
    const Layer layer = LayerBuilder(nhwc(1, 7, 7, 3)).depthwise(square(3)).conv(128, square(1));
    EXPECT_EQ(output(layer), "f32 nhwc[1, 5, 5, 128]");
    const std::string text = explain_text(layer);
    EXPECT_TRUE(contains(text, "675 + 9,600 = 10,275 multiplications, 11.9 % of 86,400: "));
    EXPECT_TRUE(contains(text, "the dense equivalent is conv(128, 3x3)"));
}

TEST(Variants, DepthwiseSeparableRatio) {
    // 1/Cout + 1/k^2, so up to 9 times fewer with 3x3 and 25 times with 5x5
    for (const int64_t k : {3, 5}) {
        for (const int64_t out : {8, 128, 1024}) {
            const double ratio =
                ratio_to_dense(LayerBuilder(nhwc(1, 32, 32, 16)).depthwise(square(k)).conv(out, square(1)));
            EXPECT_NEAR(ratio, 1.0 / static_cast<double>(out) + 1.0 / static_cast<double>(k * k), 1e-12);
        }
        const Layer wide = LayerBuilder(nhwc(1, 32, 32, 16)).depthwise(square(k)).conv(1'000'000, square(1));
        EXPECT_NEAR(1 / ratio_to_dense(wide), static_cast<double>(k * k), 1e-3);
    }
}

TEST(Variants, Flattened) {
    // along channels, then vertically, then horizontally
    const Layer layer =
        LayerBuilder(nhwc(1, 16, 16, 8)).conv(32, square(1)).depthwise(sides(3, 1)).depthwise(sides(1, 3));
    EXPECT_EQ(output(layer), "f32 nhwc[1, 14, 14, 32]");
    EXPECT_EQ(parameters(layer), print_count(8 * 32 + 32 * 3 + 32 * 3));
    EXPECT_EQ(print_count(cost_of(layer).dense_macs), print_count(14 * 14 * 32 * 8 * 9));
}

TEST(Variants, Grouped) {
    const auto with_groups = [](int64_t groups) -> Layer {
        return LayerBuilder(nhwc(1, 27, 27, 96)).conv(256, square(5, 1, 2), groups);
    };
    EXPECT_EQ(parameters(with_groups(1)), print_count(5 * 5 * 96 * 256));
    EXPECT_EQ(parameters(with_groups(2)), print_count(5 * 5 * 96 * 256 / 2));
    EXPECT_EQ(parameters(with_groups(32)), print_count(5 * 5 * 96 * 256 / 32));
    EXPECT_TRUE(contains(explain_text(with_groups(2)),
                         " multiplications, 50.0 % of 447,897,600: the dense equivalent is conv(256, 5x5, pad=2)"));
}

TEST(Variants, ShuffledGroupedAndPointwiseGrouped) {
    const Layer layer = LayerBuilder(nhwc(1, 28, 28, 64)).conv(128, square(1), 8).shuffle(8).conv(128, square(1), 8);
    EXPECT_EQ(output(layer), "f32 nhwc[1, 28, 28, 128]");
    EXPECT_EQ(parameters(layer), print_count(64 * 128 / 8 + 128 * 128 / 8));
    EXPECT_EQ(layer.parameters()[1].name(), "2.weight") << "the shuffle counts as a stage";
    EXPECT_TRUE(contains(explain_text(layer), "802,816 + 1,605,632 = 2,408,448 multiplications"));
}

}  // namespace
}  // namespace convc
