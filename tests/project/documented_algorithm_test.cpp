// The algorithm that docs/adding-an-algorithm.md builds is what that page says: taken from the page, compiled, asked.
#include <gtest/gtest.h>

#include "schedules/algorithm.h"
#include "tests/support/build_layer.h"

namespace convc {

Algorithm taps_algorithm();

namespace {

using test::LayerBuilder;
using test::nhwc;
using test::square;

TEST(DocumentedAlgorithm, RefusesWhatThePageSaysItRefuses) {
    const Algorithm taps = taps_algorithm();
    const Target target;
    const Layer valid = LayerBuilder(nhwc(1, 8, 8, 16)).conv(16, square(3));
    const Layer padded = LayerBuilder(nhwc(1, 8, 8, 16)).conv(16, square(3, 1, 1));
    const Layer depthwise = LayerBuilder(nhwc(1, 8, 8, 16)).depthwise(square(3));
    EXPECT_EQ(taps.refusal({&valid, 0, 1}, target), std::nullopt);
    EXPECT_EQ(taps.refusal({&padded, 0, 1}, target), "knows no padding");
    EXPECT_EQ(taps.refusal({&depthwise, 0, 1}, target), "computes dense and grouped convolutions");
}

TEST(DocumentedAlgorithm, HasADefaultWithinItsKnobs) {
    const Algorithm taps = taps_algorithm();
    const Layer layer = LayerBuilder(nhwc(1, 8, 8, 16)).conv(16, square(3));
    const StageGroup group{&layer, 0, 1};
    const Schedule schedule = taps.default_schedule(group, {});
    EXPECT_EQ(schedule.algorithm, taps.name);
    for (const Knob &knob : taps.knobs(group, {})) {
        ASSERT_TRUE(schedule.knob(knob.name).has_value()) << knob.name;
        EXPECT_GE(*schedule.knob(knob.name), knob.low);
        EXPECT_LE(*schedule.knob(knob.name), knob.high);
    }
}

}  // namespace
}  // namespace convc
