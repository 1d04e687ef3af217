// Several stages in one entry point, with their intermediates in the workspace.
#include <gtest/gtest.h>

#include "tests/support/compiled_kernel.h"
#include "tests/support/sample_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::square;

TEST(Chain, InvertedResidual) {
    LayerBuilder builder(test::nhwc(1, 14, 13, 24));
    builder.conv(40, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
    builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
    builder.conv(24, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::add, 0);
    test::expect_right(builder);
}

TEST(Chain, TensorsThatSeveralStagesUse) {
    LayerBuilder builder(test::tensor(Layout::nchw, 2, {9, 7}, 6));
    builder.input("gate", test::tensor(Layout::nchw, 1, {1, 1}, 6));
    builder.conv(6, square(3, 1, 1)).epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::relu);
    builder.depthwise(square(5, 1, 2)).epilogue(EpilogueKind::add, 0);
    builder.conv(6, square(1)).epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::add, 0);
    test::expect_right(builder);
}

TEST(Chain, SeparableWithConstantWeights) {
    LayerBuilder builder(test::nhwc(1, 17, 19, 1));
    builder.depthwise({line(3, 1, 1)[0], line(1)[0]}).weights({1, 2, 1});
    builder.depthwise({line(1)[0], line(3, 1, 1)[0]}).weights({-1, 0, 1});
    test::expect_right(builder);
}

TEST(Chain, SixStages) {
    LayerBuilder builder(test::tensor(Layout::nwc, 1, {40}, 8));
    for (int i = 0; i < 3; i++) {
        builder.conv(16 + i, line(3, 1, 1)).epilogue(EpilogueKind::relu);
        builder.depthwise(line(2 + i, 1 + i % 2)).epilogue(EpilogueKind::bias);
    }
    test::expect_right(builder);
}

class SampledChain : public testing::TestWithParam<uint64_t> {};

TEST_P(SampledChain, OfTwoOrThreeStages) {
    test::LayerSampler sampler(GetParam());
    for (int i = 0; i < test::sample_size(4, 60); i++) {
        const Layout layout = sampler.pick<Layout>({Layout::nhwc, Layout::nchw, Layout::nwc, Layout::ncw});
        std::vector<int64_t> space;
        for (int axis = 0; axis < spatial_rank(layout); axis++) space.push_back(sampler.draw(12, 20));
        LayerBuilder builder(test::tensor(layout, sampler.draw(1, 2), space, sampler.draw(1, 12)));
        const int64_t stages = sampler.draw(2, 3);
        for (int64_t stage = 0; stage < stages; stage++) {
            std::vector<Axis> axes;
            for (size_t axis = 0; axis < space.size(); axis++) {
                const int64_t kernel = sampler.draw(1, 3);
                axes.push_back(line(kernel, 1 + sampler.draw(0, 3) / 3, sampler.draw(0, kernel - 1))[0]);
            }
            if (sampler.toss()) {
                builder.depthwise(axes, sampler.draw(1, 2));
            } else {
                builder.conv(sampler.draw(1, 20), axes);
            }
            sampler.add_epilogues(builder, 2, true);
        }
        test::expect_right(builder);
    }
}

INSTANTIATE_TEST_SUITE_P(Seed, SampledChain, testing::Range<uint64_t>(0, 3));

}  // namespace
}  // namespace convc
