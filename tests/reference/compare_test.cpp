// When an output counts as right, and what is said when it does not.
#include "compiler/reference/compare.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/build_layer.h"

namespace convc {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

Comparison compare(const std::vector<float> &got, const ReferenceResult &expected, Tolerance tolerance) {
    return compare_output(test::nhwc(1, 1, 2, 2), got, expected, tolerance);
}

TEST(Compare, ExactAcceptsNothingButTheSameNumber) {
    const ReferenceResult expected{{1, 2, 3, 4}, {9, 9, 9, 9}};
    EXPECT_TRUE(compare({1, 2, 3, 4}, expected, Tolerance::exact).ok());
    const Comparison wrong = compare({1, 2, 3.0000002F, 5}, expected, Tolerance::exact);
    EXPECT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.wrong, 2);
}

TEST(Compare, ExactRefusesAReferenceThatF32CannotHold) {
    const ReferenceResult expected{{16777217}, {0}};
    EXPECT_FALSE(compare_output(test::nhwc(1, 1, 1, 1), std::vector{16777216.0F}, expected, Tolerance::exact).ok());
}

TEST(Compare, BoundedAcceptsUpToTheBound) {
    const ReferenceResult expected{{1, 2, 3, 4}, {0.5, 0.25, 0, 1}};
    EXPECT_TRUE(compare({1.5F, 1.75F, 3, 3}, expected, Tolerance::bounded).ok());
    EXPECT_EQ(compare({1.5F, 1.75F, 3, 2.5F}, expected, Tolerance::bounded).wrong, 1);
    EXPECT_EQ(compare({1.5F, 1.75F, 3.1F, 3}, expected, Tolerance::bounded).wrong, 1);
}

TEST(Compare, OfSomeElementsNoOthers) {
    const ReferenceResult expected{{2, 4}, {0.5, 0.5}, {1, 3}};
    EXPECT_TRUE(compare({9, 2, 9, 4}, expected, Tolerance::bounded).ok());
    const Comparison comparison = compare({9, 2, 9, 5}, expected, Tolerance::bounded);
    EXPECT_EQ(comparison.message(), "1 of 2 elements differ; at [0, 0, 1, 1]: got 5, expected 4, allowed 0.5");
    EXPECT_FALSE(compare({2, 4}, expected, Tolerance::bounded).ok());
}

TEST(Compare, NamesTheWorstElement) {
    const ReferenceResult expected{{1, 2, 3, 4}, {1, 1, 1, 1}};
    const Comparison comparison = compare({1, 4, 7, 4}, expected, Tolerance::bounded);
    EXPECT_EQ(comparison.index, (std::vector<int64_t>{0, 0, 1, 0}));
    EXPECT_EQ(comparison.message(), "2 of 4 elements differ; at [0, 0, 1, 0]: got 7, expected 3, allowed 1");
}

TEST(Compare, NanAndInfinityMustBeTheSame) {
    const ReferenceResult expected{{nan, infinity, -infinity, 1}, {0, 0, 0, 1}};
    EXPECT_TRUE(compare({nan, infinity, -infinity, 1}, expected, Tolerance::bounded).ok());
    EXPECT_EQ(compare({1, infinity, -infinity, 1}, expected, Tolerance::bounded).wrong, 1);
    EXPECT_EQ(compare({nan, nan, -infinity, 1}, expected, Tolerance::bounded).wrong, 1);
    EXPECT_EQ(compare({nan, -infinity, infinity, 1}, expected, Tolerance::bounded).wrong, 2);
    EXPECT_EQ(compare({nan, infinity, -infinity, nan}, expected, Tolerance::bounded).wrong, 1);
    EXPECT_EQ(compare({nan, infinity, -infinity, infinity}, expected, Tolerance::exact).wrong, 1);
}

TEST(Compare, WhereF32MayOverflowAnythingGoes) {
    const ReferenceResult expected{{1e39, 1e39, 1, 1}, {infinity, infinity, 1, 1}};
    EXPECT_TRUE(compare({infinity, nan, 1, 1}, expected, Tolerance::bounded).ok());
}

TEST(Compare, AnotherNumberOfElementsIsWrong) {
    const ReferenceResult expected{{1, 2, 3, 4}, {0, 0, 0, 0}};
    const Comparison comparison = compare({1, 2, 3}, expected, Tolerance::exact);
    EXPECT_EQ(comparison.wrong, 4);
    EXPECT_EQ(comparison.message(), "the output does not have 4 elements");
}

TEST(Compare, RelativeError) {
    EXPECT_DOUBLE_EQ(relative_l2_error(std::vector{3.0F, 5.0F}, {{3, 4}, {}}), 0.2);
    EXPECT_EQ(relative_l2_error(std::vector{0.0F}, {{0}, {}}), 0);
}

}  // namespace
}  // namespace convc
