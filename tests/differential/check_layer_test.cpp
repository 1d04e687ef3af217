// What the differential tests stand on notices a kernel that is broken, and the shrinker then finds what breaks it.
#include "tests/differential/check_layer.h"

#include <gtest/gtest.h>

#include "tests/support/build_layer.h"
#include "tests/support/shrink_layer.h"

namespace convc {
namespace {

using test::check_layer;
using test::LayerBuilder;
using test::LayerCheck;
using test::square;
using Outcome = LayerCheck::Outcome;

LayerBuilder chain() {
    LayerBuilder builder(test::nhwc(2, 9, 8, 6));
    builder.conv(8, square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu);
    builder.depthwise(square(3, 2, 2, 2)).epilogue(EpilogueKind::scale);
    return builder;
}

TEST(CheckLayer, AgreesOnARightKernel) {
    const LayerCheck check = check_layer(chain(), 1);
    EXPECT_EQ(check.outcome, Outcome::agrees) << check.why;
    EXPECT_EQ(check.by_reference, 2);
    EXPECT_EQ(check.by_onednn, 2);
}

TEST(CheckLayer, CallsAKernelOfRunTimeExtentsSeveralTimes) {
    const LayerCheck check =
        check_layer(LayerBuilder(test::nhwc(1, runtime_extent, runtime_extent, 3)).conv(4, square(3, 1, 1)), 1);
    EXPECT_EQ(check.outcome, Outcome::agrees) << check.why;
    EXPECT_EQ(check.by_reference, 8);
}

// A compiler that forgets to turn round the kernels of dilated stages.
Layer without_flip_where_dilated(const Layer &layer) {
    Layer broken = layer;
    for (Stage &stage : broken.stages) {
        if (!stage.axes.empty() && stage.axes.back().dilation > 1) stage.flip = false;
    }
    return broken;
}

TEST(CheckLayer, ABrokenCompilerIsNoticedAndTheLayerShrunk) {
    LayerBuilder builder = chain();
    const Layer layer = builder.flip().conv(5, square(1)).epilogue(EpilogueKind::sigmoid);
    const LayerCheck check = check_layer(layer, 1, without_flip_where_dilated);
    ASSERT_EQ(check.outcome, Outcome::fails);
    EXPECT_NE(check.why.find("elements differ"), std::string::npos) << check.why;
    const test::Shrunk shrunk = test::shrink_layer(layer, [](const Layer &simpler) {
        return check_layer(simpler, 1, without_flip_where_dilated).outcome == Outcome::fails;
    });
    // Two taps, dilated, of one channel: less cannot be turned round, or is not dilated.
    ASSERT_EQ(shrunk.layer.stages.size(), 1U) << shrunk.layer.canonical_line();
    const Stage &stage = shrunk.layer.stages[0];
    EXPECT_TRUE(stage.flip);
    EXPECT_TRUE(stage.epilogues.empty());
    EXPECT_EQ(stage.kernel_volume(), 2);
    EXPECT_EQ(stage.axes.back().dilation, 2);
    EXPECT_EQ(stage.in_channels, 1);
    EXPECT_EQ(stage.output.elements(), 1);
}

}  // namespace
}  // namespace convc
