// gpu_winograd: Winograd's transforms in three kernels. gpu.winograd in ctest.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "compiler/plan/plan.h"
#include "schedules/schedule_table.h"
#include "tests/kernels/on_gpu.h"
#include "tests/kernels/specimens.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::square;

struct Block {
    int64_t outputs = 2, columns = 1, channel_threads = 1, column_threads = 1, row_threads = 1, chunk = 1, split = 1;
};

Schedule schedule(const Block &block) {
    return {"gpu_winograd",
            {{"outputs", block.outputs},
             {"columns", block.columns},
             {"channel_threads", block.channel_threads},
             {"column_threads", block.column_threads},
             {"row_threads", block.row_threads},
             {"chunk", block.chunk},
             {"split", block.split}}};
}

class GpuWinograd : public OnGpu {};

LayerBuilder dense(const TensorType &input, int64_t channels, std::vector<Axis> axes = square(3, 1, 1)) {
    return LayerBuilder(input).conv(channels, std::move(axes)).epilogue(EpilogueKind::bias);
}

// Pixels one less than whole tiles, as many, and one more; tiles likewise by blocks of 2 x 2 by 2; channels before, at
// and behind a block's end.
TEST_F(GpuWinograd, Tails) {
    for (const auto &[height, width, channels] : {std::tuple{3, 7, 7}, {4, 8, 8}, {5, 9, 9}, {9, 17, 5}}) {
        const LayerBuilder layer = dense(test::nhwc(2, height, width, 16), channels);
        test::expect_right(layer, {schedule({2, 2, 2, 2, 2, 4, 2})});
    }
    test::expect_right(dense(test::nhwc(1, 1, 1, 5), 3), {schedule({})});
}

TEST_F(GpuWinograd, TilesOfEverySize) {
    for (const int64_t outputs : {2, 3, 4}) {
        test::expect_right(dense(test::nhwc(1, 10, 11, 12), 8), {schedule({outputs, 3, 2, 1, 2, 4, 3})});
    }
    LayerBuilder fast = dense(test::nhwc(1, 10, 11, 12), 8);
    test::expect_right(fast.precision(Precision::fast), {schedule({6, 2, 2, 1, 2, 4, 3})});
}

// A tile whose inputs are all there is.
TEST_F(GpuWinograd, OneTile) {
    test::expect_right(dense(test::nhwc(3, 2, 2, 8), 8), {schedule({2, 1, 2, 1, 1, 8, 1})});
    test::expect_right(dense(test::nhwc(1, 3, 3, 8), 8, square(5, 1, 2)), {schedule({3, 1, 2, 1, 1, 2, 4})});
}

TEST_F(GpuWinograd, ChannelsFirst) {
    const TensorType input = test::tensor(Layout::nchw, 2, {5, 13}, 24);
    test::expect_right(dense(input, 18), {schedule({4, 2, 2, 2, 2, 6, 2})});
}

TEST_F(GpuWinograd, OneAxis) {
    const Axis one = line(1)[0];
    test::expect_right(dense(test::tensor(Layout::nwc, 1, {23}, 12), 10, line(5, 1, 2)),
                       {schedule({4, 2, 2, 2, 1, 2, 3})});
    test::expect_right(dense(test::nhwc(1, 9, 8, 12), 10, {one, line(7, 1, 3)[0]}), {schedule({2, 2, 2, 2, 1, 4, 3})});
    test::expect_right(dense(test::nhwc(1, 9, 8, 12), 10, {line(3)[0], one}), {schedule({6, 4, 2, 2, 1, 4, 1})});
}

// Taps of depth are summed as they are, padding, stride and dilation too.
TEST_F(GpuWinograd, ThreeAxes) {
    const TensorType input = test::tensor(Layout::ndhwc, 2, {5, 6, 7}, 8);
    const Axis axis = line(3, 1, 1)[0];
    for (const Axis &depth : {axis, line(3, 2, 1)[0], line(2, 1, 2, 2)[0]}) {
        test::expect_right(dense(input, 9, {depth, axis, axis}), {schedule({4, 2, 2, 1, 2, 4, 2})});
    }
}

