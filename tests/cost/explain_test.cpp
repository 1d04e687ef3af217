// What `convc explain` prints: the whole of one explanation, and what differs where extents are unknown or counts
// large.
#include "compiler/cost/explain.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/build_layer.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::nhwc;
using test::square;

constexpr int64_t unknown = runtime_extent;

bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

TEST(ExplainText, InFull) {
    LayerBuilder layer(nhwc(1, 9, 9, 4));
    layer.conv(8, square(3, 1, 2, 2), 2).epilogue(EpilogueKind::bias).shuffle(2).transposed(4, square(4, 2, 1));
    EXPECT_EQ(
        explain_text(layer),
        R"(f32 nhwc[1, 9, 9, 4] -> conv(8, 3x3, pad=2, dilation=2, groups=2) + bias -> shuffle(2) -> transposed(4, 4x4, stride=2, pad=1)

stage 0: conv(8, 3x3, pad=2, dilation=2, groups=2) + bias
  nhwc[1, 9, 9, 4] -> nhwc[1, 9, 9, 8]
  height  k = 3  k' = 3 + (3 - 1) * (2 - 1) = 5  o = floor((9 + 2 + 2 - 5) / 1) + 1 = 9
  width   k = 3  k' = 3 + (3 - 1) * (2 - 1) = 5  o = floor((9 + 2 + 2 - 5) / 1) + 1 = 9

stage 1: shuffle(2)
  nhwc[1, 9, 9, 8] -> nhwc[1, 9, 9, 8]

stage 2: transposed(4, 4x4, stride=2, pad=1)
  nhwc[1, 9, 9, 8] -> nhwc[1, 18, 18, 4]
  height  k = 4  k' = 4  o = (9 - 1) * 2 - 1 - 1 + 4 + 0 = 18
  width   k = 4  k' = 4  o = (9 - 1) * 2 - 1 - 1 + 4 + 0 = 18

cost
             MACs  real MACs  dense MACs  parameters  bytes  FLOP/byte  receptive field
  stage 0  11,664      8,464      23,328         152  4,496       3.77              5x5
  stage 1       0          0           0           0  5,184       0.00              5x5
  stage 2  41,472     36,992      41,472         512  9,824       7.53              6x6
  layer    53,136     45,456           -         664  9,136       9.95              6x6

  11,664 + 41,472 = 53,136 multiplications
  14.5 % of them are not real: they meet padding or land outside the output

parameters
  0.weight  [8, 2, 3, 3]  144
  0.bias    [8]             8
  2.weight  [8, 4, 4, 4]  512
)");
}

TEST(ExplainText, RunTimeBatchIsCountedAsOneImage) {
    const std::string text = explain_text(LayerBuilder(nhwc(unknown, 7, 7, 3)).conv(128, square(3)));
    EXPECT_TRUE(contains(text, "nhwc[?, 7, 7, 3] -> nhwc[?, 5, 5, 128]")) << text;
    EXPECT_TRUE(contains(text, "cost of one image of the batch\n")) << text;
    EXPECT_TRUE(contains(text, "86,400 multiplications\n")) << text;
}

TEST(ExplainText, RunTimeSpaceIsExplainedAPixel) {
    std::vector<Axis> column = square(3, 1, 1);
    std::vector<Axis> row = column;
    column[1] = row[0] = Axis{};
    const std::string text = explain_text(LayerBuilder(nhwc(1, unknown, unknown, 2)).depthwise(column).depthwise(row));
    EXPECT_TRUE(contains(text, "o = floor((? + 1 + 1 - 3) / 1) + 1 = ?")) << text;
    EXPECT_TRUE(
        contains(text, "6 + 6 = 12 multiplications a pixel, 33.3 % of 36: the dense equivalent is conv(2, 3x3, pad=1)"))
        << text;
}

TEST(ExplainText, TransposedOfRunTimeSpaceIsCountedOnItsInput) {
    const std::string text = explain_text(LayerBuilder(nhwc(1, unknown, unknown, 3)).transposed(16, square(4, 2, 1)));
    EXPECT_TRUE(contains(text, "o = (? - 1) * 2 - 1 - 1 + 4 + 0 = ?")) << text;
    EXPECT_TRUE(contains(text, "256           768         768              2x2  (MACs of its input)\n")) << text;
    EXPECT_FALSE(contains(text, "multiplications a pixel")) << text;
}

