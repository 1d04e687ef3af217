// The counts of compiler/cost, checked against plain loops and against facts known by hand.
#include "compiler/cost/cost.h"

#include <gtest/gtest.h>

#include <optional>

#include "compiler/cost/tap_pairs.h"
#include "tests/support/build_layer.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::nhwc;
using test::square;

// EXPECT_EQ cannot print 128 bits.
std::string text(Count count) {
    return print_count(count);
}

LayerCost cost_of(const Layer &layer) {
    return layer_cost(layer).value_or(LayerCost{});
}

Count pairs_by_looping(const Axis &axis, int64_t positions, int64_t extent) {
    Count pairs = 0;
    for (int64_t n = 0; n < positions; n++) {
        for (int64_t t = 0; t < axis.kernel; t++) {
            const int64_t at = n * axis.stride + t * axis.dilation - axis.pad_before;
            pairs += at >= 0 && at < extent;
        }
    }
    return pairs;
}

TEST(TapPairs, AgreeWithPlainLoopsOverSmallShapes) {
    for (int64_t kernel = 1; kernel <= 5; kernel++) {
        for (int64_t stride = 1; stride <= 4; stride++) {
            for (int64_t dilation = 1; dilation <= 4; dilation++) {
                for (int64_t pad = 0; pad <= 9; pad += 3) {
                    for (int64_t extent = 1; extent <= 11; extent++) {
                        for (int64_t positions = 0; positions <= 7; positions++) {
                            const Axis axis{kernel, stride, dilation, pad, 0, 0, false};
                            ASSERT_EQ(text(tap_pairs_inside(axis, positions, extent)),
                                      text(pairs_by_looping(axis, positions, extent)))
                                << "kernel " << kernel << " stride " << stride << " dilation " << dilation << " pad "
                                << pad << " extent " << extent << " positions " << positions;
                        }
                    }
                }
            }
        }
    }
}

