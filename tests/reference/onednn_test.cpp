// The reference against oneDNN, an implementation that shares nothing with it, over a seeded sample of layers.
#include "tests/support/onednn.h"

#include <gtest/gtest.h>

#include "compiler/reference/compare.h"
#include "tests/support/layer_data.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerData;

test::RandomLayerOptions plain(StageKind kind) {
    return {.kinds = {kind},
            .epilogues = {EpilogueKind::bias},
            .pad_modes = {PadMode::zeros},
            .most_stages = 1,
            .most_epilogues = 1,
            .most_channels = 20,
            .constant_weights = false,
            .flip = false};
}

// Everything that oneDNN is asked for: chains of any stage and border, by integers that stay exact.
test::RandomLayerOptions chains() {
    return {.epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::relu6, EpilogueKind::leaky_relu,
                          EpilogueKind::clip, EpilogueKind::scale, EpilogueKind::add, EpilogueKind::mul},
            .integers = true};
}

void expect_agreement(const test::RandomLayerOptions &options) {
    test::RandomLayers layers(20150318, options);
    const int wanted = test::sample_size(60, 2000);
    int compared = 0;
    for (int i = 0; i < wanted; i++) {
        const Layer layer = layers.next();
        ASSERT_TRUE(test::onednn_computes(layer));
        SCOPED_TRACE(layer.canonical_line());
        const auto exact = test::exact_data(layer, static_cast<uint64_t>(i));
        if (!exact) continue;  // too long a chain of too large numbers
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
    EXPECT_GT(compared, wanted * 3 / 4) << "oneDNN computes too few of the sample to prove anything";
}

TEST(OneDnn, ConvAgreesWithTheReference) {
    expect_agreement(plain(StageKind::convolution));
}
TEST(OneDnn, DepthwiseAgreesWithTheReference) {
    expect_agreement(plain(StageKind::depthwise));
}
TEST(OneDnn, TransposedAgreesWithTheReference) {
    expect_agreement(plain(StageKind::transposed));
}
TEST(OneDnn, ShuffleAgreesWithTheReference) {
    expect_agreement(plain(StageKind::shuffle));
}
TEST(OneDnn, ChainsAgreeWithTheReference) {
    expect_agreement(chains());
}

}  // namespace
}  // namespace convc
