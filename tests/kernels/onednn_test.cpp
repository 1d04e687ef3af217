// Kernels against oneDNN, without the reference in between: exactly on integers, and within both their bounds on real
// numbers.
#include "tests/support/onednn.h"

#include <gtest/gtest.h>

#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"
#include "tests/support/tally.h"

namespace convc {
namespace {

void expect_agreement(StageKind kind, int wanted, std::vector<Layout> layouts, int64_t most_space) {
    test::RandomLayers layers(314159, {.layouts = std::move(layouts),
                                       .kinds = {kind},
                                       .epilogues = {EpilogueKind::bias},
                                       .pad_modes = {PadMode::zeros},
                                       .most_stages = 1,
                                       .most_epilogues = 1,
                                       .most_space = most_space,
                                       .most_channels = 34,
                                       .constant_weights = false,
                                       .flip = false});
    int compared = 0;
    for (int i = 0; i < wanted; i++) {
        const Layer layer = layers.next();
        ASSERT_TRUE(test::onednn_computes(layer));
        SCOPED_TRACE(layer.canonical_line());
        const auto integers = test::exact_data(layer, static_cast<uint64_t>(i));
        ASSERT_TRUE(integers);
        const test::LayerData reals = test::uniform_data(layer, static_cast<uint64_t>(i));
        const auto oracle_integers = test::onednn_output(layer, *integers);
        const auto oracle_reals = test::onednn_output(layer, reals);
        if (!oracle_integers || !oracle_reals) continue;
        compared++;
        const auto kernel = test::compile(layer);
        ASSERT_TRUE(kernel);
        const auto of_integers = kernel->run(*integers);
        const auto of_reals = kernel->run(reals);
        ASSERT_TRUE(of_integers && of_reals);
        test::tally().compared(kernel->info(), test::by_onednn);
        test::tally().compared(kernel->info(), test::by_onednn);
        const bool as_written = sums_as_written(kernel->info().schedule);
        if (as_written) {
            EXPECT_EQ(*of_integers, *oracle_integers);
        }
        const Comparison comparison = compare_output(layer.output(), *of_reals,
                                                     test::as_expected(*oracle_reals, test::reference_of(layer, reals)),
                                                     as_written ? Tolerance::bounded : Tolerance::transformed);
        EXPECT_TRUE(comparison.ok()) << comparison.message();
    }
    EXPECT_GT(compared, wanted * 3 / 4) << "oneDNN computes too few of the sample to prove anything";
}

const std::vector<Layout> planes{Layout::nhwc, Layout::nchw, Layout::nwc, Layout::ncw};

TEST(OneDnnDifferential, Conv) {
    expect_agreement(StageKind::convolution, test::sample_size(25, 1000), planes, 16);
}
TEST(OneDnnDifferential, Depthwise) {
    expect_agreement(StageKind::depthwise, test::sample_size(20, 500), planes, 16);
}
TEST(OneDnnDifferential, Transposed) {
    expect_agreement(StageKind::transposed, test::sample_size(15, 500), {}, 7);
}

}  // namespace
}  // namespace convc
