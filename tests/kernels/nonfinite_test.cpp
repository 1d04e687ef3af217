// NaN and infinity in inputs and parameters reach the output as in the reference: wherever they are read, nowhere else,
// and not through padding or constant taps that are zero. Winograd's transforms spread them over their tile, which the
// contract allows: layers here are computed without.
#include <gtest/gtest.h>

#include <limits>

#include "compiler/plan/plan.h"
#include "tests/kernels/specimens.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;
using test::line;
using test::square;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

void place(test::Tensor &tensor, test::Random &random, int count) {
    for (int i = 0; i < count; i++) {
        const int64_t at = random.between(0, static_cast<int64_t>(tensor.size()) - 1);
        tensor[static_cast<size_t>(at)] = random.pick<float>({nan, infinity, -infinity});
    }
}

enum class In { inputs, parameters };

void expect_right_with_nonfinite(const Layer &layer, In in, const Target &target = test::kernel_target(),
                                 const std::vector<Schedule> &schedules = {}) {
    const auto kernel = test::compile(layer, schedules, {}, target);
    ASSERT_TRUE(kernel);
    test::Random random(99);
    for (int i = 0; i < test::sample_size(4, 40); i++) {
        LayerData data = test::uniform_data(layer, static_cast<uint64_t>(i));
        for (test::Tensor &tensor : in == In::inputs ? data.inputs : data.parameters) place(tensor, random, 1 + i);
        EXPECT_TRUE(kernel->agrees(data, Tolerance::bounded));
    }
}

Layer conv(Layout layout, EpilogueKind kind, int64_t groups = 1) {
    LayerBuilder builder(test::tensor(layout, 1, {9, 8}, 8));
    builder.conv(18, square(3, 1, 1), groups).precision(Precision::strict);
    return builder.epilogue(EpilogueKind::bias).epilogue({kind, -1, 2, -1});
}

Layer depthwise(Layout layout, EpilogueKind kind) {
    LayerBuilder builder(test::tensor(layout, 1, {9, 11}, 11));
    return builder.depthwise(square(3, 2, 1)).epilogue(EpilogueKind::bias).epilogue({kind, -1, 2, -1});
}

// Kernel 5, stride 2: phases of two taps and of three, some of which fall into the border on either side.
Layer transposed(Layout layout, EpilogueKind kind, int64_t groups = 1) {
    LayerBuilder builder(test::tensor(layout, 1, {4, 6}, 8));
    return builder.transposed(18, square(5, 2, 1), groups).epilogue(EpilogueKind::bias).epilogue({kind, -1, 2, -1});
}

TEST(Nonfinite, InputsOfConv) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        expect_right_with_nonfinite(conv(layout, EpilogueKind::relu), In::inputs);
        expect_right_with_nonfinite(conv(layout, EpilogueKind::clip, 2), In::inputs);
    }
}

TEST(Nonfinite, InputsOfDepthwise) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        expect_right_with_nonfinite(depthwise(layout, EpilogueKind::relu6), In::inputs);
        expect_right_with_nonfinite(depthwise(layout, EpilogueKind::clip), In::inputs);
    }
}

TEST(Nonfinite, InputsOfTransposed) {
    expect_right_with_nonfinite(transposed(Layout::nhwc, EpilogueKind::relu), In::inputs);
    expect_right_with_nonfinite(transposed(Layout::nchw, EpilogueKind::clip, 2), In::inputs);
}

// At the border a weight that is NaN or infinite meets padding: it contributes nothing there.
TEST(Nonfinite, ParametersOfConv) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        expect_right_with_nonfinite(conv(layout, EpilogueKind::relu), In::parameters);
        expect_right_with_nonfinite(conv(layout, EpilogueKind::clip, 2), In::parameters);
    }
}

TEST(Nonfinite, ParametersOfDepthwise) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        expect_right_with_nonfinite(depthwise(layout, EpilogueKind::relu6), In::parameters);
        expect_right_with_nonfinite(depthwise(layout, EpilogueKind::clip), In::parameters);
    }
}

TEST(Nonfinite, ParametersOfTransposed) {
    expect_right_with_nonfinite(transposed(Layout::nhwc, EpilogueKind::relu), In::parameters);
    expect_right_with_nonfinite(transposed(Layout::nchw, EpilogueKind::clip, 2), In::parameters);
}

TEST(Nonfinite, ConstantTapsThatAreZeroReadNothing) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        for (int64_t channels : {1, 16}) {
            LayerBuilder builder(test::tensor(layout, 1, {9, 21}, channels));
            expect_right_with_nonfinite(builder.depthwise(square(3, 1, 1)).weights({1, 0, -1, 0, 0, 0, 2, 0, 0.5}),
                                        In::inputs);
        }
    }
}

