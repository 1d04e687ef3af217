// gpu_chain: a depthwise stage and a 1x1 in one kernel. gpu.chain in ctest.
#include <gtest/gtest.h>

#include <limits>
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
    int64_t columns = 1, channel_threads = 1, column_threads = 1, row_threads = 1, chunk = 1, split = 1;
    int64_t depthwise_columns = 1;
};

Schedule schedule(const Block &block) {
    return {"gpu_chain",
            {{"stages", 2},
             {"columns", block.columns},
             {"channel_threads", block.channel_threads},
             {"column_threads", block.column_threads},
             {"row_threads", block.row_threads},
             {"chunk", block.chunk},
             {"split", block.split},
             {"depthwise_columns", block.depthwise_columns}}};
}

class GpuChain : public OnGpu {};

LayerBuilder block_of_mobilenet(const TensorType &input, int64_t channels) {
    LayerBuilder builder(input);
    builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
    return builder.conv(channels, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu);
}

// Outputs one less than a block of 2 x 3 by 3, as many, and one more; channels before, at and behind a tile's end.
TEST_F(GpuChain, Tails) {
    const Schedule by = schedule({2, 2, 3, 3, 4, 2, 3});
    for (const auto &[height, width, channels] : {std::tuple{2, 5, 7}, {3, 6, 8}, {4, 7, 9}}) {
        test::expect_right(block_of_mobilenet(test::nhwc(2, height, width, 16), channels), {by});
    }
    test::expect_right(block_of_mobilenet(test::nhwc(1, 1, 1, 5), 3), {schedule({})});
}

TEST_F(GpuChain, ChannelsFirst) {
    const TensorType input = test::tensor(Layout::nchw, 2, {5, 13}, 24);
    test::expect_right(block_of_mobilenet(input, 18), {schedule({4, 3, 2, 2, 6, 2, 2})});
}

TEST_F(GpuChain, OneAxisAndThree) {
    LayerBuilder one(test::tensor(Layout::nwc, 1, {23}, 12));
    test::expect_right(one.depthwise(line(5, 2, 2)).conv(10, line(1)), {schedule({2, 2, 2, 1, 2, 3, 4})});
    LayerBuilder three(test::tensor(Layout::ndhwc, 1, {3, 5, 6}, 8));
    const Axis axis = line(3, 1, 1)[0];
    three.depthwise({axis, axis, axis}).epilogue(EpilogueKind::relu).conv(9, {Axis{}, Axis{}, Axis{}});
    test::expect_right(three, {schedule({3, 2, 2, 2, 8, 1, 2})});
}

// Taps that share inputs, and that share none; a row too long to be written out.
TEST_F(GpuChain, StridesDilationsAndLongKernels) {
    const Schedule by = schedule({2, 2, 2, 2, 4, 2, 4});
    const auto expect = [&](const std::vector<Axis> &axes) {
        LayerBuilder builder(test::nhwc(1, 11, 19, 8));
        test::expect_right(builder.depthwise(axes).epilogue(EpilogueKind::bias).conv(12, square(1)), {by});
    };
    expect(square(3, 2, 1));
    expect(square(3, 1, 3, 3));
    expect({line(3)[0], line(35, 1, 17)[0]});
}

TEST_F(GpuChain, BordersThatAreNotZero) {
    for (const PadMode mode : {PadMode::reflect, PadMode::constant}) {
        LayerBuilder builder(test::nhwc(1, 6, 7, 4));
        builder.depthwise(square(3, 1, 1)).pad_mode(mode, 2).conv(5, square(1));
        test::expect_right(builder, {schedule({2, 1, 2, 4, 4, 1, 2})});
    }
}

// Of both stages; a block reaches past what the first one's tensors have.
TEST_F(GpuChain, EpiloguesThatReadTensors) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        LayerBuilder builder(test::tensor(layout, 1, {5, 7}, 8));
        builder.input("gate", test::tensor(layout, 1, {1, 1}, 8)).input("more", test::tensor(layout, 1, {5, 7}, 10));
        builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::add, 0);
        builder.epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::silu);
        builder.conv(10, square(1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::add, 2);
        test::expect_right(builder, {schedule({3, 2, 3, 2, 4, 2, 3})});
    }
}

