// Splitting a layer between its groups: the shares, what refuses to be cut, and that the parts make the whole. The
// reference computes here, so every variant is covered; tests/kernels does the same with kernels.
#include "compiler/split/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "tests/support/build_layer.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"
#include "tests/support/split_data.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::nhwc;
using test::square;
using test::Tensor;

std::vector<LayerPart> parts_of(const Layer &layer, int64_t count) {
    Result<std::vector<LayerPart>> parts = split_layer(layer, count);
    if (parts) return std::move(*parts);
    ADD_FAILURE() << layer.canonical_line() << ": " << parts.error().message;
    return {};
}

// The part is what the language says it is: its line is accepted and means the same layer.
void expect_read_back(const LayerPart &part) {
    const SourceFile file{"<part>", part.layer.canonical_line()};
    Diagnostics diagnostics;
    const CheckedModule module = check_module(parse_module(file, diagnostics), diagnostics);
    ASSERT_EQ(module.layers.size(), 1U) << file.text << render_text(file, diagnostics, false);
    Layer again = module.layers[0].layer;
    again.name = part.layer.name;
    EXPECT_EQ(again, part.layer) << file.text;
}

Tensor narrow(const ReferenceTensor &wide) {
    return {wide.begin(), wide.end()};
}

void expect_parts_make_the_whole(const Layer &layer, int64_t count) {
    const test::LayerData data = test::integer_data(layer, 1, 3);
    const Tensor expected = narrow(test::reference_of(layer, data).output);
    Tensor together(expected.size(), -12345);
    for (const LayerPart &part : parts_of(layer, count)) {
        expect_read_back(part);
        const test::LayerData share = test::data_of_part(layer, part, data);
        test::place_output(layer, part, narrow(test::reference_of(part.layer, share).output), together);
    }
    EXPECT_TRUE(std::equal(together.begin(), together.end(), expected.begin(),
                           [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }))
        << layer.canonical_line() << " in " << count;
}

TEST(Split, SharesFollowTheGroups) {
    LayerBuilder builder(nhwc(1, 8, 8, 20));
    builder.input("gate", nhwc(1, 1, 1, 30)).input("mask", nhwc(1, 8, 8, 1));
    builder.conv(30, square(3, 1, 1), 10).epilogue(EpilogueKind::bias);
    builder.epilogue(EpilogueKind::mul, 1).epilogue(EpilogueKind::mul, 2);
    const std::vector<LayerPart> parts = parts_of(builder, 3);  // of 4, 3 and 3 groups
    ASSERT_EQ(parts.size(), 3U);
    EXPECT_EQ(parts[0].groups, (Share{0, 4, 10}));
    EXPECT_EQ(parts[1].groups, (Share{4, 7, 10}));
    EXPECT_EQ(parts[2].groups, (Share{7, 10, 10}));
    EXPECT_EQ(parts[1].inputs, (std::vector<Share>{{8, 14, 20}, {12, 21, 30}, {0, 1, 1}}));
    EXPECT_EQ(parts[1].parameters, (std::vector<Share>{{12, 21, 30}, {12, 21, 30}}));
    EXPECT_EQ(parts[1].output, (Share{12, 21, 30}));
    EXPECT_EQ(parts[1].layer.name, "layer_part1");
    EXPECT_EQ(parts[1].layer.canonical_line(),
              "(x: f32 nhwc[1, 8, 8, 6], gate: f32 nhwc[1, 1, 1, 9], mask: f32 nhwc[1, 8, 8, 1]) -> "
              "conv(9, 3x3, pad=1, groups=3) + bias + mul(gate) + mul(mask)");
}

TEST(Split, RowsOfTransposedWeightsAreChannelsIn) {
    const Layer layer = LayerBuilder(nhwc(1, 4, 4, 6)).transposed(12, square(4, 2, 1), 3).epilogue(EpilogueKind::bias);
    const std::vector<LayerPart> parts = parts_of(layer, 3);
    ASSERT_EQ(parts.size(), 3U);
    EXPECT_EQ(parts[2].parameters, (std::vector<Share>{{4, 6, 6}, {8, 12, 12}}));
    EXPECT_EQ(parts[2].layer.canonical_line(), "f32 nhwc[1, 4, 4, 2] -> transposed(4, 4x4, stride=2, pad=1) + bias");
}

TEST(Split, ANameOfAFamilyBecomesAnIdentifier) {
    Layer layer = LayerBuilder(nhwc(1, 4, 4, 4)).depthwise(square(3));
    layer.name = "body[64, 1]";
    EXPECT_EQ(parts_of(layer, 2)[1].layer.name, "body_64_1_part1");
}

TEST(Split, PartsMakeTheWhole) {
    const TensorType planes = test::tensor(Layout::nchw, 2, {7, 6}, 12);
    expect_parts_make_the_whole(LayerBuilder(planes).conv(20, square(3, 2, 1), 4), 3);
    expect_parts_make_the_whole(LayerBuilder(nhwc(2, 7, 6, 12)).conv(20, square(3, 1, 2, 2), 4), 4);
    expect_parts_make_the_whole(LayerBuilder(planes).depthwise(square(3, 1, 1), 3), 5);
    expect_parts_make_the_whole(LayerBuilder(planes).transposed(8, square(3, 2, 1), 4), 2);
    expect_parts_make_the_whole(LayerBuilder(test::tensor(Layout::ncw, 1, {9}, 6)).conv(9, line(3), 3), 3);
    const Axis axis{2, 1, 1, 0, 0, 0, false};
    expect_parts_make_the_whole(
        LayerBuilder(test::tensor(Layout::ndhwc, 1, {3, 4, 5}, 6)).conv(4, {axis, axis, axis}, 2), 2);
}