TEST_F(GpuWinograd, Groups) {
    LayerBuilder layer(test::nhwc(1, 6, 7, 24));
    test::expect_right(layer.conv(30, square(3, 1, 1), 3).epilogue(EpilogueKind::bias),
                       {schedule({4, 2, 2, 1, 2, 4, 2})});
}

TEST_F(GpuWinograd, BordersThatAreNotZero) {
    for (const PadMode mode : {PadMode::reflect, PadMode::constant}) {
        LayerBuilder builder = dense(test::nhwc(1, 6, 7, 4), 5);
        test::expect_right(builder.pad_mode(mode, 2), {schedule({4, 1, 2, 2, 2, 4, 1})});
    }
}

TEST_F(GpuWinograd, EpiloguesThatReadTensors) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        LayerBuilder builder(test::tensor(layout, 1, {5, 7}, 8));
        builder.input("gate", test::tensor(layout, 1, {1, 1}, 10)).input("more", test::tensor(layout, 1, {5, 7}, 10));
        builder.conv(10, square(3, 1, 1)).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::bias);
        builder.epilogue(EpilogueKind::add, 2).epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::silu);
        test::expect_right(builder, {schedule({2, 3, 2, 2, 2, 4, 2})});
    }
}

TEST_F(GpuWinograd, AnySchedule) {
    test::RandomLayers layers(5, {.kinds = {StageKind::convolution},
                                  .epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::add},
                                  .most_stages = 1,
                                  .most_epilogues = 2,
                                  .most_channels = 24,
                                  .most_stride = 1,
                                  .most_dilation = 1,
                                  .constant_weights = false,
                                  .integers = true});
    expect_any_schedule_right("gpu_winograd", test::sample_size(4, 200), [&] { return layers.next(); });
}

// ---- what needs no device

std::optional<std::string> refusal(const Layer &layer) {
    return algorithm_named("gpu_winograd")->refusal(whole(layer), opencl_target());
}

TEST(GpuWinogradRefuses, WhatItDoesNotCompute) {
    const TensorType input = test::nhwc(1, 6, 7, 8);
    EXPECT_FALSE(refusal(LayerBuilder(input).conv(5, square(3, 1, 1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).conv(5, square(1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).conv(5, square(3, 2, 1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).conv(5, square(3, 1, 2, 2))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3, 1, 1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).transposed(5, square(4, 2, 1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).conv(5, square(3, 1, 1)).precision(Precision::strict)));
    EXPECT_TRUE(refusal(LayerBuilder(input).conv(5, square(3, 1, 1)).conv(5, square(3, 1, 1))));
}

// 8 x 8 points only where the layer allows it, and 9 nowhere: their sums over channels are not made in two here.
TEST(GpuWinogradKnobs, RoundNoMoreThanThePrecisionAllows) {
    const Layer standard = dense(test::nhwc(1, 12, 12, 8), 8);
    const Layer fast = dense(test::nhwc(1, 12, 12, 8), 8).precision(Precision::fast);
    const Layer seven = dense(test::nhwc(1, 12, 12, 8), 8, {line(1)[0], line(7, 1, 3)[0]});
    EXPECT_FALSE(make_pinned_plan(standard, opencl_target(), {schedule({6})}));
    EXPECT_TRUE(make_pinned_plan(fast, opencl_target(), {schedule({6})}));
    EXPECT_TRUE(make_pinned_plan(seven, opencl_target(), {schedule({2})}));
    EXPECT_FALSE(make_pinned_plan(seven, opencl_target(), {schedule({3})}));
}

// By the model, which takes a tile's points for fewer products where a layer is large enough; measured on an H100.
TEST(GpuWinogradDefault, WhereItTakesLessTime) {
    const Layer square_kernel = dense(test::nhwc(1, 28, 28, 128), 128);
    const Layer row_of_taps = dense(test::nhwc(1, 17, 17, 128), 128, {line(1)[0], line(7, 1, 3)[0]});
    for (const char *name : {"opencl", "cuda-sm_80", "cuda-sm_90"}) {
        const Result<Target> target = parse_target(name);
        ASSERT_TRUE(target);
        EXPECT_EQ(default_algorithms(square_kernel, *target), "gpu_winograd") << name;
        EXPECT_EQ(default_algorithms(row_of_taps, *target), "gpu_tiled") << name;
    }
}

}  // namespace
}  // namespace convc
