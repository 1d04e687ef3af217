// What bounds a layer: computing, or moving what it reads and writes.
#include "compiler/cost/roofline.h"

#include <gtest/gtest.h>

#include "convc/convc.hpp"

namespace convc {
namespace {

const MachineRoofs machine{100e9, {{"L2", 50e9, 1e6}, {"DRAM", 10e9}}};

TEST(Roofline, IsTheLesserOfThePeakAndTheBandwidthOfTheLevelThatHoldsAll) {
    EXPECT_EQ(attainable(10e6, 1e6, machine).name, "FMA");
    EXPECT_EQ(attainable(1e6, 1e6, machine).name, "L2");
    EXPECT_DOUBLE_EQ(attainable(1e6, 1e6, machine).rate, 50e9);
    EXPECT_EQ(attainable(2e6, 2e6, machine).name, "DRAM");
    EXPECT_DOUBLE_EQ(attainable(2e6, 2e6, machine).rate, 10e9);
}

TEST(Roofline, SaysNothingOfAMachineThatIsNotKnown) {
    EXPECT_EQ(attainable(1e6, 1e6, {}).rate, 0);
    EXPECT_EQ(roofline_seconds(*parse_layer("f32 nhwc[1, 8, 8, 16] -> conv(16, 1x1)"), {}), 0);
}

TEST(Roofline, CountsWhatALayerHasToComputeAndToMove) {
    // 8 x 8 x 16 x 16 multiply-adds; 2 x 1024 activations, 256 weights.
    const Layer small = *parse_layer("f32 nhwc[1, 8, 8, 16] -> conv(16, 1x1)");
    EXPECT_DOUBLE_EQ(roofline_seconds(small, {1e9, {{"DRAM", 1e12}}}), 2 * 16384 / 1e9);
    EXPECT_DOUBLE_EQ(roofline_seconds(small, {1e12, {{"DRAM", 1e6}}}), (2048 + 256) * 4 / 1e6);
    EXPECT_EQ(roofline_seconds(*parse_layer("f32 nhwc[1, ?, ?, 16] -> conv(16, 1x1)"), machine), 0);
}

}  // namespace
}  // namespace convc
