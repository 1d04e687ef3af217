// Kernels for the lesser instruction sets that the machine at hand also runs: other vector lengths, fewer registers, no
// FMA. (CONVC_TEST_TARGET runs every kernel test for one of them.)
#include <gtest/gtest.h>

#include "compiler/plan/host_target.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

class OnIsa : public testing::TestWithParam<Isa> {
protected:
    void expect_sample_right(const test::RandomLayerOptions &options, int usual) {
        const Isa host = host_target().isa;
        if (host == Isa::neon || GetParam() >= host) GTEST_SKIP() << "not less than what this machine has";
        Target target = host_target();
        target.isa = GetParam();
        target.cpu.clear();
        test::RandomLayers layers(42, options);
        for (int i = 0; i < test::sample_size(usual, usual * 20); i++)
            test::expect_right(layers.next(), {}, 42, target);
    }
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

INSTANTIATE_TEST_SUITE_P(Kernel, OnIsa, testing::Values(Isa::sse41, Isa::avx2),
                         [](const testing::TestParamInfo<Isa> &tested) {
                             return std::string(tested.param == Isa::sse41 ? "Sse41" : "Avx2");
                         });

}  // namespace
}  // namespace convc
