// Several stages in one entry point, with their intermediates in the workspace.
#include <gtest/gtest.h>

#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
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

TEST(Chain, DownAndUpAgain) {
    LayerBuilder builder(test::nhwc(1, 12, 10, 6));
    builder.conv(12, square(3, 2, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu);
    builder.transposed(6, square(4, 2, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::add, 0);
    builder.depthwise(square(3, 1, 1)).transposed(3, square(2, 2)).epilogue(EpilogueKind::sigmoid);
    test::expect_right(builder);
}

class RandomChain : public testing::TestWithParam<uint64_t> {};

TEST_P(RandomChain, OfUpToFourStages) {
    test::RandomLayers layers(GetParam(), {.kinds = {StageKind::convolution, StageKind::depthwise},
                                           .most_stages = 4,
                                           .most_space = 20,
                                           .most_channels = 12,
                                           .most_kernel = 3,
                                           .integers = GetParam() % 2 == 0});
    for (int i = 0; i < test::sample_size(6, 100); i++) test::expect_right(layers.next(), {}, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomChain, testing::Range<uint64_t>(0, 4));

}  // namespace
}  // namespace convc
