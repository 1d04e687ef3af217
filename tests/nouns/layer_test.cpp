// Layers as data: what they say about themselves, and how each part prints.
#include "convc/layer.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/build_layer.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::nhwc;
using test::square;
using test::tensor;

constexpr int64_t largest = std::numeric_limits<int64_t>::max();

TEST(Layouts, NamesReadBack) {
    for (const Layout layout : {Layout::nwc, Layout::ncw, Layout::nhwc, Layout::nchw, Layout::ndhwc, Layout::ncdhw}) {
        EXPECT_EQ(layout_named(layout_name(layout)), layout);
        EXPECT_EQ(static_cast<size_t>(spatial_rank(layout)) + 2, std::string(layout_name(layout)).size());
        EXPECT_EQ(channels_last(layout), std::string(layout_name(layout)).back() == 'c');
    }
    EXPECT_EQ(layout_named("nhcw"), std::nullopt);
}

TEST(Tensors, ExtentsFollowTheLayout) {
    EXPECT_EQ(tensor(Layout::nhwc, 1, {2, 3}, 4).extents(), (std::vector<int64_t>{1, 2, 3, 4}));
    EXPECT_EQ(tensor(Layout::nchw, 1, {2, 3}, 4).extents(), (std::vector<int64_t>{1, 4, 2, 3}));
    EXPECT_EQ(tensor(Layout::ncdhw, 1, {2, 3, 5}, 4).extents(), (std::vector<int64_t>{1, 4, 2, 3, 5}));
}

TEST(Tensors, ElementsAreCountedOrNot) {
    EXPECT_EQ(nhwc(2, 3, 4, 5).elements(), 120);
    EXPECT_EQ(nhwc(1, 1, largest, 1).elements(), largest);
    EXPECT_EQ(nhwc(1, 2, largest, 1).elements(), std::nullopt);
    EXPECT_EQ(nhwc(1, runtime_extent, 4, 5).elements(), std::nullopt);
    EXPECT_TRUE(nhwc(runtime_extent, 3, 4, 5).has_runtime_extent());
    EXPECT_FALSE(nhwc(2, 3, 4, 5).has_runtime_extent());
}

TEST(Tensors, Print) {
    EXPECT_EQ(print_tensor(nhwc(1, 56, runtime_extent, 64)), "f32 nhwc[1, 56, ?, 64]");
    EXPECT_EQ(print_tensor(tensor(Layout::ncw, runtime_extent, {9}, 3)), "f32 ncw[?, 3, 9]");
}

TEST(Numbers, PrintAsShortAsReadsBack) {
    EXPECT_EQ(print_number(1), "1");
    EXPECT_EQ(print_number(-0.125), "-0.125");
    EXPECT_EQ(print_number(0.1), "0.1");
    EXPECT_EQ(print_number(1.0 / 3), "0.3333333333333333");
    EXPECT_EQ(print_number(100000), "100000");
    EXPECT_EQ(print_number(-1234567), "-1234567");
    EXPECT_EQ(print_number(1e30), "1e+30");
    EXPECT_EQ(print_number(1e-7), "1e-07");
}

TEST(Axes, EffectiveKernel) {
    EXPECT_EQ(square(3, 1, 0, 1)[0].effective_kernel(), 3);
    EXPECT_EQ(square(3, 1, 0, 4)[0].effective_kernel(), 9);
    EXPECT_EQ(square(1, 1, 0, 4)[0].effective_kernel(), 1);
}

TEST(Parameters, AreNamedAndShapedAsInPyTorch) {
    const Layer layer = LayerBuilder(nhwc(1, 8, 8, 6))
                            .conv(4, square(3), 2)
                            .epilogue(EpilogueKind::scale)
                            .epilogue(EpilogueKind::bias)
                            .shuffle(2)
                            .transposed(8, square(2, 2), 4)
                            .depthwise(line(3), 2)
                            .layer();
    const std::vector<Parameter> parameters = layer.parameters();
    ASSERT_EQ(parameters.size(), 5U);
    EXPECT_EQ(parameters[0].name(), "0.weight");
    EXPECT_EQ(parameters[0].c_name(), "w0");
    EXPECT_EQ(parameters[0].shape, (std::vector<int64_t>{4, 3, 3, 3}));
    EXPECT_EQ(parameters[0].elements(), 108);
    EXPECT_EQ(parameters[1].name(), "0.bias");
    EXPECT_EQ(parameters[1].shape, (std::vector<int64_t>{4}));
    EXPECT_EQ(parameters[2].name(), "0.scale");
    EXPECT_EQ(parameters[2].c_name(), "s0");
    EXPECT_EQ(parameters[3].name(), "2.weight");
    EXPECT_EQ(parameters[3].shape, (std::vector<int64_t>{4, 2, 2, 2}));
    EXPECT_EQ(parameters[4].name(), "3.weight");
    EXPECT_EQ(parameters[4].shape, (std::vector<int64_t>{16, 1, 3}));
}

