// Channel shuffles: alone, as a pass over memory, and folded into the convolution before or behind them.
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/plan/plan.h"
#include "schedules/folded_shuffle.h"
#include "schedules/schedule_table.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using Fold = FoldedShuffle::Fold;
using test::LayerBuilder;
using test::square;

// By `direct` in one group, whatever the planner would rather do, and by `grouped` where it computes the convolution.
void expect_folded(const Layer &layer, Fold fold) {
    SCOPED_TRACE(layer.canonical_line());
    const StageGroup group{&layer, 0, 2};
    EXPECT_EQ(folded_shuffle(group).fold, fold);
    for (const char *name : {"direct", "grouped"}) {
        const Algorithm *algorithm = algorithm_named(name);
        const auto refusal = algorithm->refusal(group, test::kernel_target());
        EXPECT_TRUE(!refusal || algorithm != algorithm_named("direct"));
        if (!refusal) test::expect_right(layer, {algorithm->default_schedule(group, test::kernel_target())});
    }
}

TEST(Shuffle, FoldsIntoEitherNeighbour) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        const auto x = [&] { return LayerBuilder(test::tensor(layout, 2, {7, 9}, 24)); };
        const std::vector<Axis> pad = square(3, 1, 1), point = square(1);
        expect_folded(x().shuffle(4).conv(10, pad), Fold::input_weights);
        expect_folded(x().shuffle(4).conv(18, point, 3).epilogue(EpilogueKind::bias), Fold::input_indices);
        expect_folded(x().shuffle(8).conv(18, square(3, 2), 3), Fold::input_indices);
        expect_folded(x().shuffle(8).conv(18, square(3, 1, 1), 3), Fold::input_indices);
        expect_folded(x().shuffle(8).conv(24, square(3, 1, 1), 12), Fold::input_indices);
        expect_folded(x().conv(24, square(3, 1, 1), 12).shuffle(12), Fold::output_strides);
        expect_folded(x().conv(30, pad).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::scale).shuffle(5),
                      Fold::output_weights);
        expect_folded(x().conv(30, pad, 3).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu).shuffle(3),
                      Fold::output_strides);
        expect_folded(x().conv(57, point, 3).epilogue(EpilogueKind::scale).shuffle(3), Fold::output_strides);
    }
}

TEST(Shuffle, FoldsBesideRuntimeExtents) {
    const TensorType type = test::nhwc(runtime_extent, runtime_extent, runtime_extent, 12);
    for (const Layer &layer : {Layer(LayerBuilder(type).conv(18, square(3, 1, 1), 3).shuffle(3)),
                               Layer(LayerBuilder(type).shuffle(4).conv(18, square(3, 1, 1), 3))}) {
        const Result<Plan> plan = make_plan(layer, test::kernel_target());
        ASSERT_TRUE(plan);
        EXPECT_EQ(plan->groups.size(), 1U) << layer.canonical_line();
        const auto kernel = test::compile(layer);
        ASSERT_TRUE(kernel);
        const test::KernelUnderTest at = kernel->with({2, 5, 37});
        EXPECT_TRUE(at.agrees(*test::exact_data(at.layer(), 1), Tolerance::exact));
    }
}

TEST(Shuffle, StaysAPassWhereNothingTakesItIn) {
    const Layer layer = LayerBuilder(test::nhwc(1, 6, 6, 24)).conv(24, square(3, 1, 1), 4).shuffle(3);
    const Result<Plan> plan = make_plan(layer, test::kernel_target());
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->groups.size(), 2U);
    EXPECT_EQ(plan->groups[1].schedule.algorithm, "shuffle");
    test::expect_right(layer);
}

class Shuffles : public testing::TestWithParam<uint64_t> {};

TEST_P(Shuffles, AloneWithAnyEpilogues) {
    test::RandomLayers layers(
        GetParam(), {.kinds = {StageKind::shuffle}, .most_stages = 1, .most_channels = 60, .most_groups = 20});
    test::Random random(GetParam());
    for (int i = 0; i < test::sample_size(12, 500); i++) {
        const Layer layer = layers.next();
        const StageGroup group{&layer, 0, 1};
        const Knob pixels = algorithm_named("shuffle")->knobs(group, test::kernel_target())[0];
        test::expect_right(layer, {{"shuffle", {{"pixels", random.between(pixels.low, pixels.high)}}}}, GetParam());
    }
}

TEST_P(Shuffles, AtRuntimeExtents) {
    test::RandomLayers layers(GetParam(), {.kinds = {StageKind::shuffle}, .most_stages = 1, .runtime_extents = true});
    test::Random random(GetParam());
    for (int i = 0; i < test::sample_size(6, 200); i++) {
        const Layer layer = layers.next();
        const std::vector<int64_t> extents = layer.inputs[0].type.extents();
        const auto kernel = test::compile(layer);
        ASSERT_TRUE(kernel);
        for (const int64_t most : {3, 40}) {
            std::vector<int64_t> sizes;
            for (auto left = std::count(extents.begin(), extents.end(), runtime_extent); left > 0; left--) {
                sizes.push_back(random.between(1, most));
            }
            const test::KernelUnderTest at = kernel->with(sizes);
            EXPECT_TRUE(at.agrees(test::uniform_data(at.layer(), 3), Tolerance::bounded));
        }
    }
}

TEST_P(Shuffles, InChains) {
    test::RandomLayers layers(GetParam(), {.kinds = {StageKind::convolution, StageKind::shuffle, StageKind::depthwise},
                                           .most_stages = 4,
                                           .most_channels = 24});
    for (int i = 0; i < test::sample_size(10, 500); i++) test::expect_right(layers.next(), {}, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Seed, Shuffles, testing::Range<uint64_t>(0, 2));

}  // namespace
}  // namespace convc
