// Where a layer's parameters come from.
#include "compiler/driver/tensor_io/weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compiler/driver/tensor_io/npy.h"
#include "tests/driver/scratch_directory.h"
#include "tests/driver/tensor_fixtures.h"

namespace convc {
namespace {

// conv(2, 3x1) + bias on 1 channel
Layer small_layer() {
    Layer layer;
    layer.name = "body[1, 2]";
    Stage stage;
    stage.out_channels = 2;
    stage.axes.resize(2);
    stage.axes[0].kernel = 3;
    stage.epilogues.push_back({EpilogueKind::bias});
    layer.inputs.push_back({"x", {}});
    layer.stages.push_back(stage);
    return layer;
}

void put(const ScratchDirectory &scratch, std::string_view name, std::vector<int64_t> shape, float first) {
    Tensor tensor{std::move(shape), {}};
    for (int64_t i = 0; i < *element_count(tensor.shape); i++) tensor.values.push_back(first + static_cast<float>(i));
    scratch.put(name, write_npy(tensor));
}

TEST(Weights, ComeFromADirectory) {
    const ScratchDirectory scratch;
    put(scratch, "0.weight.npy", {2, 1, 3, 1}, 10);
    put(scratch, "0.bias.npy", {2}, 20);
    const Result<std::unique_ptr<WeightSource>> source = WeightSource::open(scratch.path());
    ASSERT_TRUE(source);
    const Result<ParameterValues> values = read_parameters(small_layer(), **source, true);
    ASSERT_TRUE(values) << values.error().message;
    EXPECT_EQ(*values, (ParameterValues{{10, 11, 12, 13, 14, 15}, {20, 21}}));
    EXPECT_EQ(read_parameters(small_layer(), **source, false).error().message,
              "the weights have no 'body_1_2.0.weight', which layer 'body[1, 2]' takes, of shape [2, 1, 3, 1]");
}

TEST(Weights, PreferTheLayersOwnName) {
    const ScratchDirectory scratch;
    put(scratch, "0.weight.npy", {2, 1, 3, 1}, 10);
    put(scratch, "body_1_2.0.weight.npy", {2, 1, 3, 1}, 30);
    put(scratch, "body[1, 2].0.bias.npy", {2}, 20);
    const Result<std::unique_ptr<WeightSource>> source = WeightSource::open(scratch.path());
    ASSERT_TRUE(source);
    const Result<ParameterValues> values = read_parameters(small_layer(), **source, true);
    ASSERT_TRUE(values) << values.error().message;
    EXPECT_EQ((*values)[0][0], 30);
    EXPECT_EQ((*values)[1][0], 20);
}

TEST(Weights, OfAnotherShapeAreRefused) {
    const ScratchDirectory scratch;
    put(scratch, "0.weight.npy", {2, 3, 1, 1}, 10);
    const Result<std::unique_ptr<WeightSource>> source = WeightSource::open(scratch.path());
    ASSERT_TRUE(source);
    EXPECT_EQ(read_parameters(small_layer(), **source, true).error().message,
              "weights '0.weight': the shape is [2, 3, 1, 1], but layer 'body[1, 2]' takes [2, 1, 3, 1]");
}

TEST(Weights, FromNpzRefuseAnEntryThatIsTooLarge) {
    const ScratchDirectory scratch;
    const auto path = scratch.put("w.npz", fixtures::text(fixtures::npz));
    const Result<std::unique_ptr<WeightSource>> source = WeightSource::open(path);
    ASSERT_TRUE(source);
    EXPECT_TRUE((*source)->contains("0.weight"));
    EXPECT_EQ((*source)->read("0.weight", 6)->values.size(), 6U);
}

TEST(Weights, OfAnUnknownFileAreRefused) {
    const ScratchDirectory scratch;
    EXPECT_FALSE(WeightSource::open(scratch.put("w.bin", "hello, world, and more")));
    EXPECT_EQ(WeightSource::open(scratch / "none").error().failure, Failure::environment);
}

TEST(RandomWeights, AreTheSameForTheSameSeed) {
    const ParameterValues one = random_parameters(small_layer(), 7);
    EXPECT_EQ(one, random_parameters(small_layer(), 7));
    EXPECT_NE(one, random_parameters(small_layer(), 8));
    ASSERT_EQ(one.size(), 2U);
    EXPECT_EQ(one[0].size(), 6U);
    EXPECT_NE(one[0][0], one[0][1]);
    for (const float value : one[0]) EXPECT_LE(std::fabs(value), 1.0F);  // sqrt(3 / 3)
}

// Fixed numbers: another standard library must make the same.
TEST(RandomWeights, AreTheSameEverywhere) {
    EXPECT_EQ(random_values(3, 1, 2),
              (std::vector<float>{-4833991 * 0x1p-23F, 1776297 * 0x1p-23F, -7870340 * 0x1p-23F}));
}

}  // namespace
}  // namespace convc