TEST(ExplainText, SameAtRunTimeHasNoPadding) {
    LayerBuilder built = LayerBuilder(nhwc(1, unknown, 8, 1)).conv(1, square(3, 2, 1));
    Layer layer = built.layer();
    layer.stages[0].axes[0].same_at_run_time = true;
    EXPECT_TRUE(contains(explain_text(layer), "o = ceil(? / 2) = ?")) << explain_text(layer);
    EXPECT_TRUE(explain_json(layer)["stages"][0]["axes"][0]["pad_before"].is_null());
}

TEST(ExplainText, LongConstantsAreCut) {
    std::vector<Axis> axes = square(9);
    const std::string text =
        explain_text(LayerBuilder(nhwc(1, 16, 16, 1)).depthwise(axes).weights(std::vector<double>(81, 0.25)));
    EXPECT_TRUE(contains(text, "stage 0: depthwise(9x9, weights=[...])\n")) << text;
}

TEST(ExplainJson, Figures) {
    LayerBuilder built = LayerBuilder(nhwc(1, 7, 7, 3)).depthwise(square(3)).conv(128, square(1));
    const nlohmann::ordered_json json = explain_json(built.epilogue(EpilogueKind::bias));
    EXPECT_EQ(json["layer"], "f32 nhwc[1, 7, 7, 3] -> depthwise(3x3) -> conv(128, 1x1) + bias");
    EXPECT_EQ(json["multiplications"], 10275);
    EXPECT_EQ(json["stages"][0]["multiplications"], 675);
    EXPECT_EQ(json["stages"][1]["multiplications"], 9600);
    EXPECT_EQ(json["parameters"], 27 + 384 + 128);
    EXPECT_EQ(json["receptive_field"], nlohmann::ordered_json({3, 3}));
    EXPECT_EQ(json["dense_equivalent"]["operation"], "conv(128, 3x3)");
    EXPECT_EQ(json["dense_equivalent"]["macs"], 86400);
    EXPECT_DOUBLE_EQ(json["dense_equivalent"]["ratio"], 10275.0 / 86400);
    EXPECT_EQ(json["output"]["extents"], nlohmann::ordered_json({1, 5, 5, 128}));
    EXPECT_EQ(json["stages"][0]["axes"][1]["derivation"], "o = floor((7 + 0 + 0 - 3) / 1) + 1 = 5");
    EXPECT_EQ(json["weights"][2]["name"], "1.bias");
}

TEST(ExplainJson, AStageInParts) {
    LayerBuilder built = LayerBuilder(nhwc(1, 8, 8, 6)).conv(6, square(3, 1, 1), 3).flip();
    built.pad_mode(PadMode::reflect).epilogue(EpilogueKind::bias).epilogue({EpilogueKind::clip, 0, 6});
    const nlohmann::ordered_json stage = explain_json(built)["stages"][0];
    EXPECT_EQ(stage["kind"], "conv");
    EXPECT_EQ(stage["groups"], 3);
    EXPECT_EQ(stage["flip"], true);
    EXPECT_EQ(stage["pad_mode"], "reflect");
    EXPECT_EQ(stage["epilogues"], nlohmann::ordered_json({"bias", "clip(0, 6)"}));
}

std::vector<std::string> keys(const nlohmann::ordered_json &object) {
    std::vector<std::string> names;
    for (const auto &[key, value] : object.items()) names.push_back(key);
    return names;
}

TEST(ExplainJson, KeysAreTheSameForEveryLayer) {
    const auto known = explain_json(LayerBuilder(nhwc(1, 7, 7, 3)).conv(8, square(3)));
    const auto at_run_time = explain_json(LayerBuilder(nhwc(1, unknown, 7, 3)).shuffle(3));
    EXPECT_EQ(keys(known), keys(at_run_time));
    EXPECT_EQ(keys(known["stages"][0]), keys(at_run_time["stages"][0]));
    EXPECT_TRUE(at_run_time["multiplications"].is_null());
    EXPECT_TRUE(at_run_time["inputs"][0]["extents"][1].is_null());
    EXPECT_TRUE(at_run_time["dense_equivalent"].is_null());
}

TEST(ExplainJson, CountsThatADoubleCannotHoldAreStrings) {
    constexpr int64_t side = int64_t{1} << 27;  // 2^54 pixels
    const auto json = explain_json(LayerBuilder(nhwc(1, side, side, 1)).conv(1, square(1)));
    EXPECT_EQ(json["multiplications"], "18014398509481984");
    EXPECT_EQ(json["parameters"], 1);
}

}  // namespace
}  // namespace convc