// Padding contributes nothing, whatever the weights are.
TEST_F(GpuChain, NonfiniteWeightsMeetNoPadding) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    const Layer layer = block_of_mobilenet(test::nhwc(1, 6, 7, 8), 6);
    const auto kernel = test::compile(layer, {schedule({2, 2, 2, 2, 4, 2, 2})});
    ASSERT_TRUE(kernel);
    for (const size_t tap : {0, 4, 8}) {
        for (const float value : {nan, infinity}) {
            test::LayerData data = test::uniform_data(layer, tap);
            data.parameters[0][9 * (tap % 8) + tap] = value;
            EXPECT_TRUE(kernel->agrees(data, Tolerance::bounded));
        }
    }
    test::LayerData data = test::uniform_data(layer, 7);
    data.inputs[0][11] = nan;
    data.inputs[0][8 * 7 * 6 - 1] = infinity;
    EXPECT_TRUE(kernel->agrees(data, Tolerance::bounded));
}

// The same layer with a 1x1 behind it.
Layer with_pointwise(Layer layer, int64_t channels) {
    const Stage &last = layer.stages.back();
    Stage stage;
    stage.in_channels = last.out_channels;
    stage.out_channels = channels;
    stage.axes.resize(last.axes.size());
    stage.epilogues = {{EpilogueKind::bias}, {EpilogueKind::relu}};
    stage.output = last.output;
    stage.output.channels = channels;
    layer.stages.push_back(std::move(stage));
    return layer;
}

TEST_F(GpuChain, AnySchedule) {
    test::RandomLayers layers(5, {.kinds = {StageKind::depthwise},
                                  .epilogues = {EpilogueKind::bias, EpilogueKind::relu, EpilogueKind::add},
                                  .most_stages = 1,
                                  .most_epilogues = 2,
                                  .most_channels = 24,
                                  .constant_weights = false,
                                  .integers = true});
    test::Random channels(7);
    expect_any_schedule_right("gpu_chain", test::sample_size(3, 200),
                              [&] { return with_pointwise(layers.next(), channels.between(1, 40)); });
}

// ---- what needs no device

std::optional<std::string> refusal(const Layer &layer) {
    return algorithm_named("gpu_chain")->refusal(whole(layer), opencl_target());
}

TEST(GpuChainRefuses, WhatItDoesNotCompute) {
    const TensorType input = test::nhwc(1, 6, 7, 8);
    EXPECT_FALSE(refusal(LayerBuilder(input).depthwise(square(3, 1, 1)).conv(5, square(1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3, 1, 1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3), 2).conv(5, square(1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3)).conv(6, square(1), 2)));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3)).conv(6, square(1, 2))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3)).conv(6, square(1, 1, 1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3)).conv(6, square(2))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(3)).shuffle(2)));
    EXPECT_TRUE(refusal(LayerBuilder(input).conv(8, square(3)).conv(6, square(1))));
    EXPECT_TRUE(refusal(LayerBuilder(input).depthwise(square(1)).weights({2}).conv(6, square(1))));
}

// By the model: where the 1x1 has so few channels that staging is much of the work, a kernel a stage.
TEST(GpuChainDefault, WhereItTakesLessTime) {
    const Layer large = block_of_mobilenet(test::nhwc(1, 56, 56, 128), 128);
    const Layer narrow = block_of_mobilenet(test::nhwc(1, 14, 14, 576), 96);
    for (const char *name : {"opencl", "cuda-sm_80", "cuda-sm_90"}) {
        const Result<Target> target = parse_target(name);
        ASSERT_TRUE(target);
        EXPECT_EQ(default_algorithms(large, *target), "gpu_chain") << name;
        EXPECT_EQ(default_algorithms(narrow, *target), "gpu_direct gpu_tiled") << name;
    }
}

}  // namespace
}  // namespace convc
