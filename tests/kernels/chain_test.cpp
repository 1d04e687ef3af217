// Several stages in one entry point: fused into one kernel, or one after the other with what lies between them in the
// workspace.
#include <gtest/gtest.h>

#include <string>

#include "compiler/plan/plan.h"
#include "schedules/chain_shape.h"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::square;

TEST(Chain, InvertedResidual) {
    LayerBuilder builder(test::nhwc(1, 14, 13, 24));
    builder.conv(40, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
    builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
    builder.conv(24, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::add, 0);
    test::expect_right(builder);
}

TEST(Chain, TensorsThatSeveralStagesUse) {
    LayerBuilder builder(test::tensor(Layout::nchw, 2, {9, 7}, 6));
    builder.input("gate", test::tensor(Layout::nchw, 1, {1, 1}, 6));
    builder.conv(6, square(3, 1, 1)).epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::relu);
    builder.depthwise(square(5, 1, 2)).epilogue(EpilogueKind::add, 0);
    builder.conv(6, square(1)).epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::add, 0);
    test::expect_right(builder);
}

TEST(Chain, SeparableWithConstantWeights) {
    LayerBuilder builder(test::nhwc(1, 17, 19, 1));
    builder.depthwise({line(3, 1, 1)[0], line(1)[0]}).weights({1, 2, 1});
    builder.depthwise({line(1)[0], line(3, 1, 1)[0]}).weights({-1, 0, 1});
    test::expect_right(builder);
}

TEST(Chain, SixStages) {
    LayerBuilder builder(test::tensor(Layout::nwc, 1, {40}, 8));
    for (int i = 0; i < 3; i++) {
        builder.conv(16 + i, line(3, 1, 1)).epilogue(EpilogueKind::relu);
        builder.depthwise(line(2 + i, 1 + i % 2)).epilogue(EpilogueKind::bias);
    }
    test::expect_right(builder);
}

TEST(Chain, DownAndUpAgain) {
    LayerBuilder builder(test::nhwc(1, 12, 10, 6));
    builder.conv(12, square(3, 2, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu);
    builder.transposed(6, square(4, 2, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::add, 0);
    builder.depthwise(square(3, 1, 1)).transposed(3, square(2, 2)).epilogue(EpilogueKind::sigmoid);
    test::expect_right(builder);
}

// ---- fused

// The machine at hand with a fixed number of threads: what is fused depends on it.
Target with_threads(int threads) {
    Target target = test::kernel_target();
    target.threads = threads;
    return target;
}

// One kernel a stage; empty where some stage has none of its own.
std::vector<Schedule> sequence(const Layer &layer, const Target &target) {
    std::vector<Schedule> all;
    for (int i = 0; i < static_cast<int>(layer.stages.size()); i++) {
        const StageGroup stage{&layer, i, 1};
        for (const Algorithm &algorithm : schedule_table()) {
            if (algorithm.refusal(stage, target)) continue;
            all.push_back(algorithm.default_schedule(stage, target));
            break;
        }
    }
    return all.size() == layer.stages.size() ? all : std::vector<Schedule>{};
}

// The same layer without Winograd, which may be the better choice for a stage, and is exact on no integers.
Layer strictly(Layer layer) {
    for (Stage &stage : layer.stages) {
        if (stage.kind != StageKind::shuffle) stage.precision = Precision::strict;
    }
    return layer;
}

// The chain is the plan where channels lie last; right, to the bit what the stages compute one by one on integers, and
// in no more memory than these and a copy of the input with its border.
void expect_fused(const Layer &as_given, const Target &target = with_threads(2)) {
    const Layer layer = strictly(as_given);
    const StageGroup whole{&layer, 0, static_cast<int>(layer.stages.size())};
    const std::vector<Schedule> chain{default_of_any_width(*algorithm_named("chain"), whole, target)};
    if (channels_last(layer.output().layout)) {
        const Result<Plan> plan = make_plan(layer, target);
        ASSERT_TRUE(plan) << plan.error().message;
        EXPECT_EQ(print_schedules(plan->schedules()), print_schedules(chain)) << layer.canonical_line();
    }
    test::expect_right(layer, chain, 1, target);

    const std::vector<Schedule> one_by_one = sequence(layer, target);
    if (one_by_one.empty()) return;
    const auto fused = test::compile(layer, chain, {}, target), unfused = test::compile(layer, one_by_one, {}, target);
    const auto data = test::exact_data(layer, 2);
    ASSERT_TRUE(fused && unfused && data);
    const auto together = fused->run(*data), apart = unfused->run(*data);
    ASSERT_TRUE(together && apart);
    EXPECT_EQ(*together, *apart) << layer.canonical_line();
    EXPECT_LE(fused->info().workspace_bytes, sequence_workspace_bytes(whole)) << layer.canonical_line();
}

std::vector<Axis> window(int64_t height, int64_t width) {
    return {line(height, 1, height / 2)[0], line(width, 1, width / 2)[0]};
}

TEST(FusedChain, DepthwiseSeparable) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        LayerBuilder builder(test::tensor(layout, 2, {24, 13}, 32));
        builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu);
        expect_fused(builder.conv(19, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu));
    }
}

