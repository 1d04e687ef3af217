// A seeded sample of layers with unequal axes: every option at odds with every other. Each test takes one slice of it,
// so that they run side by side.
#include <gtest/gtest.h>

#include "tests/support/compiled_kernel.h"
#include "tests/support/sample_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerSampler;

const std::vector<Layout> layouts{Layout::nhwc, Layout::nchw, Layout::nwc, Layout::ncw};

class Sample : public testing::TestWithParam<uint64_t> {
protected:
    void expect_sample_right(StageKind kind, int64_t epilogues, bool keep_integers, int usual) {
        LayerSampler sampler(GetParam() * 1000 + static_cast<uint64_t>(kind) * 10 + (keep_integers ? 1 : 0));
        for (int i = 0; i < test::sample_size(usual, usual * 20); i++) {
            LayerBuilder builder = sampler.layer(kind, layouts);
            if (sampler.draw(0, 3) == 0) builder.flip();
            sampler.add_epilogues(builder, epilogues, keep_integers);
            test::expect_right(builder, {}, GetParam());
        }
    }
};

TEST_P(Sample, ConvOnIntegers) {
    expect_sample_right(StageKind::convolution, 3, true, 8);
}
TEST_P(Sample, DepthwiseOnIntegers) {
    expect_sample_right(StageKind::depthwise, 3, true, 6);
}
TEST_P(Sample, ConvWithAnyEpilogues) {
    expect_sample_right(StageKind::convolution, 5, false, 4);
}
TEST_P(Sample, DepthwiseWithAnyEpilogues) {
    expect_sample_right(StageKind::depthwise, 5, false, 4);
}

// weights= of a depthwise and of a conv from one channel to one.
TEST_P(Sample, ConstantWeights) {
    LayerSampler sampler(GetParam() * 1000 + 77);
    for (int i = 0; i < test::sample_size(5, 100); i++) {
        LayerBuilder builder = sampler.layer(StageKind::depthwise, layouts);
        if (i % 2 == 1) {
            const Layer &drawn = builder.layer();
            const TensorType &x = drawn.inputs[0].type;
            builder = LayerBuilder(test::tensor(x.layout, x.batch, x.space, 1)).conv(1, drawn.stages[0].axes);
        }
        std::vector<double> weights(static_cast<size_t>(builder.layer().stages[0].kernel_volume()));
        for (double &weight : weights) weight = sampler.pick<double>({0, 0, 1, -1, 2, -4});
        if (sampler.toss()) weights[0] = 1 / 9.0;
        builder.weights(weights);
        if (sampler.toss()) builder.flip();
        sampler.add_epilogues(builder, 1, true);
        test::expect_right(builder, {}, GetParam());
    }
}

INSTANTIATE_TEST_SUITE_P(Seed, Sample, testing::Range<uint64_t>(0, 4));

}  // namespace
}  // namespace convc
