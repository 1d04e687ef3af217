// Every schedule of an algorithm computes the same layer: knobs change speed, never results.
#include <gtest/gtest.h>

#include <optional>

#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

// A random point of the algorithm's space that it accepts; nullopt where none was found.
std::optional<Schedule> draw_schedule(test::Random &random, const Algorithm &algorithm, const StageGroup &group,
                                      Target target) {
    target.half_vectors = target.isa == Isa::avx512 && random.between(0, 1) == 1;
    if (algorithm.refusal(group, target)) return std::nullopt;
    const std::vector<Knob> knobs = algorithm.knobs(group, target);
    for (int attempt = 0; attempt < 1000; attempt++) {
        Schedule schedule{std::string(algorithm.name), {}};
        for (const Knob &knob : knobs) {
            // The ends, where tails begin, more often than chance would.
            const int64_t value = random.pick<int64_t>({knob.low, knob.high, random.between(knob.low, knob.high)});
            schedule.knobs.emplace_back(knob.name, value);
        }
        if (!algorithm.conflict({group, schedule, target})) return written_schedule({group, schedule, target});
    }
    return std::nullopt;
}

class Schedules : public testing::TestWithParam<uint64_t> {
protected:
    void expect_schedules_right(StageKind kind, std::string_view name, int count) {
        // Wide enough for vectors of pixels; the output of a transposed stage has strides times as many.
        const int64_t most_space = kind == StageKind::transposed ? 8 : 20;
        test::RandomLayers layers(GetParam() * 100 + static_cast<uint64_t>(kind),
                                  {.kinds = {kind},
                                   .epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::add},
                                   .most_stages = 1,
                                   .most_epilogues = 2,
                                   .most_space = most_space,
                                   .most_channels = 48,
                                   .integers = true});
        expect_schedules_right(layers, name, count, 20 * count);
    }

    // `count` of the first `most` layers that the algorithm computes in one kernel.
    void expect_schedules_right(test::RandomLayers &layers, std::string_view name, int count, int most) {
        const Algorithm *algorithm = algorithm_named(name);
        ASSERT_NE(algorithm, nullptr);
        const Target target = test::kernel_target();
        test::Random random(GetParam());
        int compiled = 0;
        for (int i = 0; i < most && compiled < count; i++) {
            const Layer layer = layers.next();
            const StageGroup group{&layer, 0, static_cast<int>(layer.stages.size())};
            if (algorithm->refusal(group, target)) continue;
            const std::optional<Schedule> schedule = draw_schedule(random, *algorithm, group, target);
            if (!schedule) continue;
            test::expect_right(layer, {*schedule}, GetParam());
            compiled++;
        }
        EXPECT_EQ(compiled, count) << "too few of the sample have a schedule to prove anything";
    }
};

TEST_P(Schedules, DirectOnConv) {
    expect_schedules_right(StageKind::convolution, "direct", test::sample_size(10, 300));
}
TEST_P(Schedules, Grouped) {
    test::RandomLayers layers(GetParam() * 100 + 17,
                              {.kinds = {StageKind::convolution},
                               .epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::add},
                               .most_stages = 1,
                               .most_epilogues = 2,
                               .most_space = 16,
                               .most_channels = 48,
                               .integers = true});
    const int count = test::sample_size(8, 200);
    expect_schedules_right(layers, "grouped", count, 1000 * count);
}
TEST_P(Schedules, Winograd) {
    expect_schedules_right(StageKind::convolution, "winograd", test::sample_size(12, 300));
}
TEST_P(Schedules, WinogradOfTransposed) {
    expect_schedules_right(StageKind::transposed, "winograd", test::sample_size(12, 300));
}
TEST_P(Schedules, DirectOnDepthwise) {
    expect_schedules_right(StageKind::depthwise, "direct", test::sample_size(4, 100));
}
TEST_P(Schedules, Depthwise) {
    expect_schedules_right(StageKind::depthwise, "depthwise", test::sample_size(8, 200));
}
TEST_P(Schedules, Transposed) {
    expect_schedules_right(StageKind::transposed, "transposed", test::sample_size(8, 300));
}

TEST_P(Schedules, Chain) {
    test::RandomLayers layers(
        GetParam(),
        {.kinds = {StageKind::convolution, StageKind::convolution, StageKind::depthwise, StageKind::shuffle},
         .epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::add, EpilogueKind::scale},
         .pad_modes = {PadMode::zeros, PadMode::zeros, PadMode::zeros, PadMode::reflect, PadMode::constant},
         .most_stages = 4,
         .most_epilogues = 2,
         .most_space = 16,
         .most_channels = 40,
         .most_kernel = 3,
         .constant_weights = false,
         .integers = true});
    const int count = test::sample_size(10, 300);
    expect_schedules_right(layers, "chain", count, 1000 * count);
}

INSTANTIATE_TEST_SUITE_P(Seed, Schedules, testing::Range<uint64_t>(0, 3));

}  // namespace
}  // namespace convc
