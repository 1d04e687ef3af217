// Properties of convolution that need no second implementation.
#include <gtest/gtest.h>

#include <cmath>

#include "compiler/reference/compare.h"
#include "compiler/reference/reference.h"
#include "tests/support/build_layer.h"
#include "tests/support/layer_data.h"
#include "tests/support/onednn.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;
using test::square;
using test::tensor;

ReferenceTensor output_of(const Layer &layer, const LayerData &data) {
    return test::reference_of(layer, data).output;
}

// A one in the middle of zeros: true convolution gives the kernel, cross-correlation gives it turned round.
TEST(Property, AnImpulseGivesTheKernel) {
    const test::Tensor kernel{1, 2, 3, 4, 5, 6, 7, 8, 9};
    test::Tensor impulse(25, 0.0F);
    impulse[12] = 1;
    const Layer flipped = LayerBuilder(test::nhwc(1, 5, 5, 1)).conv(1, square(3)).flip();
    EXPECT_EQ(output_of(flipped, {{impulse}, {kernel}}), ReferenceTensor(kernel.begin(), kernel.end()));
    const Layer unflipped = LayerBuilder(test::nhwc(1, 5, 5, 1)).conv(1, square(3));
    EXPECT_EQ(output_of(unflipped, {{impulse}, {kernel}}), ReferenceTensor(kernel.rbegin(), kernel.rend()));
}

// The matrix that a linear layer of one channel multiplies its flattened input by, column by column.
std::vector<ReferenceTensor> matrix_of(const Layer &layer, const test::Tensor &weights) {
    std::vector<ReferenceTensor> columns;
    const auto inputs = static_cast<size_t>(*layer.inputs[0].type.elements());
    for (size_t i = 0; i < inputs; i++) {
        test::Tensor impulse(inputs, 0.0F);
        impulse[i] = 1;
        columns.push_back(output_of(layer, {{impulse}, {weights}}));
    }
    return columns;
}

// The article's example: a 4x4 input under a 3x3 kernel is a 4x16 matrix C; the transposed layer is its transpose,
// which is not its inverse.
TEST(Property, TransposedIsTheTransposedMatrix) {
    const test::Tensor kernel{1, 2, 3, 4, 5, 6, 7, 8, 9};
    const auto c = matrix_of(LayerBuilder(test::nhwc(1, 4, 4, 1)).conv(1, square(3)), kernel);
    const auto t = matrix_of(LayerBuilder(test::nhwc(1, 2, 2, 1)).transposed(1, square(3)), kernel);
    ASSERT_EQ(c.size(), 16U);
    ASSERT_EQ(t.size(), 4U);
    double off_diagonal = 0;
    for (size_t row = 0; row < 4; row++) {
        for (size_t column = 0; column < 16; column++) EXPECT_EQ(c[column][row], t[row][column]);
    }
    for (size_t k = 0; k < 16; k++) off_diagonal += c[k][0] * t[1][k];  // (C C^T)[0][1]
    EXPECT_NE(off_diagonal, 0);
}

struct Geometry {
    int64_t extent, kernel, stride, pad_before, pad_after, dilation, groups;
};

class Adjoint : public testing::TestWithParam<Geometry> {};

// <conv(x), y> = <x, transposed(y)>: transposed is the gradient with respect to the input. The weights are the same
// numbers, conv's [out, in/groups, k] being transposed's [in, out/groups, k].
TEST_P(Adjoint, TransposedIsTheGradientOfConv) {
    const Geometry g = GetParam();
    std::vector<Axis> axes = square(g.kernel, g.stride, 0, g.dilation);
    for (Axis &axis : axes) {
        axis.pad_before = g.pad_before;
        axis.pad_after = g.pad_after;
    }
    const TensorType input = tensor(Layout::nchw, 2, {g.extent, g.extent + 1}, 4);
    const Layer forward = LayerBuilder(input).conv(6, axes, g.groups);
    for (size_t i = 0; i < 2; i++) {
        const int64_t covered = (forward.output().space[i] - 1) * axes[i].stride + axes[i].effective_kernel();
        axes[i].output_padding = input.space[i] + g.pad_before + g.pad_after - covered;
    }
    const Layer backward = LayerBuilder(forward.output()).transposed(4, axes, g.groups);
    ASSERT_EQ(backward.output(), input);

    LayerData x = test::integer_data(forward, 1, 5);
    LayerData y = test::integer_data(backward, 2, 5);
    y.parameters = x.parameters;
    const ReferenceTensor conv_x = output_of(forward, x);
    const ReferenceTensor transposed_y = output_of(backward, y);
    double left = 0;
    double right = 0;
    for (size_t i = 0; i < conv_x.size(); i++) left += conv_x[i] * y.inputs[0][i];
    for (size_t i = 0; i < transposed_y.size(); i++) right += transposed_y[i] * x.inputs[0][i];
    EXPECT_EQ(left, right);
    EXPECT_NE(left, 0);
}

