// The algorithm that docs/adding-an-algorithm.md builds is what that page says: taken from the page, compiled, put into
// the table, and held against the reference.
#include <gtest/gtest.h>

#include <array>

#include "schedules/algorithms.h"
#include "schedules/schedule_table.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"

namespace convc {

Algorithm taps_algorithm();

// In this program the table has the row that the page adds. These two stand in for schedules/schedule_table.cpp.
std::span<const Algorithm> schedule_table() {
    static const std::array<Algorithm, 3> table{depthwise_algorithm(), direct_algorithm(), taps_algorithm()};
    return table;
}

const Algorithm *algorithm_named(std::string_view name) {
    for (const Algorithm &algorithm : schedule_table()) {
        if (algorithm.name == name) return &algorithm;
    }
    return nullptr;
}

namespace {

using test::LayerBuilder;
using test::nhwc;
using test::square;

TEST(DocumentedAlgorithm, RefusesWhatThePageSaysItRefuses) {
    const Algorithm taps = taps_algorithm();
    const Target target;
    const Layer valid = LayerBuilder(nhwc(1, 8, 8, 16)).conv(16, square(3));
    const Layer padded = LayerBuilder(nhwc(1, 8, 8, 16)).conv(16, square(3, 1, 1));
    const Layer depthwise = LayerBuilder(nhwc(1, 8, 8, 16)).depthwise(square(3));
    EXPECT_EQ(taps.refusal({&valid, 0, 1}, target), std::nullopt);
    EXPECT_EQ(taps.refusal({&padded, 0, 1}, target), "knows no padding");
    EXPECT_EQ(taps.refusal({&depthwise, 0, 1}, target), "computes dense and grouped convolutions");
}

TEST(DocumentedAlgorithm, IsRight) {
    const LayerBuilder dense = LayerBuilder(nhwc(1, 8, 8, 16)).conv(16, square(3)).epilogue(EpilogueKind::bias);
    const LayerBuilder grouped = LayerBuilder(nhwc(2, 9, 7, 6)).conv(10, square(2, 2, 0, 2), 2).flip();
    const LayerBuilder channels_first = LayerBuilder(test::tensor(Layout::nchw, 1, {5, 6}, 3)).conv(4, square(3));
    for (const Layer &layer : {dense.layer(), grouped.layer(), channels_first.layer()}) {
        test::expect_right(layer, {{"taps", {{"unroll", 2}}}});
        test::expect_right(layer, {{"taps", {{"unroll", 3}}}});
    }
}

}  // namespace
}  // namespace convc
