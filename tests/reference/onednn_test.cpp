// The reference against oneDNN, an implementation that shares nothing with it, over a seeded sample of layers.
#include "tests/support/onednn.h"

#include <gtest/gtest.h>

#include "compiler/reference/compare.h"
#include "tests/support/build_layer.h"
#include "tests/support/layer_data.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;

class Sampler {
public:
    explicit Sampler(uint64_t seed) : random_(seed) {}
    int64_t draw(int64_t low, int64_t high) {
        return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
    }

    Layer layer(StageKind kind) {
        const auto layout = static_cast<Layout>(draw(0, 5));
        const int rank = spatial_rank(layout);
        std::vector<Axis> axes;
        std::vector<int64_t> space;
        for (int i = 0; i < rank; i++) {
            axes.push_back(axis(kind));
            space.push_back(extent(kind, axes.back()));
        }
        const int64_t groups = kind == StageKind::depthwise ? 1 : draw(1, 3);
        const int64_t in = groups * draw(1, 9);
        const int64_t out = groups * draw(1, 9);
        LayerBuilder builder(test::tensor(layout, draw(1, 2), space, in));
        if (kind == StageKind::convolution) builder.conv(out, axes, groups);
        if (kind == StageKind::depthwise) builder.depthwise(axes, draw(1, 2));
        if (kind == StageKind::transposed) builder.transposed(out, axes, groups);
        if (draw(0, 1) == 1) builder.epilogue(EpilogueKind::bias);
        return builder;
    }

private:
    Axis axis(StageKind kind) {
        Axis axis;
        axis.kernel = draw(1, 4);
        axis.stride = draw(1, 3);
        axis.dilation = draw(1, 3);
        axis.pad_before = draw(0, axis.effective_kernel() - 1);
        axis.pad_after = draw(0, axis.effective_kernel() - 1);
        if (kind == StageKind::transposed) axis.output_padding = draw(0, axis.stride - 1);
        return axis;
    }

    // At least what the kernel needs, so that there is an output.
    int64_t extent(StageKind kind, const Axis &axis) {
        const int64_t padding = axis.pad_before + axis.pad_after;
        if (kind == StageKind::transposed) return 1 + (padding + axis.stride - 1) / axis.stride + draw(0, 4);
        return std::max<int64_t>(axis.effective_kernel() - padding, 1) + draw(0, 6);
    }

    std::mt19937_64 random_;
};

void expect_agreement(StageKind kind) {
    Sampler sampler(20150318);
    const int wanted = test::sample_size(150, 4000);
    int compared = 0;
    for (int i = 0; i < wanted; i++) {
        const Layer layer = sampler.layer(kind);
        SCOPED_TRACE(layer.canonical_line());
        const auto exact = test::exact_data(layer, static_cast<uint64_t>(i));
        ASSERT_TRUE(exact);
        const LayerData uniform = test::uniform_data(layer, static_cast<uint64_t>(i));
        const auto exact_output = test::onednn_output(layer, *exact);
        const auto uniform_output = test::onednn_output(layer, uniform);
        if (!exact_output || !uniform_output) continue;
        compared++;
        const Comparison integers =
            compare_output(layer.output(), *exact_output, test::reference_of(layer, *exact), Tolerance::exact);
        ASSERT_TRUE(integers.ok()) << integers.message();
        const Comparison reals =
            compare_output(layer.output(), *uniform_output, test::reference_of(layer, uniform), Tolerance::bounded);
        ASSERT_TRUE(reals.ok()) << reals.message();
    }
    EXPECT_GT(compared, wanted * 9 / 10) << "oneDNN computes too few of the sample to prove anything";
}

TEST(OneDnn, ConvAgreesWithTheReference) {
    expect_agreement(StageKind::convolution);
}
TEST(OneDnn, DepthwiseAgreesWithTheReference) {
    expect_agreement(StageKind::depthwise);
}
TEST(OneDnn, TransposedAgreesWithTheReference) {
    expect_agreement(StageKind::transposed);
}

}  // namespace
}  // namespace convc
