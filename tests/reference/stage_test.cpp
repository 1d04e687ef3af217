// Each kind of stage against numbers worked out by hand. Kernels of 1, 10, 100 show in the digits of a result which
// input met which tap.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/reference/reference.h"
#include "tests/support/build_layer.h"
#include "tests/support/layer_data.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;
using test::line;
using test::square;
using test::tensor;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

TensorType row(int64_t width, int64_t channels = 1) {
    return tensor(Layout::ncw, 1, {width}, channels);
}

ReferenceTensor output_of(const Layer &layer, const LayerData &data) {
    return test::reference_of(layer, data).output;
}

TEST(Stage, ConvSlidesTheKernelUnflipped) {
    const LayerData data{{{1, 2, 3, 4}}, {{1, 10, 100}}};
    EXPECT_EQ(output_of(LayerBuilder(row(4)).conv(1, line(3)), data), (ReferenceTensor{321, 432}));
    EXPECT_EQ(output_of(LayerBuilder(row(4)).conv(1, line(3)).flip(), data), (ReferenceTensor{123, 234}));
}

TEST(Stage, ConvStridesDilatesAndPads) {
    const LayerData data{{{1, 2, 3, 4, 5}}, {{1, 10, 100}}};
    EXPECT_EQ(output_of(LayerBuilder(row(5)).conv(1, line(3, 2)), data), (ReferenceTensor{321, 543}));
    EXPECT_EQ(output_of(LayerBuilder(row(5)).conv(1, line(3, 1, 0, 2)), data), (ReferenceTensor{531}));
    EXPECT_EQ(output_of(LayerBuilder(row(5)).conv(1, line(3, 1, 1)), data), (ReferenceTensor{210, 321, 432, 543, 54}));
    std::vector<Axis> asymmetric = line(3, 2);
    asymmetric[0].pad_after = 2;
    EXPECT_EQ(output_of(LayerBuilder(row(5)).conv(1, asymmetric), data), (ReferenceTensor{321, 543, 5}));
}

TEST(Stage, ConvOfTwoAxes) {
    const Layer layer = LayerBuilder(test::nhwc(1, 2, 3, 1)).conv(1, square(2));
    const LayerData data{{{1, 2, 3, 4, 5, 6}}, {{1, 10, 100, 1000}}};
    EXPECT_EQ(output_of(layer, data), (ReferenceTensor{5421, 6532}));
    const Layer flipped = LayerBuilder(test::nhwc(1, 2, 3, 1)).conv(1, square(2)).flip();
    EXPECT_EQ(output_of(flipped, data), (ReferenceTensor{1245, 2356}));
}

TEST(Stage, ConvOfThreeAxesReadsDepthHeightWidth) {
    const Layer layer = LayerBuilder(tensor(Layout::ncdhw, 1, {2, 2, 2}, 1)).conv(1, {{2}, {2}, {2}});
    const LayerData data{{{1, 2, 3, 4, 5, 6, 7, 8}}, {{1, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F, 1e6F, 1e7F}}};
    EXPECT_EQ(output_of(layer, data), (ReferenceTensor{87654321}));
}

// 1x1 kernels, so that the output is the padded input.
TEST(Stage, PadModes) {
    const LayerData data{{{1, 2, 3}}, {{1}}};
    const auto padded = [&](PadMode mode, double value = 0) {
        return output_of(LayerBuilder(row(3)).conv(1, line(1, 1, 2)).pad_mode(mode, value), data);
    };
    EXPECT_EQ(padded(PadMode::zeros), (ReferenceTensor{0, 0, 1, 2, 3, 0, 0}));
    EXPECT_EQ(padded(PadMode::reflect), (ReferenceTensor{3, 2, 1, 2, 3, 2, 1}));
    EXPECT_EQ(padded(PadMode::replicate), (ReferenceTensor{1, 1, 1, 2, 3, 3, 3}));
    EXPECT_EQ(padded(PadMode::circular), (ReferenceTensor{2, 3, 1, 2, 3, 1, 2}));
    EXPECT_EQ(padded(PadMode::constant, -7), (ReferenceTensor{-7, -7, 1, 2, 3, -7, -7}));
}

