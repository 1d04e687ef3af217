// Properties of convolution that need no reference. That inputs and weights stay as they are, KernelUnderTest sees to:
// it keeps them where nothing can be written.
#include <gtest/gtest.h>

#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;
using test::square;
using test::Tensor;

// A one in the middle of zeros gives the kernel turned round, or with flip the kernel itself.
TEST(KernelProperty, AnImpulseGivesTheKernel) {
    const Tensor kernel{1, 2, 3, 4, 5, 6, 7, 8, 9};
    Tensor impulse(25, 0.0F);
    impulse[12] = 1;
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        for (const bool depthwise : {false, true}) {
            LayerBuilder builder(test::tensor(layout, 1, {5, 5}, 1));
            depthwise ? builder.depthwise(square(3)) : builder.conv(1, square(3));
            const auto unflipped = test::compile(builder);
            const auto flipped = test::compile(builder.flip());
            ASSERT_TRUE(unflipped && flipped);
            EXPECT_EQ(unflipped->run({{impulse}, {kernel}}), Tensor(kernel.rbegin(), kernel.rend()));
            EXPECT_EQ(flipped->run({{impulse}, {kernel}}), kernel);
        }
    }
}

TEST(KernelProperty, LinearInItsInput) {
    const Layer layer = LayerBuilder(test::nhwc(2, 9, 8, 6)).conv(10, square(3, 2, 1), 2).depthwise(square(2));
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    const LayerData a = test::integer_data(layer, 1, 4);
    LayerData b = a;
    b.inputs = test::integer_data(layer, 2, 4).inputs;
    LayerData sum = a;
    for (size_t i = 0; i < sum.inputs[0].size(); i++) sum.inputs[0][i] = 2 * a.inputs[0][i] - 3 * b.inputs[0][i];
    const auto of_a = kernel->run(a);
    const auto of_b = kernel->run(b);
    const auto of_sum = kernel->run(sum);
    ASSERT_TRUE(of_a && of_b && of_sum);
    for (size_t i = 0; i < of_sum->size(); i++) EXPECT_EQ((*of_sum)[i], 2 * (*of_a)[i] - 3 * (*of_b)[i]);
}

// Moving the input by the stride moves the output by one, away from the borders.
TEST(KernelProperty, ShiftsWithItsInput) {
    constexpr int64_t stride = 2;
    constexpr int64_t inputs = 40;
    constexpr int64_t channels = 4;
    for (const bool depthwise : {false, true}) {
        LayerBuilder builder(test::tensor(Layout::nwc, 1, {inputs}, channels));
        depthwise ? builder.depthwise(test::line(3, stride, 1)) : builder.conv(channels, test::line(3, stride, 1));
        const auto kernel = test::compile(builder);
        ASSERT_TRUE(kernel);
        const LayerData data = test::uniform_data(builder, 5);
        LayerData moved = data;
        Tensor &x = moved.inputs[0];
        std::rotate(x.begin(), x.end() - stride * channels, x.end());
        const auto before = kernel->run(data);
        const auto after = kernel->run(moved);
        ASSERT_TRUE(before && after);
        const int64_t outputs = kernel->layer().output().space[0];
        for (int64_t i = channels; i < (outputs - 2) * channels; i++) {
            EXPECT_EQ((*after)[static_cast<size_t>(i + channels)], (*before)[static_cast<size_t>(i)]) << i;
        }
    }
}

// Images of a batch do not see each other.
TEST(KernelProperty, ABatchIsItsImagesOneByOne) {
    const auto layer_of = [](int64_t batch) {
        LayerBuilder builder(test::nhwc(batch, 7, 9, 5));
        return Layer(builder.conv(9, square(3, 1, 1)).epilogue(EpilogueKind::bias).depthwise(square(3)));
    };
    const auto three = test::compile(layer_of(3));
    const auto one = test::compile(layer_of(1));
    ASSERT_TRUE(three && one);
    const LayerData data = test::uniform_data(three->layer(), 3);
    const auto together = three->run(data);
    ASSERT_TRUE(together);
    const size_t image = data.inputs[0].size() / 3;
    const size_t result = together->size() / 3;
    for (size_t n = 0; n < 3; n++) {
        const float *first = data.inputs[0].data() + n * image;
        const auto alone = one->run({{Tensor(first, first + image)}, data.parameters});
        ASSERT_TRUE(alone);
        const float *expected = together->data() + n * result;
        EXPECT_EQ(*alone, Tensor(expected, expected + result)) << n;
    }
}

}  // namespace
}  // namespace convc
