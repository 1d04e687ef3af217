// Every kernel size from 1 to 5 with every stride and dilation from 1 to 3, on small square shapes with asymmetric
// padding. The rest of the product (padding, groups, layouts) is covered by rotation, or wholly with `./dev test
// --long`.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;

struct Padding {
    int64_t before, after;
};

// By effective kernel: none, the customary half, one side alone, the most there can be without dead taps.
std::vector<Padding> paddings(int64_t span) {
    return {
        {0, 0}, {span / 2, span / 2}, {0, std::min<int64_t>(1, span - 1)}, {span - 1, span / 3}, {1 % span, span - 1}};
}

std::vector<Axis> axes(int64_t kernel, int64_t stride, int64_t dilation, Padding padding) {
    std::vector<Axis> axes = test::square(kernel, stride, 0, dilation);
    for (Axis &axis : axes) {
        axis.pad_before = padding.before;
        axis.pad_after = padding.after;
    }
    return axes;
}

// The smallest input with `outputs` outputs.
int64_t input_extent(const Axis &axis, int64_t outputs) {
    const int64_t covered = (outputs - 1) * axis.stride + axis.effective_kernel();
    return std::max<int64_t>(covered - axis.pad_before - axis.pad_after, 1);
}

constexpr Layout layouts[] = {Layout::nhwc, Layout::nchw};
constexpr int64_t output_extents[] = {7, 1, 9, 6, 13, 8};

class Sweep : public testing::TestWithParam<int64_t> {
protected:
    // Calls make(stride, dilation, padding, variant) for the geometries of this kernel size; `variants` is how many
    // there are of the caller's own.
    template <class Make>
    void visit(int64_t variants, Make make) {
        const int64_t kernel = GetParam();
        int64_t turn = kernel;
        for (int64_t stride = 1; stride <= 3; stride++) {
            for (int64_t dilation = 1; dilation <= 3; dilation++) {
                if (kernel == 1 && dilation > 1) continue;  // the same layer
                const std::vector<Padding> pads = paddings((kernel - 1) * dilation + 1);
                for (int64_t variant = 0; variant < variants; variant++) {
                    for (const Padding &padding : pads) {
                        const bool chosen = &padding - pads.data() == turn % static_cast<int64_t>(pads.size());
                        if (chosen || test::long_tests()) make(axes(kernel, stride, dilation, padding), variant, turn);
                    }
                    turn++;
                }
            }
        }
    }

    TensorType input(const Axis &axis, int64_t turn, int64_t channels) {
        const int64_t extent = input_extent(axis, output_extents[turn % 6]);
        return test::tensor(layouts[turn / 2 % 2], 1 + turn % 2, {extent, extent}, channels);
    }
};

TEST_P(Sweep, Conv) {
    struct Channels {
        int64_t groups, in, out;
    };
    constexpr Channels channels[] = {{1, 3, 17}, {2, 8, 20}, {1, 16, 32}, {4, 4, 12}};
    visit(test::sample_size(2, 4), [&](const std::vector<Axis> &geometry, int64_t variant, int64_t turn) {
        const Channels &c = channels[(variant + turn / 2 % 2 * 2) % 4];
        test::expect_right(LayerBuilder(input(geometry[0], turn, c.in)).conv(c.out, geometry, c.groups));
    });
}

TEST_P(Sweep, Depthwise) {
    constexpr int64_t channels[] = {3, 8, 17, 24, 1};
    visit(test::sample_size(1, 5), [&](const std::vector<Axis> &geometry, int64_t variant, int64_t turn) {
        LayerBuilder builder(input(geometry[0], turn, channels[(variant + turn) % 5]));
        test::expect_right(builder.depthwise(geometry, 1 + turn % 3 / 2).epilogue(EpilogueKind::bias));
    });
}

TEST_P(Sweep, ConvAlongOneAxis) {
    visit(1, [&](const std::vector<Axis> &geometry, int64_t, int64_t turn) {
        const TensorType square = input(geometry[0], turn, 5);
        const Layout layout = channels_last(square.layout) ? Layout::nwc : Layout::ncw;
        LayerBuilder builder(test::tensor(layout, square.batch, {square.space[0]}, 5));
        test::expect_right(turn % 3 == 0 ? builder.depthwise({geometry[0]}) : builder.conv(9, {geometry[0]}));
    });
}

INSTANTIATE_TEST_SUITE_P(Kernel, Sweep, testing::Range<int64_t>(1, 6));

}  // namespace
}  // namespace convc