TEST(FusedChain, DepthwiseSeparableWithAnotherBorder) {
    LayerBuilder builder(test::nhwc(1, 24, 13, 32));
    expect_fused(builder.depthwise(square(3, 2, 1)).pad_mode(PadMode::reflect).conv(19, square(1)));
}

TEST(FusedChain, PointwiseDepthwise) {
    LayerBuilder builder(test::nhwc(1, 40, 13, 8));
    expect_fused(builder.conv(32, square(1)).epilogue(EpilogueKind::relu).depthwise(square(5, 2, 2)));
}

TEST(FusedChain, InvertedResidualWithTheResidualAdd) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        LayerBuilder builder(test::tensor(layout, 1, {28, 11}, 12));
        builder.conv(72, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
        builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
        expect_fused(builder.conv(12, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::add, 0));
    }
}

TEST(FusedChain, ColumnThenRow) {
    LayerBuilder same(test::nhwc(1, 18, 17, 16));
    expect_fused(same.conv(16, window(7, 1)).epilogue(EpilogueKind::relu).conv(16, window(1, 7)));
    LayerBuilder others(test::tensor(Layout::nchw, 1, {18, 17}, 16));
    expect_fused(others.conv(24, window(3, 1)).epilogue(EpilogueKind::relu).conv(40, window(1, 3)));
}

TEST(FusedChain, RowThenColumnInStripsOfColumns) {
    LayerBuilder builder(test::nhwc(1, 18, 18, 16));
    builder.conv(16, window(1, 7)).epilogue(EpilogueKind::relu).conv(24, window(7, 1)).epilogue(EpilogueKind::bias);
    builder.precision(Precision::strict);  // or Winograd would save more on each stage
    expect_fused(builder);
    const Result<Plan> plan = make_plan(builder, with_threads(2));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->groups[0].schedule.knob("along_width"), 1);
}

TEST(FusedChain, Flattened) {
    LayerBuilder builder(test::nhwc(1, 30, 16, 16));
    builder.conv(32, square(1)).epilogue(EpilogueKind::bias).depthwise(window(3, 1)).epilogue(EpilogueKind::bias);
    expect_fused(builder.depthwise(window(1, 3)).epilogue(EpilogueKind::relu));
}

TEST(FusedChain, GroupedShuffleGrouped) {
    LayerBuilder builder(test::nhwc(1, 28, 14, 16));
    builder.conv(32, square(3, 1, 1), 4).epilogue(EpilogueKind::relu).shuffle(4).epilogue(EpilogueKind::scale);
    expect_fused(builder.conv(32, square(3, 1, 1), 4).epilogue(EpilogueKind::bias));
}

// 20 channels a group do not fall evenly on the groups of the shuffle.
TEST(FusedChain, ShuffleNetUnit) {
    LayerBuilder builder(test::nhwc(1, 28, 14, 240));
    builder.conv(60, square(1), 3).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu).shuffle(3);
    builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::bias).conv(240, square(1), 3);
    builder.epilogue(EpilogueKind::bias).epilogue(EpilogueKind::add, 0).epilogue(EpilogueKind::relu);
    expect_fused(builder);
}

