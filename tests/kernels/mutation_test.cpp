// A kernel broken by one tap is noticed. Each kernel here is right; packing it with one weight left out makes it a
// kernel that misses one tap of one channel, and the comparison that all the other tests rest on must then say so: for
// every single weight of these layers, on integers and on real numbers. A geometry read wrongly (flip, padding on the
// wrong side, another dilation of the same span) must be noticed, too.
#include <gtest/gtest.h>

#include "compiler/plan/plan.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;
using test::line;
using test::square;

// No weight or input so close to zero that leaving it out would change nothing.
void keep_away_from_zero(test::Tensor &tensor) {
    for (float &value : tensor) {
        if (value >= 0 && value < 0.25F) value += 0.5F;
        if (value < 0 && value > -0.25F) value -= 0.5F;
    }
}

std::vector<Layer> layers() {
    std::vector<Layer> all;
    all.push_back(LayerBuilder(test::nhwc(1, 6, 7, 3)).conv(10, square(3, 1, 1)).epilogue(EpilogueKind::bias));
    all.push_back(LayerBuilder(test::tensor(Layout::nchw, 1, {9, 8}, 4)).conv(6, square(3, 2, 2, 2), 2));
    all.push_back(LayerBuilder(test::nhwc(1, 6, 7, 24)).conv(16, square(3, 1, 1), 8).shuffle(8));
    all.push_back(LayerBuilder(test::tensor(Layout::nchw, 1, {4, 19}, 3)).conv(5, square(3, 1, 1)));
    all.push_back(LayerBuilder(test::tensor(Layout::nwc, 2, {12}, 5)).conv(9, line(4, 3, 1)));
    all.push_back(LayerBuilder(test::nhwc(1, 8, 8, 9)).depthwise(square(3, 2, 1)));
    all.push_back(LayerBuilder(test::tensor(Layout::nchw, 1, {7, 11}, 2)).depthwise(square(5, 1, 2), 2).flip());
    all.push_back(LayerBuilder(test::nhwc(1, 4, 5, 3)).transposed(10, square(4, 2, 1)).epilogue(EpilogueKind::bias));
    all.push_back(LayerBuilder(test::tensor(Layout::ncw, 2, {7}, 4)).transposed(6, line(3, 3, 1, 2), 2).flip());
    LayerBuilder chain(test::nhwc(1, 6, 6, 4));
    all.push_back(chain.conv(8, square(1)).depthwise(square(3, 1, 1)).conv(3, square(1)));
    LayerBuilder fused(test::nhwc(1, 9, 6, 4));
    all.push_back(fused.conv(16, square(1)).depthwise(square(3, 1, 1)).conv(3, square(1)));
    LayerBuilder shuffled(test::nhwc(1, 9, 7, 4));
    all.push_back(shuffled.conv(8, square(3, 1, 1), 2).shuffle(2).conv(16, square(3, 1, 1), 4));
    return all;
}

void expect_every_missing_weight_noticed(const test::CompiledKernel &kernel, const LayerData &data,
                                         Tolerance tolerance) {
    const Layer &layer = kernel.layer();
    const ReferenceResult expected = test::reference_of(layer, data);
    const auto judged = [&](const LayerData &given) {
        const auto output = kernel.run(given);
        return output && compare_output(layer.output(), *output, expected, tolerance).ok();
    };
    ASSERT_TRUE(judged(data)) << layer.canonical_line();
    for (size_t tensor = 0; tensor < data.parameters.size(); tensor++) {
        for (size_t i = 0; i < data.parameters[tensor].size(); i++) {
            LayerData broken = data;
            broken.parameters[tensor][i] = 0;
            EXPECT_FALSE(judged(broken)) << layer.canonical_line() << ": without element " << i << " of "
                                         << layer.parameters()[tensor].name();
        }
    }
}

// By one thread chains are fused as far as they can be: the last two layers are one kernel each.
Target one_thread() {
    Target target = test::kernel_target();
    target.threads = 1;
    return target;
}

TEST(Mutation, OfFusedChains) {
    for (size_t i : {layers().size() - 2, layers().size() - 1}) {
        const Result<Plan> plan = make_plan(layers()[i], one_thread());
        ASSERT_TRUE(plan);
        EXPECT_EQ(plan->groups.size(), 1U) << layers()[i].canonical_line();
    }
}

TEST(Mutation, EverySingleMissingWeightIsNoticed) {
    for (const Layer &layer : layers()) {
        const auto kernel = test::compile(layer, {}, {}, one_thread());
        ASSERT_TRUE(kernel);
        auto integers = test::exact_data(layer, 3);
        ASSERT_TRUE(integers);
        LayerData reals = test::uniform_data(layer, 3);
        for (LayerData *data : {&*integers, &reals}) {
            for (test::Tensor &tensor : data->inputs) keep_away_from_zero(tensor);
            for (test::Tensor &tensor : data->parameters) keep_away_from_zero(tensor);
        }
        expect_every_missing_weight_noticed(*kernel, *integers, Tolerance::exact);
        expect_every_missing_weight_noticed(*kernel, reals, Tolerance::bounded);
    }
}

void expect_told_apart(const Layer &compiled, const Layer &meant) {
    const auto kernel = test::compile(compiled);
    ASSERT_TRUE(kernel);
    const LayerData data = test::uniform_data(meant, 4);
    const auto output = kernel->run(data);
    ASSERT_TRUE(output);
    const auto judged = [&](const Layer &layer) {
        return compare_output(layer.output(), *output, test::reference_of(layer, data), Tolerance::bounded).ok();
    };
    EXPECT_TRUE(judged(compiled)) << compiled.canonical_line();
    EXPECT_FALSE(judged(meant)) << compiled.canonical_line() << " passes for " << meant.canonical_line();
}

TEST(Mutation, AGeometryReadWronglyIsNoticed) {
    const TensorType x = test::nhwc(1, 9, 9, 4);
    const auto conv = [&](std::vector<Axis> axes) { return LayerBuilder(x).conv(8, std::move(axes)); };
    expect_told_apart(conv(square(3, 1, 1)), conv(square(3, 1, 1)).flip());
    std::vector<Axis> before = square(3, 2);
    std::vector<Axis> after = before;
    for (Axis &axis : before) axis.pad_before = 1;
    for (Axis &axis : after) axis.pad_after = 1;
    expect_told_apart(conv(before), conv(after));
    expect_told_apart(conv(square(2, 2, 0, 2)), conv(square(2, 2, 0, 1)));
    const auto transposed = [&](std::vector<Axis> axes) { return LayerBuilder(x).transposed(8, std::move(axes)); };
    expect_told_apart(transposed(square(3, 2, 1)), transposed(square(3, 2, 1)).flip());
    expect_told_apart(transposed(before), transposed(after));
    expect_told_apart(conv(square(3)).epilogue(EpilogueKind::relu), conv(square(3)));
}

}  // namespace
}  // namespace convc
