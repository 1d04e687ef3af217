// Layers that a kernel once got wrong, each named for what broke.
#include <gtest/gtest.h>

#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

struct Case {
    const char *broke;
    const char *line;
    const char *schedule = "";  // the default one where empty
};

const std::vector<Case> cases{
    {"ReadPastTheEndOfAnAddedTensor",
     "(x: f32 ncw[2, 24, 3], t1: f32 ncw[2, 5, 2]) -> conv(5, 3, stride=2, pad=[2:1]) + add(t1)"},
    {"ReadPastTheEndOfABroadcastTensor",
     "(x: f32 ncw[2, 10, 8], t1: f32 ncw[1, 1, 9]) -> conv(8, 1, pad=[0:1]) + mul(t1) + relu"},
    {"ReadPastTheEndOfAddedX", "f32 nhwc[1, 14, 13, 24] -> conv(24, 1x1) + bias + add(x)"},
    {"ReadBeforeTheInputOfAConstantKernel",
     "f32 nhwc[2, 6, 6, 4] -> depthwise(1x2, pad=[0:0, 0:1], flip, weights=[-4, -2]) + gelu"},
    {"PartsOfChannelsThatCutAMultiplier",
     "f32 nhwc[2, 3, 5, 15] -> depthwise(3x2, pad=[2:2, 1:0], dilation=1x2, multiplier=3)"},
    {"PartsOfChannelsThatCutAMultiplierOfAConstantKernel",
     "f32 ncw[2, 7, 17] -> depthwise(3, pad=1, multiplier=3, weights=[7, 7, -8])"},
    {"ATailOfChannelsAfterPadding", "f32 nwc[2, 30, 16] -> conv(17, 4, stride=3, pad=[1:4], dilation=3)",
     "direct(vectors=1, columns=6, parts=5, channel_parts=1, pixels_outside=1, unroll=1)"},
    {"GroupsOfOneOutputChannel",
     "(x: f32 nchw[2, 2, 22, 9], t1: f32 nchw[2, 2, 7, 4]) -> "
     "conv(2, 5x5, stride=3x2, pad=[2:1, 0:11], dilation=1x3, groups=2) + add(t1)"},
    {"OneChannelOfTwoBeforeTheInput", "f32 nhwc[3, 2, 10, 2] -> depthwise(5x1, pad=2x0, pad_mode=circular)",
     "depthwise(columns=1, parts=1, channel_parts=2, channels_outside=0, register_rows=2)"},
    {"PlanesOfOnePixel", "f32 nchw[1, 24, 1, 1] -> depthwise(2x2, pad=2, dilation=3) + bias"},
    {"PlanesWhoseLastRowsNoTapReads", "f32 nchw[1, 5, 14, 15] -> depthwise(5x5, stride=3x1, pad=0x1, dilation=3x1)"},
    {"PartsOfARowShorterThanAVector", "f32 ncw[1, 1, 9] -> depthwise(2, stride=2, pad=[0:1])"},
    {"PlanesUnderAMultiplier",
     "f32 nchw[1, 8, 2, 2] -> depthwise(3x3, stride=2, pad=1, pad_mode=reflect, multiplier=3)"},
    {"TwoConstantsInAChain", "f32 nwc[1, 5, 18] -> depthwise(1, pad=[0:1], weights=[1]) -> depthwise(1, weights=[1])",
     "chain(stages=2, along_width=1, parts=2, rows=1, columns0=1, columns1=1)"},
    {"AStripOfShuffledChannels",
     "f32 nhwc[1, 3, 11, 8] -> shuffle(4) -> conv(6, 5x3, pad=[2:3, 2:0], groups=2, pad_mode=circular)",
     "direct(stages=2, vectors=1, columns=11, parts=1, channel_parts=1, pixels_outside=0, unroll=1)"},
    {"AConstantRowUnderPadding",
     "f32 nhwc[1, 12, 2, 16] -> depthwise(1x3, pad=[1:3, 1:1], weights=[5, 0, 1]) -> depthwise(1x1)",
     "chain(stages=2, along_width=0, parts=2, rows=1, columns0=2, columns1=2)"},
    {"ATransposedDepthOfNothingButPadding",
     "f32 ndhwc[1, 1, 5, 1, 2] -> transposed(1, 1x1x2, dilation=2x1x1, output_padding=1x0x0)"},
    {"ATransposedDepthWithMoreBehind", "f32 ndhwc[1, 3, 5, 4, 16] -> transposed(16, 1x2x2, pad=[1:0, 0:0, 0:0])"},
    {"ADepthwiseByDirect", "f32 ncw[3, 33, 7] -> depthwise(5, stride=2, pad=[1:6], dilation=2) + relu6",
     "direct(vectors=1, columns=1, parts=3, channel_parts=1, pixels_outside=1, unroll=1)"},
    {"LargePlanesInPlace", "f32 nchw[2, 3, 131, 120] -> depthwise(5x5, stride=2, pad=2) + bias"},
    {"LargePlanesInPlaceWithABorderBehind",
     "f32 nchw[1, 2, 95, 101] -> depthwise(3x4, stride=2, pad=[0:1, 0:3], multiplier=2)"},
    {"LargePlanesInPlaceUnderDilation", "f32 nchw[1, 2, 90, 130] -> depthwise(3x3, stride=2, pad=3, dilation=3)"},
    {"DilatedPlanesUnderPaddingAlongTheDepth",
     "f32 ndhwc[1, 3, 9, 9, 16] -> depthwise(1x3x3, stride=2x1x1, pad=1x4x4, dilation=1x4x4)"},
    {"ADilationLongerThanTheImage", "f32 nhwc[1, 5, 7, 33] -> depthwise(3x3, pad=9, dilation=9) + bias"},
    {"RowsShorterThanAVectorBesideAFurtherTensor",
     "(x: f32 nchw[2, 5, 14, 14], t1: f32 nchw[2, 5, 14, 14]) -> depthwise(5x5, pad=2) + bias + add(t1)"},
    {"PlanesAsHighAsATileUnderUnevenPadding", "f32 nchw[1, 6, 9, 13] -> depthwise(5x3, pad=[4:1, 0:2]) + bias"},
    {"PlanesAsHighAsATileOfThreeAxes", "f32 ncdhw[2, 3, 4, 7, 7] -> depthwise(3x3x3, pad=1)"},
    {"DilatedRowsShorterThanAVectorBesideAFurtherTensor",
     "(x: f32 nchw[2, 7, 12, 12], t1: f32 nchw[1, 7, 11, 13]) -> "
     "depthwise(3x3, pad=[6:1, 3:4], dilation=4x3) + add(t1)"},
    {"DilatedPlanesOfADepth", "f32 ncdhw[2, 5, 3, 12, 21] -> depthwise(1x3x3, pad=0x4x5, dilation=1x4x5) + bias"},
    {"DilatedRowsWithoutPadding", "f32 nchw[1, 9, 13, 20] -> depthwise(3x2, pad=5x0, dilation=5x2)"},
    {"LargePlanesInPlaceOfThreeAxes", "f32 ncdhw[1, 2, 3, 96, 99] -> depthwise(3x3x3, stride=1x2x2, pad=1)"},
};

