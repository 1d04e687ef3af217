// What a file test cannot show: ranges, overrides from outside the file, and trees that the parser does not make.
#include "compiler/sema/sema.h"

#include <gtest/gtest.h>

#include "tests/sema/check_text.h"

namespace convc {
namespace {

std::string_view text_at(std::string_view text, SourceRange range) {
    return text.substr(range.begin, range.end - range.begin);
}

TEST(SemaTest, LetOverride) {
    const CheckedText checked =
        check_text("let c = 4\nlet d = 2 * c\nlayer a(x: f32 nwc[1, 8, d]) = conv(c, 3)", {{"c", 16}});
    ASSERT_EQ(checked.module.layers.size(), 1U);
    EXPECT_EQ(checked.module.layers[0].layer.canonical_line(), "f32 nwc[1, 8, 32] -> conv(16, 3)");
}

TEST(SemaTest, LetOverrideOfNothing) {
    const CheckedText checked = check_text("let c = 4\n", {{"d", 16}});
    ASSERT_EQ(checked.diagnostics.errors(), 1U);
    EXPECT_EQ(checked.diagnostics.all()[0].id, "unknown-let-override");
}

TEST(SemaTest, RangesPointAtTheText) {
    const std::string text =
        "layer a(x: f32 nwc[1, 8, 3], g: f32 nwc[1, 1, 1]) = depthwise_separable(4, 3) + bias -> conv(4, 3) + mul(g)\n"
        "schedule a on \"x86-64-linux-avx2-fma\" = direct(rows=1) -> direct(rows=2)";
    const CheckedText checked = check_text(text);
    ASSERT_EQ(checked.rendered, "");
    const CheckedLayer &layer = checked.module.layers.at(0);
    EXPECT_EQ(text_at(text, layer.range), "a");
    ASSERT_EQ(layer.stage_ranges.size(), 3U);
    EXPECT_EQ(text_at(text, layer.stage_ranges[0]), "depthwise_separable(4, 3)");
    EXPECT_EQ(text_at(text, layer.stage_ranges[1]), "depthwise_separable(4, 3)");
    EXPECT_EQ(text_at(text, layer.stage_ranges[2]), "conv(4, 3)");
    ASSERT_EQ(layer.tensor_ranges.size(), 2U);
    EXPECT_EQ(text_at(text, layer.tensor_ranges[1]), "g: f32 nwc[1, 1, 1]");
    const PinnedSchedule &schedule = checked.module.schedules.at(0);
    ASSERT_EQ(schedule.group_ranges.size(), 2U);
    EXPECT_EQ(text_at(text, schedule.group_ranges[1]), "direct(rows=2)");
}

TEST(SemaTest, SchedulesBesideTheLayersComeAfterTheirOwn) {
    const CheckedText checked = check_schedules_beside(
        "layer f[c in {2, 3}](x: f32 nwc[1, 9, c]) = conv(c, 3)\n"
        "schedule f[3] on \"x86-64-linux-avx2-fma\" = direct(rows=1)",
        "schedule f[3] on \"x86-64-linux-avx2-fma\" = direct(rows=2)\n"
        "schedule f[2] on \"x86-64-linux-avx2-fma\" = direct(rows=3)");
    EXPECT_EQ(checked.rendered, "");
    std::string all;
    for (const PinnedSchedule &pinned : checked.module.schedules) {
        all += (pinned.beside ? "beside " : "own ") + pinned.layer + print_schedules(pinned.groups) + "; ";
    }
    EXPECT_EQ(all, "own f[3]direct(rows=1); beside f[3]direct(rows=2); beside f[2]direct(rows=3); ");
}

TEST(SemaTest, AFileOfSchedulesHoldsNothingElse) {
    const CheckedText checked = check_schedules_beside("layer a(x: f32 nwc[1, 9, 2]) = conv(3, 3)",
                                                       "layer b(x: f32 nwc[1, 9, 2]) = conv(3, 3)\n"
                                                       "schedule b on \"x86-64-linux-avx2-fma\" = direct(rows=2)");
    EXPECT_NE(checked.rendered.find("test.schedules:1:1: error: a file of schedules beside a file of layers holds "
                                    "nothing else [schedules-only]"),
              std::string::npos)
        << checked.rendered;
    EXPECT_NE(checked.rendered.find("test.schedules:2:10: error: no layer is called 'b'"), std::string::npos)
        << checked.rendered;
}

TEST(SemaTest, LayersOfAFamilyComeInOrder) {
    const CheckedText checked = check_text("layer f[a in {2, 1}, b in {3, 4}](x: f32 nwc[1, 9, a]) = conv(b, 3)");
    std::string names;
    for (const CheckedLayer &layer : checked.module.layers) names += layer.layer.name + layer.layer.c_name() + " ";
    EXPECT_EQ(names, "f[2, 3]f_2_3 f[2, 4]f_2_4 f[1, 3]f_1_3 f[1, 4]f_1_4 ");
}

// A let that has no value leaves the layers that use it out, so that nobody lints or compiles a guess.
TEST(SemaTest, LayersOfAMistakenLetAreLeftOut) {
    const CheckedText checked = check_text(
        "let half = 7 / 2\nlayer a(x: f32 nwc[1, 8, half]) = conv(4, 3)\nlayer b(x: f32 nwc[1, 8, 4]) = conv(half, 3)\n"
        "layer c(x: f32 nwc[1, 8, 4]) = conv(4, 3)");
    EXPECT_EQ(checked.diagnostics.errors(), 1U);
    ASSERT_EQ(checked.module.layers.size(), 1U);
    EXPECT_EQ(checked.module.layers[0].layer.name, "c");
}

// The repetitions in a family do not use up the patience for fix-its.
TEST(SemaTest, SuggestsAfterALargeFamilyOfMistakes) {
    const CheckedText checked = check_text(
        "layer f[a in {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, b in {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}](x: f32 nwc[a, 8, b]) "
        "= "
        "conv(1, 9)\nlayer g(x: f32 nwc[1, 8, 1]) = convv(1, 3)");
    ASSERT_EQ(checked.diagnostics.all().size(), 2U);
    ASSERT_EQ(checked.diagnostics.all()[1].fixits.size(), 1U);
    EXPECT_EQ(checked.diagnostics.all()[1].fixits[0].replacement, "conv");
}

TEST(SemaTest, OneMistakeDoesNotHideTheNext) {
    const CheckedText checked =
        check_text("layer a(x: f32 nhwc[1, 8, 8, 4]) = conv(8, 9x9) -> conv(6, 3x3, groups=3) -> conv(5, 3x3, pad=-1)");
    EXPECT_EQ(checked.diagnostics.errors(), 3U);  // 9x9 is too large, 3 does not divide 8, -1 is too small
}

// A layer whose kernel nobody knows was handed on as one of 1x1. Found by fuzz_canonical_line.
TEST(SemaTest, LayersThatUseWhatAMistakeHidesAreLeftOut) {
    const std::string uses = "\nlayer a(x: f32 nwc[1, 8, 4]) = conv(4, k)\nlayer b(x: f32 nwc[1, 8, 4]) = conv(4, 3)";
    for (const char *let : {"let k =", "let k = 3 4", "let k = unknown", "let k = 1/0"}) {
        const CheckedText checked = check_text(let + uses);
        EXPECT_EQ(checked.diagnostics.errors(), 1U) << checked.rendered;
        ASSERT_EQ(checked.module.layers.size(), let == std::string("let k = 3 4") ? 2U : 1U) << let;
        EXPECT_EQ(checked.module.layers.back().layer.name, "b");
    }
    EXPECT_TRUE(check_text("layer a[k in {unknown}](x: f32 nwc[1, 8, 4]) = conv(4, k)").module.layers.empty());
}

}  // namespace
}  // namespace convc
