// A seeded sample of layers with unequal axes: every option at odds with every other. Each test takes one slice of it,
// so that they run side by side.
#include <gtest/gtest.h>

#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

class Sample : public testing::TestWithParam<uint64_t> {
protected:
    // Single stages; channels reach past two vectors of 16 and meet every tail.
    test::RandomLayerOptions options_{
        .most_stages = 1, .most_space = 16, .most_channels = 35, .constant_weights = false};

    void expect_sample_right(int usual) {
        test::RandomLayers layers(GetParam(), options_);
        for (int i = 0; i < test::sample_size(usual, usual * 20); i++)
            test::expect_right(layers.next(), {}, GetParam());
    }
};

const std::vector<EpilogueKind> exact_epilogues{EpilogueKind::bias,       EpilogueKind::scale, EpilogueKind::relu,
                                                EpilogueKind::leaky_relu, EpilogueKind::clip,  EpilogueKind::add,
                                                EpilogueKind::mul};

TEST_P(Sample, ConvOnIntegers) {
    options_.kinds = {StageKind::convolution};
    options_.epilogues = exact_epilogues;
    options_.integers = true;
    expect_sample_right(12);
}

TEST_P(Sample, DepthwiseOnIntegers) {
    options_.kinds = {StageKind::depthwise};
    options_.epilogues = exact_epilogues;
    options_.integers = true;
    expect_sample_right(8);
}

TEST_P(Sample, ConvWithAnyEpilogues) {
    options_.kinds = {StageKind::convolution};
    options_.most_epilogues = 5;
    expect_sample_right(6);
}

TEST_P(Sample, DepthwiseWithAnyEpilogues) {
    options_.kinds = {StageKind::depthwise};
    options_.most_epilogues = 5;
    expect_sample_right(6);
}

TEST_P(Sample, TransposedOnIntegers) {
    options_.kinds = {StageKind::transposed};
    options_.epilogues = exact_epilogues;
    options_.integers = true;
    options_.most_space = 9;
    expect_sample_right(8);
}

TEST_P(Sample, TransposedWithAnyEpilogues) {
    options_.kinds = {StageKind::transposed};
    options_.most_epilogues = 5;
    options_.most_space = 7;
    expect_sample_right(3);
}

// weights= of a depthwise and, where both have one channel, of a conv.
TEST_P(Sample, ConstantWeights) {
    options_.kinds = {StageKind::depthwise, StageKind::convolution};
    options_.constant_weights = true;
    options_.integers = GetParam() % 2 == 0;
    options_.most_channels = 1 + 8 * static_cast<int64_t>(GetParam() / 2);
    expect_sample_right(8);
}

INSTANTIATE_TEST_SUITE_P(Seed, Sample, testing::Range<uint64_t>(0, 4));

}  // namespace
}  // namespace convc