const std::vector<Case> gpu_cases{
    {"BarriersInALoopWhoseTurnsDependOnTheThread", "f32 nhwc[1, 33, 33, 64] -> conv(64, 3x3, pad=12, dilation=12)",
     "gpu_tiled(columns=7, channel_threads=16, column_threads=1, row_threads=3, chunk=32, split=2)"},
    {"TheSameWithColumnsSharingTaps", "f32 nhwc[1, 20, 19, 64] -> conv(64, 3x3, pad=4, dilation=4)",
     "gpu_tiled(columns=7, channel_threads=16, column_threads=1, row_threads=3, chunk=32, split=2)"},
    {"ChannelsThreeApart", "f32 ncw[1, 32, 3] -> conv(32, 3, pad=1)"},
    {"ChannelsThreeApartInAChain", "f32 ncw[2, 20, 3] -> depthwise(4, pad=[1:2]) + add(x) -> conv(39, 1) + bias",
     "gpu_chain(stages=2, columns=3, channel_threads=8, column_threads=1, row_threads=1, chunk=20, split=1, "
     "depthwise_columns=3)"},
};

class Regression : public testing::TestWithParam<Case> {};

void expect_right(const std::string &line, const std::string &pinned = "") {
    const SourceFile file{"<layer>", line};
    Diagnostics diagnostics;
    const CheckedModule checked = check_module(parse_module(file, diagnostics), diagnostics);
    ASSERT_EQ(checked.layers.size(), 1U) << render_text(file, diagnostics, false);
    std::vector<Schedule> schedules;
    if (!pinned.empty()) {
        const Result<Schedule> schedule = parse_schedule(pinned);
        ASSERT_TRUE(schedule) << schedule.error().message;
        schedules.push_back(*schedule);
    }
    test::expect_right(checked.layers[0].layer, schedules);
}

TEST_P(Regression, IsRightNow) {
    expect_right(GetParam().line, GetParam().schedule);
}

// With schedules of a GPU: gpu.regressions in ctest.
class GpuRegression : public Regression {};

TEST_P(GpuRegression, IsRightNow) {
    if (test::kernel_target().gpu == Gpu::none) GTEST_SKIP() << "for a GPU, which CONVC_TEST_TARGET names";
    expect_right(GetParam().line, GetParam().schedule);
}

// Kernels of more taps than are written out lie in tables: the second took the first one's.
TEST(RegressionOfTables, EachKernelHasItsOwn) {
    const auto kernel = [](int factor) {
        std::string rows;
        for (int i = 0; i < 9; i++) {
            std::string row;
            for (int j = 0; j < 9; j++) row += (j > 0 ? ", " : "") + std::to_string((i * i + factor * j) % 7 - 3);
            rows += (i > 0 ? ", [" : "[") + row + "]";
        }
        return "depthwise(9x9, pad=4, weights=[" + rows + "])";
    };
    expect_right("f32 nhwc[1, 6, 5, 3] -> " + kernel(2) + " -> " + kernel(3));
}

INSTANTIATE_TEST_SUITE_P(Once, Regression, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<Case> &tested) { return tested.param.broke; });
INSTANTIATE_TEST_SUITE_P(Once, GpuRegression, testing::ValuesIn(gpu_cases),
                         [](const testing::TestParamInfo<Case> &tested) { return tested.param.broke; });

}  // namespace
}  // namespace convc
