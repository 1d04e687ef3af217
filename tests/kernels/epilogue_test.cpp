// Each epilogue by itself over the whole range of f32, to its own precision: exactly, or within 4 ulp.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/reference/activation.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;

constexpr int64_t width = 512;
constexpr int64_t channels = 16;

struct Case {
    const char *name;
    Epilogue epilogue;
};

const std::vector<Case> activations{
    {"Relu", {EpilogueKind::relu}},
    {"Relu6", {EpilogueKind::relu6}},
    {"LeakyRelu", {EpilogueKind::leaky_relu, 0.01}},
    {"LeakyReluOfNegativeSlope", {EpilogueKind::leaky_relu, -1.5}},
    {"Clip", {EpilogueKind::clip, -0.1, 2.5}},
    {"Sigmoid", {EpilogueKind::sigmoid}},
    {"Tanh", {EpilogueKind::tanh}},
    {"Silu", {EpilogueKind::silu}},
    {"Gelu", {EpilogueKind::gelu}},
    {"Hardswish", {EpilogueKind::hardswish}},
    {"Hardsigmoid", {EpilogueKind::hardsigmoid}},
};

// Even where the curve bends, every magnitude from the least to the largest, both signs, and what stands out.
test::Tensor whole_range() {
    test::Tensor values;
    const auto count = static_cast<size_t>(width * channels);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float largest = std::numeric_limits<float>::max();
    constexpr float least = std::numeric_limits<float>::denorm_min();
    for (float value : {0.0F, 1.0F, 3.0F, 6.0F, least, largest, infinity, 88.7F, 88.8F, 103.9F, 104.1F}) {
        values.push_back(value);
        values.push_back(-value);
    }
    values.push_back(std::numeric_limits<float>::quiet_NaN());
    const size_t even = count * 3 / 4;
    const size_t rest = count - even;
    for (size_t i = 0; values.size() < even; i++) {
        values.push_back(static_cast<float>(-16 + 32 * static_cast<double>(i) / static_cast<double>(even)));
    }
    for (size_t i = 0; values.size() < count; i++) {
        const double exponent = -140 + 267 * static_cast<double>(i) / static_cast<double>(rest);
        values.push_back(static_cast<float>((i % 2 == 0 ? 1 : -1) * std::exp2(exponent)));
    }
    return values;
}

ReferenceResult activated(const Epilogue &epilogue, const test::Tensor &values) {
    ReferenceResult result;
    for (float value : values) {
        BoundedNumber number{value, std::abs(value), 0, 0};
        activate(epilogue, number);
        result.output.push_back(number.value);
        result.error_bound.push_back(number.error());
    }
    return result;
}

class Activation : public testing::TestWithParam<Case> {
protected:
    // A stage that multiplies each channel by one and so hands its input to the epilogue unchanged.
    void expect_precise(Layout layout, bool depthwise) {
        LayerBuilder builder(test::tensor(layout, 1, {width}, channels));
        if (depthwise) {
            builder.depthwise(test::line(1));
        } else {
            builder.conv(channels, test::line(1), channels / 8);
        }
        const auto kernel = test::compile(builder.epilogue(GetParam().epilogue));
        ASSERT_TRUE(kernel);
        LayerData data{{whole_range()}, {test::Tensor(static_cast<size_t>(channels), 1.0F)}};
        if (!depthwise) return expect_precise_pixel_by_pixel(*kernel, data);
        const auto got = kernel->run(data);
        ASSERT_TRUE(got);
        const ReferenceResult expected = activated(GetParam().epilogue, data.inputs[0]);
        const Comparison comparison = compare_output(kernel->layer().output(), *got, expected, Tolerance::bounded);
        EXPECT_TRUE(comparison.ok()) << kernel->info().layer << ": " << comparison.message();
    }

    // A sum over channels would spread infinities: the others of the group are zero.
    void expect_precise_pixel_by_pixel(const test::CompiledKernel &kernel, LayerData data) {
        test::Tensor &x = data.inputs[0];
        for (size_t i = 0; i < x.size(); i++) {
            if (i % 8 != 3) x[i] = 0;
        }
        data.parameters[0].assign(static_cast<size_t>(channels * 8), 0.0F);
        for (size_t c = 0; c < channels; c++) data.parameters[0][c * 8 + c % 8] = 1;
        for (float &value : x) value = std::isfinite(value) ? value : 0.5F;
        const auto got = kernel.run(data);
        ASSERT_TRUE(got);
        const ReferenceResult expected = activated(GetParam().epilogue, x);
        const Comparison comparison = compare_output(kernel.layer().output(), *got, expected, Tolerance::bounded);
        EXPECT_TRUE(comparison.ok()) << kernel.info().layer << ": " << comparison.message();
    }
};

TEST_P(Activation, AfterDepthwiseChannelsLast) {
    expect_precise(Layout::nwc, true);
}
TEST_P(Activation, AfterDepthwiseChannelsFirst) {
    expect_precise(Layout::ncw, true);
}
TEST_P(Activation, AfterConv) {
    expect_precise(Layout::nwc, false);
}

INSTANTIATE_TEST_SUITE_P(Epilogue, Activation, testing::ValuesIn(activations),
                         [](const testing::TestParamInfo<Case> &tested) { return tested.param.name; });

// The tensors of add and mul, broadcast along each axis and along all of them, in each layout.
TEST(Epilogue, AddAndMulBroadcastAlongEveryAxis) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        for (int broadcast = 0; broadcast < 16; broadcast += 5) {
            TensorType type = test::tensor(layout, 2, {5, 6}, 11);
            LayerBuilder builder(type);
            builder.conv(11, test::square(3, 1, 1)).epilogue(EpilogueKind::bias);
            if ((broadcast & 1) != 0) type.batch = 1;
            if ((broadcast & 2) != 0) type.channels = 1;
            if ((broadcast & 4) != 0) type.space[0] = 1;
            if ((broadcast & 8) != 0) type.space[1] = 1;
            builder.input("gate", type).epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::relu);
            test::expect_right(builder.epilogue(EpilogueKind::add, 0).epilogue(EpilogueKind::add, 1));
            LayerBuilder transposed(test::tensor(layout, 2, {3, 3}, 4));
            transposed.transposed(11, {test::line(3, 2, 1)[0], test::line(2, 2)[0]}).input("gate", type);
            test::expect_right(transposed.epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::add, 1));
        }
    }
}

TEST(Epilogue, ChannelTailsOfBiasAndScale) {
    for (int64_t out : {1, 7, 9, 23}) {
        LayerBuilder builder(test::nhwc(1, 4, 5, 3));
        builder.conv(out, test::square(2)).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::bias);
        test::expect_right(builder);
        LayerBuilder depthwise(test::tensor(Layout::nchw, 1, {4, 5}, out));
        test::expect_right(
            depthwise.depthwise(test::square(2)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::scale));
    }
}

// The same kind twice is allowed where it takes no parameter, and the order written counts.
TEST(Epilogue, RepeatedAndInOrder) {
    LayerBuilder builder(test::nhwc(1, 6, 6, 8));
    builder.conv(8, test::square(3)).epilogue(EpilogueKind::relu).epilogue(EpilogueKind::bias);
    builder.epilogue({EpilogueKind::clip, -3, 40, -1}).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::relu);
    test::expect_right(builder);
}

}  // namespace
}  // namespace convc
