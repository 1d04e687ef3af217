// `?` extents: what is worked out from them, and what is refused.
#include "compiler/reference/runtime_extents.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "tests/support/build_layer.h"
#include "tests/support/random_layer.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::square;

constexpr int64_t open = runtime_extent;

Result<Layer> resolve(const Layer &layer, const std::vector<int64_t> &extents) {
    return resolve_runtime_extents(layer, extents);
}

TEST(RuntimeExtents, FillInThatOrderAndWorkOutEveryOutput) {
    LayerBuilder builder(test::nhwc(open, open, 9, 2));
    builder.conv(4, square(3, 2, 1)).transposed(2, square(2, 2));
    const Result<Layer> layer = resolve(builder, {5, 7});
    ASSERT_TRUE(layer) << layer.error().message;
    EXPECT_EQ(layer->inputs[0].type, test::nhwc(5, 7, 9, 2));
    EXPECT_EQ(layer->stages[0].output, test::nhwc(5, 4, 5, 4));
    EXPECT_EQ(layer->stages[1].output, test::nhwc(5, 8, 10, 2));
}

TEST(RuntimeExtents, LeaveAClosedLayerAsItIs) {
    const Layer layer = LayerBuilder(test::nhwc(1, 7, 9, 2)).conv(4, square(3, 2, 1, 2)).depthwise(square(2));
    EXPECT_EQ(*resolve(layer, {}), layer);
}

TEST(RuntimeExtents, SamePaddingFollowsFromTheExtent) {
    std::vector<Axis> axes = square(3, 2);
    for (Axis &axis : axes) axis.same_at_run_time = true;
    const Layer layer = LayerBuilder(test::nhwc(1, open, open, 1)).conv(1, axes);
    const Result<Layer> resolved = resolve(layer, {5, 6});
    ASSERT_TRUE(resolved);
    EXPECT_EQ(resolved->stages[0].output, test::nhwc(1, 3, 3, 1));
    const std::vector<Axis> &got = resolved->stages[0].axes;
    EXPECT_EQ(got[0].pad_before, 1);
    EXPECT_EQ(got[0].pad_after, 1);
    EXPECT_EQ(got[1].pad_before, 0);  // the odd one goes after
    EXPECT_EQ(got[1].pad_after, 1);
    EXPECT_FALSE(got[0].same_at_run_time);
}

TEST(RuntimeExtents, FurtherTensorsTakeTheExtentsTheyMeet) {
    LayerBuilder builder(test::nhwc(1, open, open, 2));
    builder.input("gate", test::nhwc(1, open, 1, 2)).conv(2, square(3)).epilogue(EpilogueKind::mul, 1);
    const Result<Layer> layer = resolve(builder, {6, 7});
    ASSERT_TRUE(layer) << layer.error().message;
    EXPECT_EQ(layer->inputs[1].type, test::nhwc(1, 4, 1, 2));
}

TEST(RuntimeExtents, WhatDoesNotFitIsRefused) {
    const Layer layer = LayerBuilder(test::nhwc(1, open, open, 1)).conv(1, square(3, 1, 1));
    EXPECT_EQ(resolve(layer, {4}).error().message, "1 run-time extents given, but x has 2");
    EXPECT_EQ(resolve(layer, {4, 4, 4}).error().message, "3 run-time extents given, but x has 2");
    EXPECT_EQ(resolve(layer, {4, 0}).error().message, "extent 0 of x is not positive");
    const Layer valid = LayerBuilder(test::nhwc(1, open, open, 1)).conv(1, square(5));
    EXPECT_EQ(resolve(valid, {5, 4}).error().message, "a kernel that spans 5 does not fit an input of 4 padded by 0");
    const Layer reflect =
        LayerBuilder(test::nhwc(1, open, open, 1)).conv(1, square(5, 1, 2)).pad_mode(PadMode::reflect);
    EXPECT_TRUE(resolve(reflect, {3, 3}));
    EXPECT_EQ(resolve(reflect, {2, 3}).error().message,
              "reflect padding by 2 needs more than the 2 elements there are");
    const Layer circular = LayerBuilder(test::nhwc(1, open, 3, 1)).conv(1, square(5, 1, 2)).pad_mode(PadMode::circular);
    EXPECT_TRUE(resolve(circular, {2}));
    EXPECT_FALSE(resolve(circular, {1}));
}

TEST(RuntimeExtents, AddedTensorsMustFit) {
    LayerBuilder builder(test::nhwc(1, open, 4, 1));
    builder.conv(1, square(3)).epilogue(EpilogueKind::add, 0);
    EXPECT_EQ(resolve(builder, {4}).error().message, "x has extent 4 where the output that it meets has 2");
}

TEST(RuntimeExtents, NothingOverflows) {
    constexpr int64_t huge = std::numeric_limits<int64_t>::max();
    const Layer conv = LayerBuilder(test::nhwc(1, open, open, 1)).conv(1, square(3, 1, 1));
    EXPECT_FALSE(resolve(conv, {huge, huge}));
    const Layer many = LayerBuilder(test::nhwc(1, open, 1, 1)).conv(64, square(1));
    EXPECT_TRUE(resolve(many, {huge / 64}));
    EXPECT_FALSE(resolve(many, {huge / 32}));
    const Layer transposed = LayerBuilder(test::nhwc(1, open, 1, 1)).transposed(1, square(3, 4));
    EXPECT_FALSE(resolve(transposed, {huge / 2}));
}

std::vector<int64_t> take_extents(TensorType &type) {
    std::vector<int64_t> taken{std::exchange(type.batch, runtime_extent)};
    for (int64_t &extent : type.space) taken.push_back(std::exchange(extent, runtime_extent));
    return taken;
}

// `?` for every extent, as the language reads it, and then the numbers again: a layer becomes at run time what it is
// when they are written.
TEST(RuntimeExtents, GiveTheShapesOfTheLanguage) {
    test::RandomLayers layers(7285);
    int tried = 0;
    for (int i = 0; i < 1000 && !HasFailure(); i++) {
        const Layer layer = layers.next();
        Layer unknown = layer;
        const std::vector<int64_t> extents = take_extents(unknown.inputs[0].type);
        if (unknown.inputs.size() > 1) continue;
        const SourceFile file{"<layer>", unknown.canonical_line()};
        Diagnostics diagnostics;
        const CheckedModule checked = check_module(parse_module(file, diagnostics), diagnostics);
        if (diagnostics.has_errors()) continue;  // x, open, cannot be added
        const Result<Layer> resolved = resolve_runtime_extents(checked.layers[0].layer, extents);
        ASSERT_TRUE(resolved) << resolved.error().message;
        EXPECT_EQ(*resolved, layer) << layer.canonical_line();
        tried++;
    }
    EXPECT_GT(tried, 300);
}

}  // namespace
}  // namespace convc