TEST(Nonfinite, EveryActivation) {
    for (EpilogueKind kind : {EpilogueKind::leaky_relu, EpilogueKind::sigmoid, EpilogueKind::tanh, EpilogueKind::silu,
                              EpilogueKind::gelu, EpilogueKind::hardswish, EpilogueKind::hardsigmoid}) {
        LayerBuilder builder(test::nhwc(1, 4, 9, 9));
        expect_right_with_nonfinite(builder.depthwise(square(2)).epilogue({kind, 0.1, 0, -1}), In::inputs);
    }
}

TEST(Nonfinite, ThroughAChain) {
    LayerBuilder builder(test::nhwc(1, 12, 12, 4));
    builder.conv(12, square(3, 1, 1)).epilogue(EpilogueKind::relu6).depthwise(square(3, 2, 1));
    builder.conv(5, square(1)).epilogue(EpilogueKind::relu);
    expect_right_with_nonfinite(builder, In::inputs);
}

// In one kernel each. Padding contributes nothing between its stages either: rows left out, columns guarded, a border
// of zeros that meets a weight, strips along the width.
std::vector<Layer> fused_chains() {
    std::vector<Layer> all;
    LayerBuilder residual(test::nhwc(1, 12, 11, 4));
    residual.conv(16, square(1)).epilogue(EpilogueKind::relu6).depthwise(square(3, 1, 1));
    all.push_back(residual.conv(5, square(1)).epilogue(EpilogueKind::relu));
    LayerBuilder shuffled(test::nhwc(1, 12, 11, 4));
    shuffled.conv(16, square(3, 1, 1), 2).epilogue(EpilogueKind::bias).shuffle(2);
    all.push_back(shuffled.conv(16, square(3, 1, 1), 4));
    LayerBuilder strip(test::tensor(Layout::ncw, 1, {40}, 4));
    all.push_back(strip.conv(16, line(1)).depthwise(line(3, 1, 1)).conv(8, line(3, 1, 1)));
    return all;
}

TEST(Nonfinite, ThroughAFusedChain) {
    Target target = test::kernel_target();
    target.threads = 1;
    for (const Layer &layer : fused_chains()) {
        const Result<Plan> plan = make_plan(layer, target);
        ASSERT_TRUE(plan);
        EXPECT_EQ(plan->groups.size(), 1U) << layer.canonical_line();
        expect_right_with_nonfinite(layer, In::inputs, target);
        expect_right_with_nonfinite(layer, In::parameters, target);
    }
}

// A copy of a vector of channels has zeros before and behind each row, which weights meet.
TEST(Nonfinite, CopiesOfChannelsMeetNoBorder) {
    const Target target = specimen_target();
    const int64_t lanes = target.vector_lanes();
    const Layer layer = test::LayerBuilder(test::nhwc(1, 6, 9, lanes)).depthwise(test::square(5, 1, 2));
    const Schedule copied{"depthwise",
                          {{"columns", 3}, {"parts", 1}, {"channel_parts", 1}, {"channels_outside", 1}, {"copies", 1}}};
    expect_right_with_nonfinite(layer, In::inputs, target, {copied});
    expect_right_with_nonfinite(layer, In::parameters, target, {copied});
}

// Every algorithm of the table, as one kernel, with relu and clip behind it.
class NonfiniteThroughEveryAlgorithm : public testing::TestWithParam<Specimen> {};

TEST_P(NonfiniteThroughEveryAlgorithm, ReachesTheOutput) {
    const Target target = specimen_target();
    for (const EpilogueKind kind : {EpilogueKind::relu, EpilogueKind::clip}) {
        const Layer layer = GetParam().of(5, 9).epilogue({kind, -1, 2, -1});
        for (const Algorithm *algorithm : algorithms_for(layer, target)) {
            if (!sums_as_written(*algorithm)) continue;
            const std::vector<Schedule> schedules{algorithm->default_schedule(whole(layer), target)};
            expect_right_with_nonfinite(layer, In::inputs, target, schedules);
            if (!layer.parameters().empty()) expect_right_with_nonfinite(layer, In::parameters, target, schedules);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Layer, NonfiniteThroughEveryAlgorithm, testing::ValuesIn(specimens()),
                         [](const testing::TestParamInfo<Specimen> &tested) { return tested.param.name; });

}  // namespace
}  // namespace convc
