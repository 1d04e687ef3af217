// What the lints offer instead computes the same: each fix-it is applied to the text, and both layers run on the
// reference.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "compiler/reference/reference.h"
#include "compiler/sema/lints.h"
#include "tests/sema/check_text.h"
#include "tests/support/layer_data.h"
#include "tests/support/random_layer.h"

namespace convc {
namespace {

// The text with the fix-it of the diagnostic of this kind; "" when there is none.
std::string fixed_text(const std::string &text, std::string_view id) {
    CheckedText checked = check_text(text);
    EXPECT_EQ(checked.rendered, "");
    lint_module(checked.module, checked.diagnostics);
    for (const Diagnostic &diagnostic : checked.diagnostics.all()) {
        if (diagnostic.id != id) continue;
        const FixIt &fixit = diagnostic.fixits.at(0);
        std::string fixed = text;
        fixed.replace(fixit.range.begin, fixit.range.end - fixit.range.begin, fixit.replacement);
        return fixed;
    }
    return "";
}

Layer only_layer(const std::string &text) {
    const CheckedText checked = check_text(text);
    EXPECT_EQ(checked.rendered, "") << text;
    return checked.module.layers.empty() ? Layer() : checked.module.layers[0].layer;
}

// Both layers have the same inputs, and the same parameters in the same order.
void expect_same_results(const Layer &before, const Layer &after, uint64_t seed) {
    ASSERT_EQ(after.inputs, before.inputs);
    ASSERT_EQ(after.output(), before.output());
    const test::LayerData data = test::integer_data(before, seed, 4);
    const ReferenceTensor expected = test::reference_of(before, data).output;
    const ReferenceTensor found = test::reference_of(after, data).output;
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); i++) ASSERT_NEAR(found[i], expected[i], 1e-9 * (1 + std::abs(expected[i])));
}

test::RandomLayerOptions exact_options(StageKind kind) {
    test::RandomLayerOptions options;
    options.kinds = {kind};
    options.most_stages = 1;
    options.epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::scale, EpilogueKind::add};
    options.constant_weights = false;
    options.most_space = 7;
    return options;
}

// The outer product of small integer vectors, one an axis.
std::vector<double> rank_one_kernel(const Stage &stage, std::mt19937 &random) {
    std::vector<double> kernel{1};
    for (const Axis &axis : stage.axes) {
        std::vector<double> product;
        std::vector<double> factor;
        factor.reserve(static_cast<size_t>(axis.kernel));
        for (int64_t i = 0; i < axis.kernel; i++) factor.push_back(static_cast<double>(random() % 7) - 3);
        for (const double left : kernel) {
            for (const double right : factor) product.push_back(left * right);
        }
        kernel = std::move(product);
    }
    return kernel;
}

TEST(FixIts, ChainOfARankOneKernelComputesTheSame) {
    std::mt19937 random(1);
    int offered = 0;
    for (const StageKind kind : {StageKind::depthwise, StageKind::convolution}) {
        test::RandomLayerOptions options = exact_options(kind);
        if (kind == StageKind::convolution) options.most_channels = 1;
        test::RandomLayers layers(20260201, options);
        for (uint64_t i = 0; i < 400 && !testing::Test::HasFailure(); i++) {
            Layer layer = layers.next();
            layer.stages[0].weights = rank_one_kernel(layer.stages[0], random);
            const std::string text = layer.canonical_line();
            const std::string fixed = fixed_text(text, "rank-one-kernel");
            if (fixed.empty()) continue;
            SCOPED_TRACE(testing::Message() << text << "\n" << fixed);
            const Layer chain = only_layer(fixed);
            EXPECT_GT(chain.stages.size(), 1U);
            expect_same_results(layer, chain, i);
            offered++;
        }
    }
    EXPECT_GT(offered, 200);
}

TEST(FixIts, DepthwiseOfAConvInGroupsComputesTheSame) {
    test::RandomLayers layers(20260202, exact_options(StageKind::convolution));
    int offered = 0;
    for (uint64_t i = 0; i < 400 && !testing::Test::HasFailure(); i++) {
        const Layer layer = layers.next();
        const std::string text = layer.canonical_line();
        const std::string fixed = fixed_text(text, "depthwise-as-groups");
        if (fixed.empty()) continue;
        SCOPED_TRACE(testing::Message() << text << "\n" << fixed);
        const Layer depthwise = only_layer(fixed);
        EXPECT_EQ(depthwise.stages[0].kind, StageKind::depthwise);
        expect_same_results(layer, depthwise, i);
        offered++;
    }
    EXPECT_GT(offered, 20);
}

}  // namespace
}  // namespace convc