TEST(Split, OnePartIsTheWholeOfAnyLayer) {
    expect_parts_make_the_whole(LayerBuilder(nhwc(1, 5, 5, 6)).conv(4, square(3)), 1);
    expect_parts_make_the_whole(LayerBuilder(nhwc(1, 5, 5, 6)).conv(6, square(1), 3).shuffle(3), 1);
}

TEST(Split, ChainsAreCutWhereAllTheirStagesAre) {
    LayerBuilder builder(nhwc(1, 8, 8, 24));
    builder.depthwise(square(3, 1, 1), 2).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::relu);
    builder.conv(36, square(1), 6).epilogue(EpilogueKind::bias);
    builder.conv(24, square(3, 1, 1), 4).epilogue(EpilogueKind::add, 0);
    EXPECT_EQ(common_groups(builder), 2);  // gcd(24, 6, 4)
    expect_parts_make_the_whole(builder, 2);
    EXPECT_EQ(parts_of(builder, 2)[1].layer.canonical_line(),
              "f32 nhwc[1, 8, 8, 12] -> depthwise(3x3, pad=1, multiplier=2) + scale + relu"
              " -> conv(18, 1x1, groups=3) + bias -> conv(12, 3x3, pad=1, groups=2) + add(x)");
}

TEST(Split, AShuffleThatMovesNothingIsNoObstacle) {
    for (const int64_t groups : {1, 6}) {
        const Layer layer = LayerBuilder(nhwc(1, 4, 4, 6)).depthwise(square(3)).shuffle(groups).depthwise(square(1));
        EXPECT_EQ(common_groups(layer), 6);
        expect_parts_make_the_whole(layer, 4);
    }
}

void expect_obstacle(const Layer &layer, int stage, const std::string &reason) {
    const std::optional<SplitObstacle> obstacle = obstacle_to_split(layer);
    ASSERT_TRUE(obstacle) << layer.canonical_line();
    EXPECT_EQ(obstacle->stage, stage);
    EXPECT_EQ(obstacle->reason, reason);
}

TEST(Split, WhatCannotBeCutSaysWhere) {
    const TensorType image = nhwc(1, 8, 8, 12);
    expect_obstacle(LayerBuilder(image).depthwise(square(3)).conv(4, square(1)), 1,
                    "every output channel reads all 12 input channels: there are no groups to cut between");
    expect_obstacle(LayerBuilder(image).conv(12, square(1), 3).shuffle(3).conv(12, square(1), 3), 1,
                    "shuffle(3) hands the channels of each group on to several others");
    expect_obstacle(LayerBuilder(image).depthwise(square(3)).conv(12, square(1), 3).conv(12, square(1), 4), 2,
                    "the stage's 4 groups and the 3 of the stages before it have no boundary in common");
    expect_obstacle(LayerBuilder(nhwc(1, 8, 8, 1)).depthwise(square(3)), 0,
                    "the stage reads one channel, which cannot be shared out");
    EXPECT_FALSE(obstacle_to_split(LayerBuilder(image).conv(12, square(1), 3)));
}

TEST(Split, MorePartsThanGroupsAreWrongUsage) {
    const Layer layer = LayerBuilder(nhwc(1, 8, 8, 12)).conv(12, square(1), 3);
    for (const int64_t parts : {int64_t{-1}, int64_t{0}, int64_t{4}, std::numeric_limits<int64_t>::max()}) {
        const Result<std::vector<LayerPart>> split = split_layer(layer, parts);
        ASSERT_FALSE(split) << parts;
        EXPECT_EQ(split.error().failure, Failure::usage);
    }
    EXPECT_EQ(split_layer(layer, 4).error().message,
              "layer falls into 3 independent groups of channels, and cannot be split into 4 parts");
}

TEST(Split, LargeExtentsDoNotOverflow) {
    constexpr int64_t channels = int64_t{1} << 60;
    const Layer layer = LayerBuilder(test::tensor(Layout::nwc, 1, {1}, channels)).depthwise(line(1));
    EXPECT_EQ(parts_of(layer, 3)[2].output, (Share{channels - channels / 3, channels, channels}));
}

TEST(Split, RandomLayers) {
    test::RandomLayers layers(11, {.most_space = 6, .most_channels = 12, .most_kernel = 3, .integers = true});
    test::Random random(12);
    int split = 0;
    for (int i = 0; i < test::sample_size(600, 20000); i++) {
        const Layer layer = layers.next();
        const int64_t groups = common_groups(layer);
        EXPECT_EQ(groups == 1, obstacle_to_split(layer).has_value()) << layer.canonical_line();
        if (groups == 1) continue;
        split++;
        expect_parts_make_the_whole(layer, random.between(2, groups));
    }
    EXPECT_GE(split, 100);
}

}  // namespace
}  // namespace convc
