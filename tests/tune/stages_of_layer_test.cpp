#include "compiler/tune/stages_of_layer.h"

#include <gtest/gtest.h>

#include "convc/convc.hpp"

namespace convc {
namespace {

std::string stages(const std::string &line, int first, int count) {
    const Result<Layer> layer = parse_layer(line);
    return layer ? stages_of_layer(*layer, first, count).canonical_line() : layer.error().message;
}

TEST(StagesOfLayer, AreALayerOfTheirOwn) {
    const std::string block =
        "f32 nhwc[1, 9, 9, 4] -> conv(8, 1x1) + relu6 -> depthwise(3x3, stride=2, pad=1) + bias -> conv(4, 1x1)";
    EXPECT_EQ(stages(block, 0, 3), block);
    EXPECT_EQ(stages(block, 0, 1), "f32 nhwc[1, 9, 9, 4] -> conv(8, 1x1) + relu6");
    EXPECT_EQ(stages(block, 1, 2), "f32 nhwc[1, 9, 9, 8] -> depthwise(3x3, stride=2, pad=1) + bias -> conv(4, 1x1)");
}

TEST(StagesOfLayer, TakeTheTensorsOfTheirEpiloguesAlong) {
    const std::string line =
        "(x: f32 nwc[1, 9, 4], g: f32 nwc[1, 1, 8], h: f32 nwc[1, 9, 4]) -> conv(8, 1) + mul(g) -> conv(4, 1) + add(h) "
        "+ "
        "add(x)";
    EXPECT_EQ(stages(line, 0, 1), "(x: f32 nwc[1, 9, 4], g: f32 nwc[1, 1, 8]) -> conv(8, 1) + mul(g)");
    const std::string last = stages(line, 1, 1);
    EXPECT_EQ(last, "(x_: f32 nwc[1, 9, 8], h: f32 nwc[1, 9, 4], x: f32 nwc[1, 9, 4]) -> conv(4, 1) + add(h) + add(x)");
    EXPECT_TRUE(parse_layer(last));
}

}  // namespace
}  // namespace convc
