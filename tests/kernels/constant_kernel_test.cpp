// Constant kernels of rank 1: found, written as a row and a column, and right that way; zero taps are left out.
#include "schedules/constant_kernel.h"

#include <gtest/gtest.h>

#include <limits>

#include "schedules/schedule_table.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::square;

Stage stage_with(std::vector<double> weights, int64_t height, int64_t width, Precision precision) {
    Stage stage;
    stage.kind = StageKind::depthwise;
    stage.axes.resize(2);
    stage.axes[0].kernel = height;
    stage.axes[1].kernel = width;
    stage.weights = std::move(weights);
    stage.precision = precision;
    return stage;
}

// Empty where there is none.
SeparableKernel factors(std::vector<double> weights, int64_t height, int64_t width,
                        Precision precision = Precision::standard) {
    return separable_kernel(stage_with(std::move(weights), height, width, precision)).value_or(SeparableKernel{});
}

using Taps = std::vector<double>;

TEST(SeparableKernels, ExactOnesAreFound) {
    EXPECT_EQ(factors({-1, 0, 1, -2, 0, 2, -1, 0, 1}, 3, 3).row, (Taps{-1, 0, 1}));
    EXPECT_EQ(factors({-1, 0, 1, -2, 0, 2, -1, 0, 1}, 3, 3).column, (Taps{1, 2, 1}));
    // No row is a multiple of another by an integer.
    EXPECT_EQ(factors({4, 6, 6, 9}, 2, 2).row, (Taps{2, 3}));
    EXPECT_EQ(factors({4, 6, 6, 9}, 2, 2).column, (Taps{2, 3}));
    EXPECT_EQ(factors({0.25, 0.5, 0.5, 1}, 2, 2).row, (Taps{0.25, 0.5}));
    EXPECT_EQ(factors({0.25, 0.5, 0.5, 1}, 2, 2).column, (Taps{1, 2}));
    EXPECT_EQ(factors({0, 0, 0, 5}, 2, 2).row, (Taps{0, 1}));
}

TEST(SeparableKernels, OthersAreNot) {
    EXPECT_TRUE(factors({1, 2, 3, 4}, 2, 2).row.empty());
    EXPECT_TRUE(factors({0, 0, 0, 0}, 2, 2).row.empty());
    EXPECT_TRUE(factors({1, 2, 3}, 1, 3).row.empty());
    EXPECT_TRUE(factors({1, 2, 2, 4}, 2, 2, Precision::strict).row.empty());
    // Of rank 1 but for rounding: the product would not be the kernel.
    EXPECT_TRUE(factors({0.1, 0.2, 0.3, 0.6}, 2, 2).row.empty());
    EXPECT_FALSE(factors({0.1, 0.2, 0.3, 0.6}, 2, 2, Precision::fast).row.empty());
    EXPECT_TRUE(factors({0.1, 0.2, 0.3, 0.61}, 2, 2, Precision::fast).row.empty());
    // A tap that is almost zero is not one that contributes nothing.
    EXPECT_TRUE(factors({1, 1, 1e-9, 0}, 2, 2, Precision::fast).row.empty());
}

std::vector<double> random_factor(test::Random &random, int64_t taps) {
    std::vector<double> factor;
    factor.reserve(static_cast<size_t>(taps));
    for (int64_t i = 0; i < taps; i++) factor.push_back(static_cast<double>(random.between(-3, 3)));
    factor[static_cast<size_t>(random.between(0, taps - 1))] = 2;
    return factor;
}

Axis random_axis(test::Random &random, int64_t extent) {
    Axis axis;
    axis.kernel = random.between(2, 5);
    axis.stride = random.between(1, 2);
    axis.dilation = random.between(1, 2);
    axis.pad_before = random.between(0, 3);
    axis.pad_after = std::max(random.between(0, 3), axis.effective_kernel() - extent);
    return axis;
}

Layer random_layer(test::Random &random, Layout layout, bool at_run_time) {
    const std::vector<int64_t> space{random.between(4, 12), random.between(4, 40)};
    const std::vector<Axis> axes{random_axis(random, space[0]), random_axis(random, space[1])};
    const std::vector<double> column = random_factor(random, axes[0].kernel),
                              row = random_factor(random, axes[1].kernel);
    std::vector<double> weights;
    for (double u : column) {
        for (double v : row) weights.push_back(u * v);
    }
    const TensorType fixed = test::tensor(layout, 2, space, random.between(1, 40));
    const TensorType open = test::tensor(layout, 2, {runtime_extent, runtime_extent}, fixed.channels);
    LayerBuilder builder(at_run_time ? open : fixed);
    builder.depthwise(axes, random.between(1, 2)).weights(weights).epilogue(EpilogueKind::bias);
    if (random.one_in(2)) builder.flip();
    if (random.one_in(2)) builder.pad_mode(PadMode::replicate);
    return builder;
}

class SeparableSample : public testing::TestWithParam<Layout> {};

TEST_P(SeparableSample, IsRightAsAPairAndWhole) {
    test::Random random(static_cast<uint64_t>(GetParam()));
    for (int i = 0; i < test::sample_size(8, 300); i++) {
        const Layer layer = random_layer(random, GetParam(), false);
        const Algorithm *depthwise = algorithm_named("depthwise");
        Schedule schedule = depthwise->default_schedule({&layer, 0, 1}, test::kernel_target());
        ASSERT_EQ(schedule.knobs.back().first, "separable") << layer.canonical_line();
        for (const int64_t apart : {0, 1}) {
            schedule.knobs.back().second = apart;
            test::expect_right(layer, {schedule});
        }
    }
}

TEST_P(SeparableSample, IsRightAtRuntimeExtents) {
    test::Random random(static_cast<uint64_t>(GetParam()) + 100);
    for (int i = 0; i < test::sample_size(4, 100); i++) {
        const Layer layer = random_layer(random, GetParam(), true);
        Schedule schedule = algorithm_named("depthwise")->default_schedule({&layer, 0, 1}, test::kernel_target());
        schedule.knobs.back().second = 1;
        const auto kernel = test::compile(layer, {schedule});
        ASSERT_TRUE(kernel);
        for (const std::vector<int64_t> &extents : {std::vector<int64_t>{9, 9}, {20, 70}}) {
            const test::KernelUnderTest at = kernel->with(extents);
            EXPECT_TRUE(at.agrees(test::uniform_data(at.layer(), 3), Tolerance::bounded));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Layouts, SeparableSample, testing::Values(Layout::nhwc, Layout::nchw));

// An infinite input under a tap of 0 contributes nothing, whole or as a pair.
TEST(SeparableKernels, ZeroTapsMeetNothing) {
    LayerBuilder builder(test::nhwc(1, 5, 5, 1));
    const Layer layer = builder.depthwise(square(3)).weights({1, 0, 2, 0, 0, 0, 3, 0, 6});
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    test::LayerData data = test::uniform_data(layer, 1);
    data.inputs[0][12] = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(kernel->agrees(data, Tolerance::bounded));
}

}  // namespace
}  // namespace convc
