// Kernels for the lesser instruction sets that the machine at hand also runs: other vector lengths, fewer registers, no
// FMA. (CONVC_TEST_TARGET runs every kernel test for one of them.)
#include <gtest/gtest.h>

#include <limits>

#include "compiler/plan/host_target.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

class OnIsa : public testing::TestWithParam<Isa> {
protected:
    void SetUp() override {
        target_ = host_target();
        if (target_.isa == Isa::neon || GetParam() >= target_.isa)
            GTEST_SKIP() << "not less than what this machine has";
        target_.isa = GetParam();
        target_.cpu.clear();
    }

    void expect_sample_right(const test::RandomLayerOptions &options, int usual) const {
        test::RandomLayers layers(42, options);
        for (int i = 0; i < test::sample_size(usual, usual * 20); i++) {
            test::expect_right(layers.next(), {}, 42, target_);
        }
    }

    Target target_;
};

TEST_P(OnIsa, IntegersStayExact) {
    expect_sample_right({.kinds = {StageKind::convolution, StageKind::depthwise},
                         .epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::add},
                         .most_stages = 1,
                         .most_space = 16,
                         .most_channels = 20,
                         .integers = true},
                        20);
}

TEST_P(OnIsa, TransposedStaysExact) {
    expect_sample_right({.kinds = {StageKind::transposed},
                         .epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::add},
                         .most_stages = 1,
                         .most_space = 9,
                         .most_channels = 20,
                         .integers = true},
                        8);
}

TEST_P(OnIsa, ChainsWithAnyEpilogues) {
    expect_sample_right(
        {.kinds = {StageKind::convolution, StageKind::depthwise}, .most_stages = 2, .most_epilogues = 4}, 10);
}

// Minimum and maximum are instructions that give one of their operands where either is NaN, and which of them is the
// compiler's choice.
TEST_P(OnIsa, NanPassesThroughEveryClip) {
    for (const Epilogue &clip :
         {Epilogue{EpilogueKind::relu}, Epilogue{EpilogueKind::relu6}, Epilogue{EpilogueKind::clip, -1, 2}}) {
        for (const bool biased : {false, true}) {
            test::LayerBuilder builder(test::nhwc(1, 6, 5, 8));
            builder.conv(18, test::square(1));
            if (biased) builder.epilogue(EpilogueKind::bias);
            const auto kernel = test::compile(builder.epilogue(clip), {}, {}, target_);
            ASSERT_TRUE(kernel);
            test::LayerData data = test::uniform_data(kernel->layer(), 7);
            for (const size_t at : {0, 9, 100, 239}) data.inputs[0][at] = std::numeric_limits<float>::quiet_NaN();
            EXPECT_TRUE(kernel->agrees(data, Tolerance::bounded));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Kernel, OnIsa, testing::Values(Isa::sse41, Isa::avx2),
                         [](const testing::TestParamInfo<Isa> &tested) {
                             return std::string(tested.param == Isa::sse41 ? "Sse41" : "Avx2");
                         });

}  // namespace
}  // namespace convc