INSTANTIATE_TEST_SUITE_P(Geometries, Adjoint,
                         testing::Values(Geometry{5, 3, 1, 0, 0, 1, 1}, Geometry{6, 3, 2, 1, 1, 1, 1},
                                         Geometry{7, 2, 3, 1, 0, 1, 2}, Geometry{8, 3, 2, 0, 2, 2, 1},
                                         Geometry{9, 1, 2, 0, 0, 1, 2}, Geometry{9, 4, 1, 2, 3, 2, 2}));

TEST(Property, LinearInItsInput) {
    const Layer layer = LayerBuilder(test::nhwc(1, 6, 5, 4)).conv(6, square(3, 2, 1), 2).depthwise(square(2));
    LayerData a = test::integer_data(layer, 1, 4);
    LayerData b = a;
    b.inputs = test::integer_data(layer, 2, 4).inputs;
    LayerData sum = a;
    for (size_t i = 0; i < sum.inputs[0].size(); i++) sum.inputs[0][i] = 2 * a.inputs[0][i] - 3 * b.inputs[0][i];
    const ReferenceTensor of_a = output_of(layer, a);
    const ReferenceTensor of_b = output_of(layer, b);
    const ReferenceTensor of_sum = output_of(layer, sum);
    for (size_t i = 0; i < of_sum.size(); i++) EXPECT_EQ(of_sum[i], 2 * of_a[i] - 3 * of_b[i]);
}

// A chain in f32, each stage by oneDNN: the bound holds for real arithmetic, and is narrow enough to see one changed
// number.
TEST(Property, TheBoundHoldsForAChainInF32) {
    const TensorType input = test::nhwc(1, 9, 9, 16);
    const Layer first = LayerBuilder(input).conv(24, square(3, 1, 1)).epilogue(EpilogueKind::bias);
    const Layer second = LayerBuilder(first.output()).depthwise(square(3, 2, 1));
    const Layer third = LayerBuilder(second.output()).conv(8, square(1)).epilogue(EpilogueKind::bias);
    LayerBuilder builder(input);
    builder.conv(24, square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu);
    builder.depthwise(square(3, 2, 1)).conv(8, square(1)).epilogue(EpilogueKind::bias);
    const Layer &chain = builder.layer();
    for (uint64_t seed = 0; seed < 10; seed++) {
        const LayerData data = test::uniform_data(chain, seed);
        const auto &p = data.parameters;
        auto values = test::onednn_output(first, {data.inputs, {p[0], p[1]}});
        ASSERT_TRUE(values);
        for (float &value : *values) value = std::max(value, 0.0F);
        values = test::onednn_output(second, {{*values}, {p[2]}});
        ASSERT_TRUE(values);
        values = test::onednn_output(third, {{*values}, {p[3], p[4]}});
        ASSERT_TRUE(values);
        const ReferenceResult expected = test::reference_of(chain, data);
        const Comparison comparison = compare_output(chain.output(), *values, expected, Tolerance::bounded);
        EXPECT_TRUE(comparison.ok()) << comparison.message();
        EXPECT_LT(relative_l2_error(*values, expected), 1e-6);
        for (size_t i = 0; i < p.size(); i++) {
            LayerData changed = data;
            changed.parameters[i][0] += 0.5F;
            const ReferenceResult other = test::reference_of(chain, changed);
            EXPECT_FALSE(compare_output(chain.output(), *values, other, Tolerance::bounded).ok()) << i;
        }
    }
}

}  // namespace
}  // namespace convc
