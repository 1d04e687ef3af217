// What a transposed convolution is: the transpose of a convolution's matrix. The forward layer of the same geometry,
// from the transposed layer's output to its input, is a matrix C; its columns are what the reference makes of unit
// impulses. The kernel of the transposed layer must compute C^T x, exactly on integers. The reference's own idea of a
// transposed stage plays no part.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::LayerData;

// Every kernel from 1 to 4, stride from 1 to 3, dilation 1 and 2, padding up to the effective kernel less one on either
// side, output padding.
std::vector<Axis> geometries() {
    std::vector<Axis> all;
    Axis axis;
    for (axis.kernel = 1; axis.kernel <= 4; axis.kernel++) {
        for (axis.stride = 1; axis.stride <= 3; axis.stride++) {
            for (axis.dilation = 1; axis.dilation <= 2; axis.dilation++) {
                const int64_t most = axis.effective_kernel() - 1;
                for (axis.pad_before = 0; axis.pad_before <= most; axis.pad_before++) {
                    for (axis.pad_after = 0; axis.pad_after <= most; axis.pad_after++) {
                        const int64_t paddings = std::max(axis.stride, axis.dilation);
                        for (axis.output_padding = 0; axis.output_padding < paddings; axis.output_padding++) {
                            all.push_back(axis);
                        }
                    }
                }
            }
        }
    }
    return all;
}

// The least input, from `wanted` up, that the padding leaves something of.
int64_t input_extent(const Axis &axis, int64_t wanted) {
    const int64_t rest = axis.effective_kernel() + axis.output_padding - axis.pad_before - axis.pad_after;
    while ((wanted - 1) * axis.stride + rest < 1) wanted++;
    return wanted;
}

// From the transposed stage's output to its input, one image an element of the output: image j is the impulse e_j.
Layer forward_layer(const Layer &transposed, int64_t images) {
    const Stage &stage = transposed.stages[0];
    TensorType type = stage.output;
    type.batch = images;
    std::vector<Axis> axes = stage.axes;
    for (Axis &axis : axes) axis.output_padding = 0;
    LayerBuilder builder(type);
    builder.conv(stage.in_channels, axes, stage.groups);
    return stage.flip ? builder.flip() : builder;
}

// Output padding of a stride or more leaves the forward layer outputs that the transposed one does not read.
bool inside(const TensorType &forward, const TensorType &input, int64_t element, int64_t &position) {
    const std::vector<int64_t> from = forward.extents();
    const std::vector<int64_t> to = input.extents();
    position = 0;
    int64_t scale = 1;
    for (size_t i = from.size(); i-- > 1; element /= from[i], scale *= to[i]) {
        if (element % from[i] >= to[i]) return false;
        position += element % from[i] * scale;
    }
    return true;
}

// C^T x, one row of C^T at a time.
test::Tensor transpose_times(const Layer &transposed, const LayerData &data) {
    const int64_t images = *transposed.output().elements();
    const Layer forward = forward_layer(transposed, images);
    LayerData identity{{test::Tensor(static_cast<size_t>(images * images))}, data.parameters};
    for (int64_t j = 0; j < images; j++) identity.inputs[0][static_cast<size_t>(j * images + j)] = 1;
    const ReferenceTensor columns = test::reference_of(forward, identity).output;
    const int64_t rows = static_cast<int64_t>(columns.size()) / images;
    test::Tensor product(static_cast<size_t>(images));
    for (int64_t j = 0; j < images; j++) {
        double sum = 0;
        for (int64_t i = 0; i < rows; i++) {
            int64_t position = 0;
            if (!inside(forward.output(), transposed.inputs[0].type, i, position)) continue;
            sum += columns[static_cast<size_t>(j * rows + i)] * data.inputs[0][static_cast<size_t>(position)];
        }
        product[static_cast<size_t>(j)] = static_cast<float>(sum);
    }
    return product;
}

void expect_transpose(const Layer &layer) {
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    const auto data = test::exact_data(layer, 7);
    ASSERT_TRUE(data);
    const auto output = kernel->run(*data);
    ASSERT_TRUE(output);
    EXPECT_EQ(*output, transpose_times(layer, *data)) << layer.canonical_line();
}

// The geometries of all axes run through the list at paces of their own. Usually one in `usual_step` of the list; with
// --long all of it.
void visit(std::vector<Layout> layouts, size_t usual_step, const std::vector<int64_t> &extents) {
    const std::vector<Axis> all = geometries();
    const auto step = static_cast<size_t>(test::sample_size(static_cast<int>(usual_step), 1));
    size_t turn = 0;
    for (size_t i = 0; i < all.size(); i += step, turn++) {
        const Layout layout = layouts[turn % layouts.size()];
        std::vector<Axis> axes;
        std::vector<int64_t> space;
        for (size_t axis = 0; axis < static_cast<size_t>(spatial_rank(layout)); axis++) {
            axes.push_back(all[(i + 11 * turn * axis + 100 * axis) % all.size()]);
            space.push_back(input_extent(axes.back(), extents[(turn + axis) % extents.size()]));
        }
        const int64_t groups = 1 + static_cast<int64_t>(turn / 2 % 2);
        LayerBuilder builder(test::tensor(layout, 1, space, 3 * groups));
        builder.transposed((turn % 3 == 0 ? 9 : 2) * groups, axes, groups);
        if (turn % 4 == 3) builder.flip();
        expect_transpose(builder);
    }
}

TEST(Transposed, AlongOneAxisIsTheTransposeOfTheForwardMatrix) {
    visit({Layout::nwc, Layout::ncw}, 31, {3, 1, 5, 2, 17});
}
TEST(Transposed, AlongTwoAxesIsTheTransposeOfTheForwardMatrix) {
    visit({Layout::nhwc, Layout::nchw}, 37, {2, 3, 1, 4});
}
TEST(Transposed, AlongThreeAxesIsTheTransposeOfTheForwardMatrix) {
    visit({Layout::ndhwc, Layout::ncdhw}, 131, {2, 1});
}

// Phases without any tap are epilogues of zero.
TEST(Transposed, StridesBeyondTheKernel) {
    for (int64_t stride : {4, 7}) {
        for (int64_t dilation : {1, 2, 4}) {
            LayerBuilder builder(test::nhwc(2, 3, 2, 5));
            builder.transposed(10, test::square(2, stride, 0, dilation)).epilogue(EpilogueKind::bias);
            test::expect_right(builder.epilogue(EpilogueKind::relu));
        }
    }
}

TEST(Transposed, OneChannelAGroup) {
    for (Layout layout : {Layout::nhwc, Layout::nchw}) {
        LayerBuilder builder(test::tensor(layout, 1, {4, 5}, 6));
        test::expect_right(builder.transposed(6, test::square(4, 2, 1), 6));
        LayerBuilder multiplied(test::tensor(layout, 1, {4, 5}, 3));
        test::expect_right(multiplied.transposed(6, test::square(3, 2, 1), 3));
    }
}

}  // namespace
}  // namespace convc