TEST(Parameters, ConstantWeightsAreNone) {
    const Layer layer = LayerBuilder(nhwc(1, 8, 8, 6)).depthwise(square(2)).weights({1, 2, 3, 4}).layer();
    EXPECT_TRUE(layer.parameters().empty());
}

TEST(Layers, NamesInC) {
    Layer layer;
    const auto c_name = [&](const char *name) {
        layer.name = name;
        return layer.c_name();
    };
    EXPECT_EQ(c_name("res2_3x3"), "res2_3x3");
    EXPECT_EQ(c_name("body[64]"), "body_64");
    EXPECT_EQ(c_name("body[64, 1]"), "body_64_1");
    EXPECT_EQ(c_name("body[-1]"), "body_m1");
}

TEST(CanonicalLine, OmitsDefaults) {
    const Layer layer = LayerBuilder(nhwc(1, 56, 56, 64))
                            .conv(64, square(3, 1, 1))
                            .epilogue(EpilogueKind::bias)
                            .epilogue(EpilogueKind::relu)
                            .layer();
    EXPECT_EQ(layer.canonical_line(), "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu");
}

TEST(CanonicalLine, PrintsEveryArgumentInOneOrder) {
    std::vector<Axis> axes = square(3, 2, 1, 2);
    axes[1].pad_after = 2;
    Layer layer = LayerBuilder(nhwc(1, 9, 9, 6)).conv(4, axes, 2).pad_mode(PadMode::constant, -0.5).flip().layer();
    layer.stages[0].precision = Precision::fast;
    EXPECT_EQ(
        layer.canonical_line(),
        "f32 nhwc[1, 9, 9, 6] -> conv(4, 3x3, stride=2, pad=[1:1, 1:2], dilation=2, groups=2, flip, pad_mode=-0.5, "
        "precision=fast)");
}

TEST(CanonicalLine, NamesFurtherTensors) {
    Epilogue clip{EpilogueKind::clip, -1, 0.5, -1};
    const Layer layer = LayerBuilder(tensor(Layout::nwc, 1, {9}, 6))
                            .input("gate", tensor(Layout::nwc, 1, {1}, 6))
                            .depthwise(line(3), 2)
                            .weights({1, 2, 1})
                            .epilogue(clip)
                            .conv(6, line(1))
                            .epilogue(EpilogueKind::mul, 1)
                            .layer();
    EXPECT_EQ(layer.canonical_line(),
              "(x: f32 nwc[1, 9, 6], gate: f32 nwc[1, 1, 6]) -> depthwise(3, multiplier=2, weights=[1, 2, 1]) + "
              "clip(-1, 0.5) -> conv(6, 1) + mul(gate)");
}

TEST(CanonicalLine, NestsWeightsAsTheKernel) {
    std::vector<Axis> axes = square(2);
    axes[1].kernel = 3;
    const Layer layer = LayerBuilder(nhwc(1, 9, 9, 6)).depthwise(axes).weights({1, 2, 3, 4, 5, 6}).layer();
    EXPECT_EQ(print_stage(layer, 0), "depthwise(2x3, weights=[[1, 2, 3], [4, 5, 6]])");
}

TEST(CanonicalLine, TransposedAndShuffle) {
    std::vector<Axis> axes = square(4, 2, 1);
    axes[0].output_padding = 1;
    const Layer layer = LayerBuilder(nhwc(1, 9, 9, 6)).shuffle(3).transposed(4, axes, 2).layer();
    EXPECT_EQ(
        layer.canonical_line(),
        "f32 nhwc[1, 9, 9, 6] -> shuffle(3) -> transposed(4, 4x4, stride=2, pad=1, output_padding=1x0, groups=2)");
}

TEST(CanonicalLine, SameAtRunTime) {
    std::vector<Axis> axes = square(3, 2);
    axes[0].same_at_run_time = true;
    axes[1].pad_before = axes[1].pad_after = 1;
    const Layer layer = LayerBuilder(nhwc(1, runtime_extent, 9, 6)).conv(4, axes).layer();
    EXPECT_EQ(layer.canonical_line(), "f32 nhwc[1, ?, 9, 6] -> conv(4, 3x3, stride=2, pad=same)");
}

}  // namespace
}  // namespace convc