// Parameters and tensors of stages whose channels lie in another order than the layer's.
TEST(FusedChain, EverythingBehindAShuffle) {
    LayerBuilder builder(test::nhwc(2, 28, 14, 12));
    builder.input("gate", test::nhwc(2, 28, 1, 96)).input("rest", test::nhwc(1, 28, 14, 48));
    builder.conv(48, square(1), 3).epilogue(EpilogueKind::scale).shuffle(3).epilogue(EpilogueKind::bias);
    builder.epilogue(EpilogueKind::add, 2).depthwise(square(3, 1, 1), 2).epilogue(EpilogueKind::scale);
    builder.epilogue(EpilogueKind::mul, 1).conv(20, square(1)).epilogue(EpilogueKind::bias);
    expect_fused(builder);
}

TEST(FusedChain, OneAndThreeAxes) {
    for (Layout layout : {Layout::nwc, Layout::ncw}) {
        LayerBuilder builder(test::tensor(layout, 2, {96}, 20));
        expect_fused(builder.conv(32, line(1)).depthwise(line(3, 1, 1)).conv(16, line(3, 2, 1)), with_threads(1));
    }
    for (Layout layout : {Layout::ndhwc, Layout::ncdhw}) {
        LayerBuilder builder(test::tensor(layout, 1, {3, 20, 9}, 16));
        builder.depthwise({line(3, 1, 1)[0], line(3, 1, 1)[0], line(3, 1, 1)[0]});
        expect_fused(builder.conv(24, {Axis{}, Axis{}, Axis{}}).epilogue(EpilogueKind::relu));
    }
}

// Where fusing would compute too much twice, the stages follow one another.
TEST(FusedChain, NotWhereItDoesNotPay) {
    const Layer layer = LayerBuilder(test::nhwc(1, 8, 8, 32)).conv(32, square(5, 1, 2)).conv(32, square(5, 1, 2));
    const Result<Plan> plan = make_plan(strictly(layer), with_threads(8));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->groups.size(), 2U);
    EXPECT_TRUE(make_plan(strictly(layer), with_threads(1))->groups.size() == 1);
    // Nor where each stage takes a third of the multiplications by itself.
    const Result<Plan> apart = make_plan(layer, with_threads(1));
    ASSERT_TRUE(apart);
    EXPECT_EQ(apart->groups.size(), 2U);
    EXPECT_EQ(apart->groups[0].schedule.algorithm, "winograd");
}

// Strips and tiles that end before, with and behind the tensor.
TEST(FusedChain, Tails) {
    const auto schedule = [](int64_t along_width, int64_t rows, int64_t columns) {
        return Schedule{"chain",
                        {{"stages", 3},
                         {"along_width", along_width},
                         {"parts", 1},
                         {"rows", rows},
                         {"vectors0", 1},
                         {"columns0", columns},
                         {"columns1", columns},
                         {"vectors2", 1},
                         {"columns2", columns}}};
    };
    for (const auto &[height, width] : {std::pair{3, 15}, {4, 16}, {5, 17}, {7, 3}, {8, 4}, {9, 5}}) {
        LayerBuilder builder(test::nhwc(1, height, width, 5));
        builder.conv(20, square(1)).epilogue(EpilogueKind::bias).depthwise(square(3, 1, 1)).conv(9, square(1));
        test::expect_right(builder, {schedule(0, 1, std::min(width, 4))}, 1, with_threads(1));
        if (height == 8) test::expect_right(builder, {schedule(0, 2, std::min(width, 4))}, 1, with_threads(1));
        if (width > 5) test::expect_right(builder, {schedule(1, 4, 4)}, 1, with_threads(1));
    }
}

class RandomChain : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomChain, OfUpToFourStages) {
    test::RandomLayers layers(GetParam(), {.kinds = {StageKind::convolution, StageKind::depthwise},
                                           .most_stages = 4,
                                           .most_space = 20,
                                           .most_channels = 12,
                                           .most_kernel = 3,
                                           .integers = GetParam() % 2 == 0});
    for (int i = 0; i < test::sample_size(6, 100); i++) test::expect_right(layers.next(), {}, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomChain, testing::Range<uint64_t>(0, 4));

}  // namespace
}  // namespace convc