TEST(TapPairs, TakeNoTimeOverHugeExtents) {
    constexpr int64_t trillion = 1'000'000'000'000;
    // Every output but the last billion - 1 at each side sees the whole kernel; those see 1 .. k - 1 taps less.
    const Axis axis{1'000'000'000, 1, 1, 999'999'999, 999'999'999, 0, false};
    const Count whole = multiply(trillion, 1'000'000'000);
    EXPECT_EQ(text(tap_pairs_inside(axis, trillion + 999'999'999, trillion)), text(whole));
    EXPECT_EQ(text(tap_pairs_inside({3, 1, 1, 1, 1, 0, false}, trillion, trillion)), text(3 * Count{trillion} - 2));
}

TEST(Count, PrintsThousandsSeparators) {
    EXPECT_EQ(print_count(0), "0");
    EXPECT_EQ(print_count(999), "999");
    EXPECT_EQ(print_count(1000), "1,000");
    EXPECT_EQ(print_count(10275), "10,275");
    EXPECT_EQ(print_count(multiply(1'000'000'000'000'000'000, 1'000'000)), "1,000,000,000,000,000,000,000,000");
}

TEST(Count, SaturatesInsteadOfOverflowing) {
    const Count big = multiply(as_count(INT64_MAX), as_count(INT64_MAX));
    EXPECT_EQ(text(multiply(big, 8)), text(count_limit));
    EXPECT_EQ(text(add(count_limit, 1)), "over 3.4e38");
    EXPECT_EQ(text(multiply(count_limit, 0)), "0");
}

TEST(Cost, DenseConvolution) {
    const LayerCost cost = cost_of(LayerBuilder(nhwc(1, 7, 7, 3)).conv(128, square(3)));
    EXPECT_EQ(text(cost.nominal_macs), "86,400");
    EXPECT_EQ(text(cost.real_macs), "86,400");
    EXPECT_EQ(text(cost.dense_macs), "86,400");
    EXPECT_EQ(text(cost.parameters), "3,456");
    EXPECT_EQ(text(cost.stages[0].output_elements), "3,200");
    EXPECT_EQ(text(cost.bytes), text(4 * (7 * 7 * 3 + 3456 + 3200)));
    EXPECT_DOUBLE_EQ(cost.intensity, 2 * 86400.0 / (4 * (147 + 3456 + 3200)));
}

TEST(Cost, PaddingIsNominalWorkButNotReal) {
    // 3x3 over 5x5, pad 1: along an axis 13 of the 15 taps meet data.
    LayerBuilder same = LayerBuilder(nhwc(2, 5, 5, 4)).conv(6, square(3, 1, 1));
    EXPECT_EQ(text(cost_of(same).nominal_macs), text(2 * 25 * 9 * 4 * 6));
    EXPECT_EQ(text(cost_of(same).real_macs), text(2 * 13 * 13 * 4 * 6));
    for (const PadMode mode : {PadMode::reflect, PadMode::replicate, PadMode::circular}) {
        EXPECT_EQ(text(cost_of(same.pad_mode(mode)).real_macs), text(2 * 25 * 9 * 4 * 6));
    }
    EXPECT_EQ(text(cost_of(same.pad_mode(PadMode::constant, 0.5)).real_macs), text(2 * 25 * 9 * 4 * 6));
    EXPECT_EQ(text(cost_of(same.pad_mode(PadMode::constant, 0)).real_macs), text(2 * 13 * 13 * 4 * 6));
}

TEST(Cost, EpiloguesAddParametersAndBytes) {
    LayerBuilder layer = LayerBuilder(nhwc(1, 4, 4, 8)).input("gate", nhwc(1, 1, 1, 8)).conv(8, square(1));
    layer.epilogue(EpilogueKind::bias).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::mul, 1);
    layer.epilogue(EpilogueKind::add, 0);
    const LayerCost cost = cost_of(layer);
    EXPECT_EQ(text(cost.parameters), text(64 + 8 + 8));
    EXPECT_EQ(text(cost.bytes), text(4 * (128 + 8 + 80 + 128)));
    EXPECT_EQ(text(cost.stages[0].bytes), text(cost.bytes)) << "x is read once although it is added as well";
}

TEST(Cost, ChainMovesItsEndsOnly) {
    const LayerCost cost = cost_of(LayerBuilder(nhwc(1, 7, 7, 3)).depthwise(square(3)).conv(128, square(1)));
    EXPECT_EQ(text(cost.bytes), text(4 * (147 + 27 + 384 + 3200)));
    EXPECT_EQ(text(cost.stages[0].bytes), text(4 * (147 + 27 + 75)));
    EXPECT_EQ(text(cost.stages[1].bytes), text(4 * (75 + 384 + 3200)));
}

TEST(Cost, RuntimeExtentsHaveNoTotals) {
    const Layer layer = LayerBuilder(nhwc(1, runtime_extent, 7, 3)).conv(8, square(3));
    EXPECT_FALSE(layer_cost(layer));
    EXPECT_EQ(text(macs_per_element(layer.stages[0])), "27");
    EXPECT_EQ(text(stage_parameters(layer.stages[0])), "216");
}

TEST(Cost, AbsurdLayersSaturate) {
    constexpr int64_t huge = int64_t{1} << 31;
    const Layer layer = LayerBuilder(nhwc(1, huge, huge, huge)).conv(huge, square(3, 1, 1));
    EXPECT_EQ(text(cost_of(layer).nominal_macs), text(multiply(multiply(9, Count{1} << 62), Count{1} << 62)));
    const Layer worse = LayerBuilder(nhwc(huge, huge, huge, huge)).conv(huge, square(3, 1, 1));
    EXPECT_EQ(text(cost_of(worse).nominal_macs), "over 3.4e38");
}

// ---- receptive field

std::string side(const Layer &layer, size_t axis = 0) {
    return text(receptive_field(layer, static_cast<int>(layer.stages.size()) - 1)[axis]);
}

TEST(ReceptiveField, GrowsWithDilationAndStride) {
    EXPECT_EQ(side(LayerBuilder(nhwc(1, 64, 64, 1)).conv(1, square(3, 1, 0, 5))), "11");
    EXPECT_EQ(side(LayerBuilder(nhwc(1, 64, 64, 1)).conv(1, square(3)).conv(1, square(3))), "5");
    EXPECT_EQ(side(LayerBuilder(nhwc(1, 64, 64, 1)).conv(1, square(3, 2)).conv(1, square(3, 2)).conv(1, square(3))),
              "15");
}

TEST(ReceptiveField, OfTransposedStagesIsTheLargestWindow) {
    EXPECT_EQ(side(LayerBuilder(nhwc(1, 8, 8, 1)).transposed(1, square(4, 2, 1))), "2");
    EXPECT_EQ(side(LayerBuilder(nhwc(1, 8, 8, 1)).transposed(1, square(3, 2))), "2");
    EXPECT_EQ(side(LayerBuilder(nhwc(1, 8, 8, 1)).transposed(1, square(3, 1))), "3");
    EXPECT_EQ(side(LayerBuilder(nhwc(1, 8, 8, 1)).transposed(1, square(2, 2)).conv(1, square(3))), "2");
}

TEST(ReceptiveField, OfEveryStageAtOnce) {
    LayerBuilder layer(nhwc(1, 64, 64, 4));
    layer.conv(4, square(3, 2, 1)).shuffle(2).conv(4, square(5, 1, 4, 2)).transposed(4, square(3));
    layer.transposed(4, square(4, 2)).conv(4, square(3));
    const std::vector<std::vector<Count>> fields = receptive_fields(layer);
    ASSERT_EQ(fields.size(), 6U);
    for (size_t i = 0; i < fields.size(); i++) {
        EXPECT_EQ(text(fields[i][1]), text(receptive_field(layer, static_cast<int>(i))[1])) << "stage " << i;
    }
    EXPECT_EQ(text(fields[2][0]), "19");
}

// ---- dense equivalents

std::string dense_line(const LayerBuilder &built) {
    std::optional<Stage> dense = dense_equivalent(built);
    if (!dense) return "none";
    Layer layer = built.layer();
    layer.stages = {*dense};
    return print_stage(layer, 0);
}

TEST(DenseEquivalent, ComposesKernelsStridesAndPadding) {
    const TensorType x = nhwc(1, 64, 64, 8);
    EXPECT_EQ(dense_line(LayerBuilder(x).depthwise(square(3)).conv(16, square(1))), "conv(16, 3x3)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(16, square(3)).conv(16, square(3))), "conv(16, 5x5)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(16, square(3, 2, 1)).conv(4, square(3, 2, 1))),
              "conv(4, 7x7, stride=4, pad=3)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(16, square(3, 1, 1), 4).shuffle(4)), "conv(16, 3x3, pad=1)");
    EXPECT_EQ(dense_line(LayerBuilder(x).shuffle(4)), "none");
}

TEST(DenseEquivalent, KeepsADilationThatMissesNothing) {
    const TensorType x = nhwc(1, 64, 64, 8);
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(8, square(3, 1, 2, 2))), "conv(8, 3x3, pad=2, dilation=2)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(8, square(3, 1, 2, 2)).conv(8, square(3, 1, 2, 2))),
              "conv(8, 5x5, pad=4, dilation=2)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(8, square(3, 1, 2, 2)).conv(8, square(1))),
              "conv(8, 3x3, pad=2, dilation=2)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(8, square(3, 1, 1)).conv(8, square(3, 1, 2, 2))), "conv(8, 7x7, pad=3)");
}