TEST(Stage, PadModesTreatEachAxisByItself) {
    const Layer layer = LayerBuilder(test::nhwc(1, 2, 2, 1)).conv(1, square(1, 1, 1)).pad_mode(PadMode::replicate);
    EXPECT_EQ(output_of(layer, {{{1, 2, 3, 4}}, {{1}}}),
              (ReferenceTensor{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
}

TEST(Stage, GroupsReadTheirOwnChannelsAlone) {
    const Layer layer = LayerBuilder(row(1, 4)).conv(4, line(1), 2);
    // Two filters a group, each over two channels.
    const LayerData data{{{1, 2, 3, 4}}, {{1, 10, 2, 20, 3, 30, 4, 40}}};
    EXPECT_EQ(output_of(layer, data), (ReferenceTensor{21, 42, 129, 172}));
}

TEST(Stage, DepthwiseMultipliesEachChannelInTurn) {
    const Layer layer = LayerBuilder(row(2, 2)).depthwise(line(1), 2);
    const LayerData data{{{1, 2, 3, 4}}, {{1, 10, 100, 1000}}};
    EXPECT_EQ(output_of(layer, data), (ReferenceTensor{1, 2, 10, 20, 300, 400, 3000, 4000}));
}

TEST(Stage, ConstantWeightsServeEveryChannel) {
    const Layer layer = LayerBuilder(row(3, 2)).depthwise(line(3, 1, 1)).weights({-1, 0, 1});
    EXPECT_EQ(output_of(layer, {{{1, 2, 4, 10, 20, 40}}, {}}), (ReferenceTensor{2, 3, -2, 20, 30, -20}));
}

TEST(Stage, TransposedSpreadsEachInputElement) {
    const LayerData data{{{1, 2}}, {{1, 10, 100}}};
    EXPECT_EQ(output_of(LayerBuilder(row(2)).transposed(1, line(3, 2)), data), (ReferenceTensor{1, 10, 102, 20, 200}));
    EXPECT_EQ(output_of(LayerBuilder(row(2)).transposed(1, line(3, 2, 1)), data), (ReferenceTensor{10, 102, 20}));
    EXPECT_EQ(output_of(LayerBuilder(row(2)).transposed(1, line(3, 2, 0, 2)), data),
              (ReferenceTensor{1, 0, 12, 0, 120, 0, 200}));
    EXPECT_EQ(output_of(LayerBuilder(row(2)).transposed(1, line(3, 2)).flip(), data),
              (ReferenceTensor{100, 10, 201, 20, 2}));
    std::vector<Axis> padded = line(3, 2);
    padded[0].output_padding = 1;
    EXPECT_EQ(output_of(LayerBuilder(row(2)).transposed(1, padded), data), (ReferenceTensor{1, 10, 102, 20, 200, 0}));
}

// PyTorch's shape: [in, out/groups, k].
TEST(Stage, TransposedWeightsHaveInputChannelsFirst) {
    EXPECT_EQ(output_of(LayerBuilder(row(1, 2)).transposed(3, line(1)), {{{1, 2}}, {{1, 2, 3, 10, 20, 30}}}),
              (ReferenceTensor{21, 42, 63}));
    EXPECT_EQ(output_of(LayerBuilder(row(1, 2)).transposed(4, line(1), 2), {{{1, 2}}, {{1, 2, 10, 20}}}),
              (ReferenceTensor{1, 2, 20, 40}));
}

TEST(Stage, ShuffleTransposesGroupsAndChannels) {
    const Layer layer = LayerBuilder(row(1, 6)).shuffle(2);
    EXPECT_EQ(output_of(layer, {{{0, 1, 2, 3, 4, 5}}, {}}), (ReferenceTensor{0, 3, 1, 4, 2, 5}));
}

TEST(Stage, EpiloguesRunInTheOrderWritten) {
    LayerBuilder builder(row(2));
    builder.conv(1, line(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu).epilogue(EpilogueKind::scale);
    EXPECT_EQ(output_of(builder, {{{1, 5}}, {{1}, {-2}, {-3}}}), (ReferenceTensor{0, -9}));
    LayerBuilder other(row(2));
    other.conv(1, line(1)).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::relu).epilogue(EpilogueKind::bias);
    // Parameters come in the order weight, bias, scale, whatever the order of the epilogues.
    EXPECT_EQ(output_of(other, {{{1, 5}}, {{1}, {-2}, {-3}}}), (ReferenceTensor{-2, -2}));
}

TEST(Stage, AddAndMulBroadcastExtentsOfOne) {
    LayerBuilder builder(tensor(Layout::nwc, 2, {2}, 2));
    builder.input("row", tensor(Layout::nwc, 1, {2}, 2)).input("channel", tensor(Layout::nwc, 1, {1}, 2));
    builder.shuffle(1).epilogue(EpilogueKind::add, 1).epilogue(EpilogueKind::mul, 2).epilogue(EpilogueKind::add, 0);
    const LayerData data{{{1, 2, 3, 4, 5, 6, 7, 8}, {10, 20, 30, 40}, {1, -1}}, {}};
    EXPECT_EQ(output_of(builder, data), (ReferenceTensor{12, -20, 36, -40, 20, -20, 44, -40}));
}

TEST(Stage, EveryLayoutHoldsTheSameNumbers) {
    const Layer last = LayerBuilder(tensor(Layout::nwc, 2, {3}, 2)).conv(3, line(2));
    const Layer first = LayerBuilder(tensor(Layout::ncw, 2, {3}, 2)).conv(3, line(2));
    const test::Tensor weights{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const ReferenceTensor a = output_of(last, {{{1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12}}, {weights}});
    const ReferenceTensor b = output_of(first, {{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}, {weights}});
    for (size_t n = 0; n < 2; n++) {
        for (size_t c = 0; c < 3; c++) {
            for (size_t w = 0; w < 2; w++) EXPECT_EQ(a[(n * 2 + w) * 3 + c], b[(n * 3 + c) * 2 + w]);
        }
    }
    EXPECT_EQ(b[0], 1 * 1 + 2 * 2 + 4 * 3 + 5 * 4);
}

TEST(Stage, AChainFeedsEachStageTheOneBefore) {
    LayerBuilder builder(row(4));
    builder.conv(2, line(2)).epilogue(EpilogueKind::relu).shuffle(2).conv(1, line(3));
    // Intermediate: channel 0 [3, 5, 7], channel 1 relu([-1, -1, -1]).
    EXPECT_EQ(output_of(builder, {{{1, 2, 3, 4}}, {{1, 1, 1, -1}, {1, 10, 100, 5, 5, 5}}}), (ReferenceTensor{753}));
}

TEST(Stage, PaddingContributesNothingEvenToWeightsThatAreNan) {
    const Layer layer = LayerBuilder(row(2)).conv(1, line(3, 1, 1));
    const ReferenceTensor output = output_of(layer, {{{1, 2}}, {{nan, 10, 100}}});
    EXPECT_EQ(output[0], 210);
    EXPECT_TRUE(std::isnan(output[1]));
    const Layer transposed = LayerBuilder(row(2)).transposed(1, line(2, 3));
    EXPECT_EQ(output_of(transposed, {{{1, 2}}, {{infinity, 1}}})[2], 0);
}

TEST(Stage, ConstantZeroTapsContributeNothingEvenToInputsThatAreNan) {
    const Layer layer = LayerBuilder(row(3)).depthwise(line(3)).weights({1, 0, 1});
    EXPECT_EQ(output_of(layer, {{{1, nan, 3}}, {}}), (ReferenceTensor{4}));
    const Layer learned = LayerBuilder(row(3)).depthwise(line(3));
    EXPECT_TRUE(std::isnan(output_of(learned, {{{1, nan, 3}}, {{1, 0, 1}}})[0]));
}

TEST(Stage, NanAndInfinityReachEveryOutputThatReadsThem) {
    const Layer layer = LayerBuilder(row(5)).conv(1, line(2)).epilogue(EpilogueKind::relu);
    const ReferenceTensor output = output_of(layer, {{{1, nan, 1, -infinity, 1}}, {{1, 1}}});
    EXPECT_TRUE(std::isnan(output[0]));
    EXPECT_TRUE(std::isnan(output[1]));
    EXPECT_EQ(output[2], 0);
    EXPECT_EQ(output[3], 0);
}

TEST(Stage, SomeElementsOfTheLastStage) {
    const Layer chain = LayerBuilder(row(6)).conv(1, line(3)).conv(1, line(2));
    const std::vector<ReferenceTensor> inputs{{1, 2, 3, 4, 5, 6}}, parameters{{1, 10, 100}, {1, 1}};
    const Result<ReferenceResult> all = run_reference(chain, inputs, parameters);
    const Result<ReferenceResult> some = run_reference(chain, inputs, parameters, {2, 0});
    ASSERT_TRUE(all && some);
    EXPECT_EQ(some->output, (ReferenceTensor{all->output[2], all->output[0]}));
    EXPECT_EQ(some->error_bound, (ReferenceTensor{all->error_bound[2], all->error_bound[0]}));
    EXPECT_EQ(some->elements, (std::vector<int64_t>{2, 0}));
}

TEST(Stage, WrongSizesAreErrorsThatNameThem) {
    const Layer layer = LayerBuilder(row(4)).conv(1, line(3)).epilogue(EpilogueKind::bias);
    EXPECT_EQ(run_reference(layer, {{1, 2, 3}}, {{1, 1, 1}, {0}}).error().message,
              "x has 3 elements, but the layer needs 4");
    EXPECT_EQ(run_reference(layer, {{1, 2, 3, 4}}, {{1, 1, 1}, {0, 0}}).error().message,
              "0.bias has 2 elements, but the layer needs 1");
    EXPECT_EQ(run_reference(layer, {{1, 2, 3, 4}}, {{1, 1, 1}}).error().message,
              "1 tensors and 1 parameters given, but the layer needs 1 and 2");
    const Layer open = LayerBuilder(row(runtime_extent)).conv(1, line(3));
    EXPECT_FALSE(run_reference(open, {{1, 2, 3, 4}}, {{1, 1, 1}}));
}

TEST(Stage, TooLargeForTheMachineIsAnError) {
    const Layer layer = LayerBuilder(row(1)).conv(int64_t{1} << 60, line(1));
    const Result<ReferenceResult> result = run_reference(layer, {{1}}, {ReferenceTensor()});
    ASSERT_FALSE(result);
    const Layer padded = LayerBuilder(row(1)).conv(1, line(1, 1, int64_t{1} << 60));
    EXPECT_EQ(run_reference(padded, {{1}}, {{1}}).error().failure, Failure::environment);
}

}  // namespace
}  // namespace convc
