// Every kernel size from 1 to 5 with every stride and dilation from 1 to 3 and five ways of padding, on small square
// shapes. Groups, channels, layouts and extents take turns; with `./dev test --long`, every group and layout meets
// every geometry.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

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
    if (span == 1) return {{0, 0}};
    return {{0, 0}, {span / 2, span / 2}, {0, 1}, {span - 1, span / 3}, {1, span - 1}};
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

constexpr std::array layouts{Layout::nhwc, Layout::nchw};
constexpr std::array<int64_t, 6> output_extents{7, 1, 9, 6, 13, 8};

class Sweep : public testing::TestWithParam<int64_t> {
protected:
    // Calls make(axes, turn) for every geometry of this kernel size, usually once and with --long for each of `turns`.
    template <class Make>
    void visit(size_t turns, Make make) {
        const int64_t kernel = GetParam();
        auto turn = static_cast<size_t>(kernel);
        for (int64_t stride = 1; stride <= 3; stride++) {
            for (int64_t dilation = 1; dilation <= (kernel == 1 ? 1 : 3); dilation++) {
                for (const Padding &padding : paddings((kernel - 1) * dilation + 1)) {
                    for (size_t i = 0; i < (test::long_tests() ? turns : 1); i++) {
                        make(axes(kernel, stride, dilation, padding), turn++);
                    }
                }
            }
        }
    }

    TensorType input(const Axis &axis, size_t turn, int64_t channels) {
        const int64_t extent = input_extent(axis, output_extents[turn % output_extents.size()]);
        const int64_t batch = turn % 4 == 0 ? 2 : 1;
        return test::tensor(layouts[turn % layouts.size()], batch, {extent, extent}, channels);
    }
};

TEST_P(Sweep, Conv) {
    struct Channels {
        int64_t groups, in, out;
    };
    constexpr std::array<Channels, 5> channels{{{1, 3, 17}, {2, 8, 20}, {1, 16, 32}, {4, 4, 12}, {3, 9, 9}}};
    visit(layouts.size() * channels.size(), [&](const std::vector<Axis> &geometry, size_t turn) {
        const Channels &c = channels[turn % channels.size()];
        test::expect_right(LayerBuilder(input(geometry[0], turn, c.in)).conv(c.out, geometry, c.groups));
    });
}

TEST_P(Sweep, Depthwise) {
    constexpr std::array<int64_t, 5> channels{3, 8, 17, 24, 1};
    visit(layouts.size() * channels.size(), [&](const std::vector<Axis> &geometry, size_t turn) {
        LayerBuilder builder(input(geometry[0], turn, channels[turn % channels.size()]));
        test::expect_right(builder.depthwise(geometry, turn % 3 == 0 ? 2 : 1).epilogue(EpilogueKind::bias));
    });
}

// Geometries that transposed_test.cpp does not list, on more channels; the paddings take turns.
TEST_P(Sweep, Transposed) {
    const int64_t kernel = GetParam();
    auto turn = static_cast<size_t>(kernel);
    for (int64_t stride : {1, 2, 4}) {
        for (int64_t dilation = 1; dilation <= (kernel == 1 ? 1 : 3); dilation++) {
            const std::vector<Padding> all = paddings((kernel - 1) * dilation + 1);
            for (size_t i = 0; i < (test::long_tests() ? all.size() : 1); i++, turn++) {
                const std::vector<Axis> geometry = axes(kernel, stride, dilation, all[turn % all.size()]);
                const int64_t groups = 1 + static_cast<int64_t>(turn / 2 % 3);
                const TensorType x = test::tensor(layouts[turn % layouts.size()], turn % 4 == 0 ? 2 : 1,
                                                  {5, output_extents[turn % output_extents.size()]}, 4 * groups);
                const int64_t whole = (x.space[1] - 1) * stride + geometry[1].effective_kernel();
                if (whole <= geometry[1].pad_before + geometry[1].pad_after) continue;
                test::expect_right(LayerBuilder(x).transposed((turn % 2 == 0 ? 6 : 17) * groups, geometry, groups));
            }
        }
    }
}

TEST_P(Sweep, AlongOneAxis) {
    visit(layouts.size() * 3, [&](const std::vector<Axis> &geometry, size_t turn) {
        const TensorType square = input(geometry[0], turn, 6);
        const Layout layout = channels_last(square.layout) ? Layout::nwc : Layout::ncw;
        LayerBuilder builder(test::tensor(layout, square.batch, {square.space[0]}, 6));
        if (turn % 3 == 0) {
            builder.depthwise({geometry[0]});
        } else {
            builder.conv(10, {geometry[0]}, static_cast<int64_t>(turn % 3));
        }
        test::expect_right(builder);
    });
}

INSTANTIATE_TEST_SUITE_P(Kernel, Sweep, testing::Range<int64_t>(1, 6));

}  // namespace
}  // namespace convc
