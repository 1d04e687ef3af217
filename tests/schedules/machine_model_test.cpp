// How work is cut into tasks: equal shares first, then as many tasks as cost nothing.
#include "schedules/machine_model.h"

#include <gtest/gtest.h>

#include <string>

#include "compiler/codegen/codegen.h"
#include "compiler/plan/plan.h"
#include "convc/convc.hpp"

namespace convc {
namespace {

constexpr double long_work = 1e9;  // cycles

Target of_threads(int threads) {
    Target target;
    target.threads = threads;
    return target;
}

TEST(FineParts, NoThreadGetsMoreThanItsShare) {
    for (const int threads : {1, 2, 3, 7, 64}) {
        const Target target = of_threads(threads);
        for (int64_t items = 1; items <= 120; items++) {
            for (const int64_t others : {1, 2, 3, 32}) {
                const int64_t balanced = balanced_parts(items, others, target);
                const int64_t fine = fine_parts(items, others, long_work, target);
                ASSERT_GE(fine, balanced);
                ASSERT_LE(fine, items);
                ASSERT_LE(pieces_of_slowest(items, fine, others, target),
                          pieces_of_slowest(items, balanced, others, target))
                    << items << " items " << others << " times on " << threads;
            }
        }
    }
}

TEST(FineParts, AreManyWhereWorkIsLongAndFewWhereItIsShort) {
    const Target two = of_threads(2);
    EXPECT_EQ(fine_parts(56, 1, long_work, two), 28);
    EXPECT_EQ(fine_parts(56, 1, 15 * 20'000, two), 14);
    EXPECT_EQ(fine_parts(56, 1, 20'000, two), balanced_parts(56, 1, two));
    EXPECT_EQ(fine_parts(14, 16, long_work, two), 2) << "32 tasks are enough";
}

TEST(FineParts, StopBeforeTheyCost) {
    const auto dear = [](int64_t parts) { return static_cast<double>(parts) * 0.004 * long_work; };
    const int64_t parts = fine_parts(56, 1, long_work, of_threads(2), dear);
    EXPECT_EQ(parts, 8) << "at 0.4 % a part, 3 % are worth 7 more than the first 2";
}

// A task's part of the workspace is used again by the next task of its thread.
TEST(FineParts, TakeNoMoreWorkspaceThanThereAreThreads) {
    const auto workspace = [](int threads, int parts, const std::string &pad_mode = "reflect") {
        const std::string line = "f32 nhwc[1, 64, 64, 16] -> conv(16, 3x3, stride=2, pad=1, pad_mode=" + pad_mode + ")";
        const std::string schedule = "direct(vectors=1, columns=8, parts=" + std::to_string(parts) +
                                     ", channel_parts=1, pixels_outside=0, unroll=1)";
        const Result<Target> target = parse_target("x86-64-linux-avx2-fma " + std::to_string(threads) + "t");
        const Result<Plan> plan = make_pinned_plan(*parse_layer(line), *target, {*parse_schedule(schedule)});
        const Result<Kernel> kernel = compile_kernel(*plan, "layer");
        EXPECT_TRUE(kernel) << kernel.error().message;
        return kernel ? kernel->workspace_bytes : 0;
    };
    const size_t one = workspace(1, 8);
    EXPECT_GT(one, 0u);
    EXPECT_EQ(workspace(2, 8), 2 * one);
    EXPECT_EQ(workspace(8, 8), 8 * one);
    EXPECT_EQ(workspace(16, 8), 8 * one);
    EXPECT_EQ(workspace(8, 8, "zeros"), 0u) << "zeros are not copied";
}

TEST(WaitingForL3, IsWhatComputingDoesNotHideWhereL3IsSlow) {
    const Target mesh = *parse_target("x86-64-linux-avx512 sapphirerapids"),
                 other = *parse_target("x86-64-linux-avx512");
    EXPECT_EQ(waiting_for_l3(1e6, 1e6, mesh), 0);
    EXPECT_EQ(waiting_for_l3(1e6, 0, mesh), waiting_for_l3(1e6, 1e4, mesh) + 1e4);
    EXPECT_GT(waiting_for_l3(1e6, 1e4, mesh), 0);
    EXPECT_EQ(waiting_for_l3(1e9, 0, other), 0);
}

// Transformed weights are many times the layer's own: from a slow L3 fewer of them take less time, or none.
TEST(WaitingForL3, DecidesBetweenTransformsOfWeights) {
    const auto schedule = [](const std::string &line, const std::string &name) {
        Target target = *parse_target(name);
        target.l2_bytes = 2 << 20;
        target.l3_bytes = 300 << 20;
        const Result<Plan> plan = make_plan(*parse_layer(line), target);
        return plan ? plan->schedules().front() : Schedule{plan.error().message, {}};
    };
    const std::string plain = "x86-64-linux-avx512 2t", mesh = "x86-64-linux-avx512 sapphirerapids 2t";
    const std::string late = "f32 nhwc[1, 7, 7, 512] -> conv(512, 3x3, pad=1)";
    EXPECT_EQ(schedule(late, plain).knob("outputs"), 4);
    EXPECT_EQ(schedule(late, mesh).knob("outputs"), 2);
    const std::string first = "f32 nhwc[1, 4, 4, 512] -> transposed(256, 4x4, stride=2, pad=1)";
    EXPECT_EQ(schedule(first, plain).algorithm, "winograd");
    EXPECT_EQ(schedule(first, mesh).algorithm, "transposed");
    EXPECT_EQ(schedule(first, mesh).knob("parts"), 1) << "each part would read all weights";
    const std::string dilated = "f32 nhwc[1, 1, 4096, 64] -> conv(128, 1x2, dilation=1x64)";
    EXPECT_EQ(schedule(dilated, plain).knob("parts"), 2);
    EXPECT_EQ(schedule(dilated, mesh).knob("parts"), 16) << "what waits for its place has to stay in L2";
}

// 3x3 of stride 2 has phases of one and of two taps, which Winograd's tiles fill with zeros; 4x4 has phases of two.
// Three channels alone fill no vector, with their taps they do.
TEST(TransposedStages, TakeWhatFillsVectors) {
    const auto algorithm = [](const std::string &line) {
        const Result<Plan> plan = make_plan(*parse_layer(line), *parse_target("x86-64-linux-avx512 2t"));
        return plan ? plan->schedules().front().algorithm : plan.error().message;
    };
    EXPECT_EQ(algorithm("f32 nhwc[1, 32, 32, 128] -> transposed(64, 3x3, stride=2, pad=1)"), "transposed");
    EXPECT_EQ(algorithm("f32 nhwc[1, 32, 32, 128] -> transposed(64, 4x4, stride=2, pad=1)"), "winograd");
    EXPECT_EQ(algorithm("f32 nhwc[1, 32, 32, 64] -> transposed(3, 4x4, stride=2, pad=1)"), "col2im");
}

// Few pixels a phase, all in registers: dilations at least a third or so of the image.
TEST(Depthwise, UnderALongDilationTakesAPhaseAtATime) {
    const auto algorithm = [](const std::string &line) {
        const Result<Plan> plan = make_plan(*parse_layer(line), *parse_target("x86-64-linux-avx512 2t"));
        return plan ? plan->schedules().front().algorithm : plan.error().message;
    };
    EXPECT_EQ(algorithm("f32 nhwc[1, 33, 33, 256] -> depthwise(3x3, pad=12, dilation=12)"), "dilated_depthwise");
    EXPECT_EQ(algorithm("f32 nhwc[1, 65, 65, 256] -> depthwise(3x3, pad=6, dilation=6)"), "depthwise") << "too many";
    EXPECT_EQ(algorithm("f32 nhwc[1, 33, 33, 12] -> depthwise(3x3, pad=12, dilation=12)"), "depthwise") << "few lanes";
    EXPECT_EQ(algorithm("f32 nhwc[1, 14, 14, 64] -> depthwise(7x7, pad=9, dilation=3)"), "depthwise") << "long sums";
    EXPECT_EQ(algorithm("f32 ndhwc[1, 4, 33, 33, 64] -> depthwise(1x3x3, pad=0x12x12, dilation=1x12x12)"),
              "dilated_depthwise");
    EXPECT_EQ(algorithm("f32 ndhwc[1, 4, 33, 33, 64] -> depthwise(1x3x3, pad=1x12x12, dilation=1x12x12)"), "depthwise");
    EXPECT_EQ(algorithm("f32 nchw[1, 64, 33, 33] -> depthwise(3x3, pad=6, dilation=6)"), "dilated_depthwise");
    EXPECT_EQ(algorithm("f32 nchw[1, 64, 33, 33] -> depthwise(3x3, pad=1x6, dilation=1x6)"), "depthwise") << "1 phase";
    EXPECT_EQ(algorithm("f32 nchw[1, 64, 14, 14] -> depthwise(5x5, pad=4, dilation=2)"), "depthwise") << "long sums";
}

// Whatever divides the input channels: a block of one thread takes a hundred times as long.
TEST(GpuBlocks, HaveWholeWarps) {
    for (const int channels : {16, 17, 18, 21, 24, 33, 255}) {
        const auto layer = parse_layer("f32 nhwc[1, 56, 56, " + std::to_string(channels) + "] -> conv(64, 1x1)");
        const Result<Plan> plan = make_plan(*layer, *parse_target("cuda-sm_80"));
        ASSERT_TRUE(plan);
        const Schedule &schedule = plan->groups.front().schedule;
        EXPECT_EQ(schedule.algorithm, "gpu_tiled");
        int64_t threads = 1;
        for (const char *name : {"channel_threads", "column_threads", "row_threads", "split"}) {
            threads *= schedule.knob(name).value_or(1);
        }
        EXPECT_GE(threads, 32) << print_schedule(schedule);
    }
}

}  // namespace
}  // namespace convc