TEST(DenseEquivalent, OfTransposedStages) {
    const TensorType x = nhwc(1, 16, 16, 8);
    EXPECT_EQ(dense_line(LayerBuilder(x).transposed(4, square(4, 2, 1), 4)), "transposed(4, 4x4, stride=2, pad=1)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(4, square(1)).transposed(4, square(4, 2, 1))),
              "transposed(4, 4x4, stride=2, pad=1)");
    EXPECT_EQ(dense_line(LayerBuilder(x).conv(4, square(3)).transposed(4, square(4, 2, 1))), "none");
    EXPECT_EQ(dense_line(LayerBuilder(x).transposed(4, square(2, 2)).transposed(4, square(2, 2))), "none");
}

TEST(DenseEquivalent, HasTheShapeOfTheChain) {
    // floor((floor((i + p1 - k1) / s1) + 1 + p2 - k2) / s2) + 1 is one floor: the composed axis gives the same extent.
    for (int64_t extent = 9; extent <= 24; extent++) {
        for (int64_t stride = 1; stride <= 3; stride++) {
            const Layer chain =
                LayerBuilder(nhwc(1, extent, extent, 4)).conv(4, square(3, stride, 1)).depthwise(square(2, 2));
            const std::optional<Stage> dense = dense_equivalent(chain);
            ASSERT_TRUE(dense);
            const Layer alone = LayerBuilder(nhwc(1, extent, extent, 4)).conv(4, dense->axes);
            EXPECT_EQ(alone.output(), chain.output()) << "extent " << extent << " stride " << stride;
        }
    }
}

}  // namespace
}  // namespace convc
