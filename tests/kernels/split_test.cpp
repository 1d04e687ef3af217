// A layer split between its groups, each part a kernel of its own: together they make what the whole layer makes.
#include "compiler/split/split.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/split_data.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::square;
using test::Tensor;

std::optional<Tensor> run(const Layer &layer, const test::LayerData &data) {
    const auto kernel = test::compile(layer);
    return kernel ? kernel->run(data) : std::nullopt;
}

void expect_parts_make_the_whole(const Layer &layer, int64_t count) {
    const std::optional<test::LayerData> data = test::exact_data(layer, 1);
    const Result<std::vector<LayerPart>> parts = split_layer(layer, count);
    ASSERT_TRUE(data && parts) << layer.canonical_line();
    const std::optional<Tensor> whole = run(layer, *data);
    ASSERT_TRUE(whole) << layer.canonical_line();
    Tensor together(whole->size(), std::numeric_limits<float>::quiet_NaN());
    for (const LayerPart &part : *parts) {
        const std::optional<Tensor> output = run(part.layer, test::data_of_part(layer, part, *data));
        ASSERT_TRUE(output) << part.layer.canonical_line();
        test::place_output(layer, part, *output, together);
    }
    EXPECT_EQ(together, *whole) << layer.canonical_line() << " in " << count << " parts";
}

TEST(SplitKernels, Grouped) {
    LayerBuilder builder(test::nhwc(2, 9, 11, 30));
    builder.input("gate", test::nhwc(1, 1, 1, 50)).input("mask", test::nhwc(2, 9, 11, 1));
    builder.conv(50, square(3, 1, 1), 10).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::mul, 1);
    builder.epilogue(EpilogueKind::mul, 2).epilogue(EpilogueKind::relu);
    expect_parts_make_the_whole(builder, 3);
}

TEST(SplitKernels, Depthwise) {
    LayerBuilder builder(test::tensor(Layout::nchw, 1, {10, 9}, 13));
    builder.depthwise(square(3, 2, 1), 2).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu6);
    expect_parts_make_the_whole(builder, 4);
}

TEST(SplitKernels, Transposed) {
    LayerBuilder builder(test::nhwc(1, 7, 6, 20));
    builder.transposed(30, square(4, 2, 1), 5).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu);
    expect_parts_make_the_whole(builder, 2);
}

TEST(SplitKernels, Chain) {
    LayerBuilder builder(test::nhwc(1, 12, 10, 32));
    builder.depthwise(square(3, 1, 1)).epilogue(EpilogueKind::scale).epilogue(EpilogueKind::relu);
    builder.conv(64, square(1), 4).epilogue(EpilogueKind::bias);
    // To the bit, which Winograd is not: it would choose other tiles for fewer channels.
    builder.conv(32, square(3, 1, 1), 8).precision(Precision::strict).epilogue(EpilogueKind::add, 0);
    expect_parts_make_the_whole(builder, 4);
}

}  // namespace
}  // namespace convc
