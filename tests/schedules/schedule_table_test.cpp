// Every row of the schedule table keeps its own promises: the default schedule names every knob, within its range and
// without conflict, on every kind of target; pinned schedules are checked knob by knob.
#include "schedules/schedule_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "convc/convc.hpp"

namespace convc {
namespace {

const std::vector<std::string> lines{
    "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu",
    "f32 nhwc[1, 224, 224, 3] -> conv(64, 7x7, stride=2, pad=3)",
    "f32 nhwc[1, 7, 7, 512] -> conv(2048, 1x1)",
    "f32 nhwc[1, 1, 1, 1] -> conv(1, 1x1)",
    "f32 nhwc[8, 13, 21, 37] -> conv(53, 3x5, dilation=2)",
    "f32 nchw[3, 24, 5, 40] -> conv(6, 3x3, groups=6)",
    "f32 nhwc[1, 14, 14, 512] -> conv(512, 3x3, pad=1, groups=32)",
    "f32 nwc[1, 4096, 64] -> conv(128, 2, dilation=64)",
    "f32 nchw[1, 64, 4, 16] -> conv(8, 3x3, pad=1)",
    "f32 nchw[1, 64, 8, 32] -> conv(32, 3x3, pad=1)",
    "f32 nchw[1, 3, 15, 15] -> conv(64, 3x3, pad=1)",
    "f32 nhwc[32, 56, 56, 128] -> conv(64, 1x1, groups=16)",
    "f32 nhwc[1, 17, 17, 128] -> conv(192, 7x1, pad=3x0)",
    "f32 nhwc[1, 33, 33, 64] -> conv(256, 3x3, pad=6, dilation=6)",
    "f32 nwc[1, 8192, 32] -> conv(32, 3, pad=1)",
    "f32 ndhwc[1, 16, 56, 56, 64] -> conv(128, 3x3x3, pad=1)",
    "f32 nhwc[1, 9, 11, 48] -> conv(32, 3x3, pad=1, groups=16) -> shuffle(16)",
    "f32 nchw[1, 8, 2, ?] -> depthwise(3x3, pad=1)",
    "f32 nchw[1, 1, 10, 64] -> depthwise(3x3, pad=1, weights=[[1, 1, 1], [1, 1, 1], [1, 1, 1]])",
    "f32 nwc[1, 43, 16] -> depthwise(31, pad=15)",
    "f32 nchw[1, 8, 2, 2] -> depthwise(3x3, stride=2, pad=1, pad_mode=reflect, multiplier=3)",
    "f32 ncw[2, 3, 17] -> depthwise(5, multiplier=4)",
    "f32 nhwc[1, 112, 112, 32] -> depthwise(3x3, pad=1)",
    "f32 nhwc[1, 5, 5, 1] -> depthwise(3x3, weights=[[1, 2, 1], [2, 4, 2], [1, 2, 1]])",
    "f32 nhwc[1, 56, 56, 128] -> depthwise(31x31, pad=15)",
    "f32 nhwc[1, 33, 33, 256] -> depthwise(3x3, pad=12, dilation=12)",
    "f32 nchw[1, 256, 33, 33] -> depthwise(3x3, pad=12, dilation=12)",
    "f32 nhwc[1, 4, 4, 512] -> transposed(256, 4x4, stride=2, pad=1)",
    "f32 nhwc[1, 32, 32, 64] -> transposed(3, 4x4, stride=2, pad=1)",
    "f32 nhwc[1, 9, 9, 21] -> transposed(21, 64x64, stride=32, pad=16, groups=21)",
    "f32 ncdhw[2, 6, 3, 5, 40] -> transposed(10, 3x2x5, stride=3x2x1, dilation=2, groups=2)",
};

std::vector<Target> targets() {
    std::vector<Target> all;
    for (Isa isa : {Isa::sse41, Isa::avx2, Isa::avx512, Isa::neon}) {
        for (int threads : {0, 1, 2, 7, 128}) {
            Target target;
            target.isa = isa;
            target.threads = threads;
            all.push_back(target);
        }
    }
    return all;
}

Layer layer_of(const std::string &line) {
    Result<Layer> layer = parse_layer(line);
    EXPECT_TRUE(layer) << layer.error().message;
    return *std::move(layer);
}

TEST(ScheduleTable, DefaultSchedulesPassTheirOwnChecksOnEveryTarget) {
    for (const std::string &line : lines) {
        const Layer layer = layer_of(line);
        for (const Target &target : targets()) {
            const Result<Plan> plan = make_plan(layer, target);
            ASSERT_TRUE(plan) << line << ": " << plan.error().message;
            const Result<Plan> pinned = make_pinned_plan(layer, target, plan->schedules());
            ASSERT_TRUE(pinned) << target.full_name() << ", " << line << ": " << pinned.error().message;
            EXPECT_EQ(print_schedules(pinned->schedules()), print_schedules(plan->schedules()));
        }
    }
}

std::string refusal_of(const std::string &line, const std::string &schedule) {
    const Result<Schedule> parsed = parse_schedule(schedule);
    EXPECT_TRUE(parsed);
    const Result<Plan> plan = make_pinned_plan(layer_of(line), Target{}, {*parsed});
    return plan ? "accepted" : plan.error().message;
}

TEST(ScheduleTable, PinnedSchedulesAreCheckedKnobByKnob) {
    const std::string line = "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1)";
    const std::string rest = ", parts=2, channel_parts=1, pixels_outside=0, unroll=4)";
    EXPECT_EQ(refusal_of(line, "direct(vectors=2, columns=6" + rest), "accepted");
    EXPECT_NE(refusal_of(line, "im2col(tile=4)").find("unknown algorithm 'im2col'"), std::string::npos);
    EXPECT_NE(refusal_of(line, "direct(vectors=2" + rest).find("knob 'columns' is missing"), std::string::npos);
    EXPECT_NE(refusal_of(line, "direct(vectors=2, columns=6, rows=1" + rest).find("no knob 'rows'"), std::string::npos);
    EXPECT_NE(refusal_of(line, "direct(vectors=0, columns=6" + rest).find("outside 1..6"), std::string::npos);
    EXPECT_NE(refusal_of(line, "direct(vectors=6, columns=6" + rest).find("registers"), std::string::npos);
    EXPECT_NE(refusal_of(line, "depthwise(columns=8)").find("one input channel a group"), std::string::npos);
}

// 20 channels are 32 lanes of whole vectors of 16, and 24 of halves: worth it where halves are as fast.
TEST(ScheduleTable, HalfVectorsAreTakenWhereTheyWasteLessAndCostNothing) {
    const Layer layer = layer_of("f32 nhwc[1, 28, 28, 240] -> conv(60, 1x1, groups=3)");
    const auto half = [&](const std::string &target) {
        const Result<Plan> plan = make_plan(layer, *parse_target(target));
        return plan ? plan->schedules().front().knob("half_vectors").value_or(0) : -1;
    };
    EXPECT_EQ(half("x86-64-linux-avx512 znver4 2t"), 1);
    EXPECT_EQ(half("x86-64-linux-avx512 2t"), 0);
    EXPECT_EQ(half("x86-64-linux-avx2-fma 2t"), 0);
}

TEST(ScheduleTable, TheWidthOfVectorsIsAKnobOfTargetsThatHaveTwo) {
    const Layer layer = layer_of("f32 nhwc[1, 28, 28, 24] -> conv(24, 1x1)");
    const auto pinned = [&](const std::string &target, const std::string &width) {
        const std::string text = "direct(vectors=3, columns=8, parts=2, channel_parts=1, pixels_outside=0, unroll=1";
        const Result<Plan> plan = make_pinned_plan(layer, *parse_target(target), {*parse_schedule(text + width + ")")});
        return plan ? print_schedules(plan->schedules()).substr(text.size()) : plan.error().message;
    };
    const std::string avx512 = "x86-64-linux-avx512";
    EXPECT_EQ(pinned(avx512, ", half_vectors=1"), ", half_vectors=1)");
    EXPECT_NE(pinned(avx512, "").find("vectors=3 is outside 1..2"), std::string::npos);
    EXPECT_NE(pinned(avx512, ", half_vectors=2").find("outside 0..1"), std::string::npos);
    EXPECT_NE(pinned("x86-64-linux-avx2-fma", ", half_vectors=1").find("one width"), std::string::npos);
}

TEST(ScheduleTable, KnobsMayComeInAnyOrderAndPrintInOne) {
    const Layer layer = layer_of("f32 nhwc[1, 8, 8, 16] -> depthwise(3x3)");
    const Result<Schedule> shuffled =
        parse_schedule("depthwise(channels_outside=0, parts=2, copies=0, channel_parts=1, columns=3)");
    const Result<Plan> plan = make_pinned_plan(layer, Target{}, {*shuffled});
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(print_schedules(plan->schedules()),
              "depthwise(columns=3, parts=2, channel_parts=1, channels_outside=0, copies=0)");
}

// Groups of 8 channels are half a cache line, and a shuffle sends a group's channels to every line: threads that took
// groups would write the same lines. Groups of 16 channels are one line of a pair, which comes whole; of 32, a pair.
TEST(ScheduleTable, ThreadsTakePixelsWhereGroupsShareCacheLines) {
    const auto parts = [](const std::string &line) {
        Target target{};
        target.threads = 2;
        const Result<Plan> plan = make_plan(layer_of(line), target);
        return plan ? plan->schedules().front().knob("parts") : std::nullopt;
    };
    EXPECT_EQ(parts("f32 nhwc[1, 28, 28, 64] -> conv(64, 3x3, groups=8, stride=2)"), 2);
    EXPECT_EQ(parts("f32 nhwc[1, 28, 28, 128] -> conv(128, 3x3, groups=8, stride=2)"), 2);
    EXPECT_EQ(parts("f32 nhwc[1, 28, 28, 256] -> conv(256, 3x3, groups=8, stride=2)"), 1);
    EXPECT_EQ(parts("f32 nhwc[1, 28, 28, 256] -> conv(256, 3x3, groups=8, stride=2) -> shuffle(8)"), 2);
}

// A chain's vectors run over channels: where those lie apart, putting them side by side costs more than a short chain
// saves, and less than one with twelve times as much between its stages.
TEST(ScheduleTable, AChainOfPlanesHasToSaveMoreThanItScatters) {
    const auto kernels = [](const std::string &line) {
        Target target{};
        target.threads = 2;
        const Result<Plan> plan = make_plan(layer_of(line), target);
        return plan ? plan->schedules().size() : 0;
    };
    const std::string separable = " -> depthwise(3x3, pad=1) -> conv(64, 1x1)";
    EXPECT_EQ(kernels("f32 nhwc[1, 112, 112, 32]" + separable), 1);
    EXPECT_EQ(kernels("f32 nchw[1, 32, 112, 112]" + separable), 2);
    EXPECT_EQ(kernels("f32 nchw[1, 24, 56, 56] -> conv(288, 1x1) -> depthwise(3x3) -> conv(24, 1x1)"), 1);
}

// Outputs that do not stay in L2 are stored in the order of their addresses, by tiles of few accumulators; so they are
// where there is one input channel, which is depthwise's otherwise.
TEST(ScheduleTable, OutputsThatLeaveTheCacheAreStoredInTheirOrder) {
    const auto schedule = [](const std::string &line) {
        const Result<Plan> plan = make_plan(layer_of(line), *parse_target("x86-64-linux-avx512 sapphirerapids 2t"));
        return plan ? plan->schedules().front() : Schedule{};
    };
    EXPECT_EQ(schedule("f32 nhwc[1, 112, 112, 16] -> conv(96, 1x1)").knob("pixels_outside"), 1);
    EXPECT_EQ(schedule("f32 nhwc[1, 56, 56, 16] -> conv(96, 1x1)").knob("pixels_outside"), 0);
    EXPECT_EQ(schedule("f32 nhwc[1, 112, 112, 256] -> conv(96, 1x1)").knob("pixels_outside"), 0);  // weights leave L1
    EXPECT_EQ(schedule("f32 nhwc[1, 224, 224, 3] -> conv(64, 3x3, pad=1)").knob("columns"), 3);
    EXPECT_EQ(schedule("f32 nhwc[1, 224, 224, 1] -> conv(64, 5x5, pad=2)").algorithm, "direct");
    EXPECT_EQ(schedule("f32 nhwc[1, 56, 56, 1] -> conv(64, 5x5, pad=2)").algorithm, "depthwise");
}

// 64 channels of 1024, in place: 256 bytes of each page, in few sets of L2, which 784 pages do not share.
TEST(ScheduleTable, PixelsThatArePagesApartAreReadOnce) {
    const auto outside = [](const std::string &line) {
        const Result<Plan> plan = make_plan(layer_of(line), *parse_target("x86-64-linux-avx512 sapphirerapids 2t"));
        return plan ? plan->schedules().front().knob("pixels_outside") : std::nullopt;
    };
    EXPECT_EQ(outside("f32 nhwc[1, 28, 28, 1024] -> conv(1024, 3x3, stride=2, pad=1, groups=16)"), 1);
    EXPECT_EQ(outside("f32 nhwc[1, 28, 28, 1040] -> conv(1024, 3x3, stride=2, pad=1, groups=16)"), 0);
}

// Winograd saves more than folding the shuffle in does, or than a chain; of a 1x1 it saves nothing.
TEST(ScheduleTable, AConvolutionBesideAShuffleMayBeWorthMoreAlone) {
    const auto algorithms = [](const std::string &line, const std::string &threads) {
        const Result<Plan> plan =
            make_plan(layer_of(line), *parse_target("x86-64-linux-avx512 sapphirerapids " + threads));
        std::string all;
        for (const Schedule &schedule : plan ? plan->schedules() : std::vector<Schedule>{})
            all += schedule.algorithm + " ";
        return all;
    };
    const std::string grouped = "conv(128, 3x3, pad=1, groups=8)", x = "f32 nhwc[1, 28, 28, 64] -> ";
    EXPECT_EQ(algorithms(x + grouped + " -> shuffle(8) -> " + grouped, "1t"), "winograd shuffle winograd ");
    EXPECT_EQ(algorithms(x + grouped + " -> shuffle(8) -> " + grouped, "2t"), "winograd shuffle winograd ");
    EXPECT_EQ(algorithms(x + grouped + " -> shuffle(8)", "2t"), "winograd shuffle ");
    EXPECT_EQ(algorithms(x + "conv(128, 1x1, groups=8) -> shuffle(8)", "2t"), "direct ");
}

TEST(ScheduleTable, ARefusedLayerSaysWhatEachAlgorithmSaid) {
    const Result<Plan> plan =
        make_plan(layer_of("f32 nhwc[1, 46341, 46341, 1] -> conv(1, 1x1, stride=22999)"), Target{});
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().failure, Failure::invalid_input);
    for (const Algorithm &algorithm : schedule_table(Target{})) {
        EXPECT_NE(plan.error().message.find(algorithm.name), std::string::npos) << plan.error().message;
    }
}

}  // namespace
}  // namespace convc
