// Kernels whose factors are known, and the tolerance.
#include "compiler/sema/rank_one.h"

#include <gtest/gtest.h>

#include <cmath>

namespace convc::sema {
namespace {

using Factors = std::vector<std::vector<double>>;

TEST(SingularValues, OfADiagonalMatrixAreItsEntries) {
    EXPECT_EQ(singular_values({3, 0, 0, 0, -4, 0}, 2, 3), (std::vector<double>{4, 3}));
}

TEST(SingularValues, SquareSumsToTheFrobeniusNorm) {
    const std::vector<double> matrix{1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14};
    const std::vector<double> values = singular_values(matrix, 4, 3);
    double squares = 0;
    for (const double value : matrix) squares += value * value;
    ASSERT_EQ(values.size(), 3U);
    EXPECT_NEAR(values[0] * values[0] + values[1] * values[1] + values[2] * values[2], squares, 1e-9);
    EXPECT_GT(values[2], 0.01);
}

TEST(RankOne, SobelGivesIntegers) {
    EXPECT_EQ(rank_one_factors({-1, 0, 1, -2, 0, 2, -1, 0, 1}, {3, 3}), (Factors{{1, 2, 1}, {-1, 0, 1}}));
}

TEST(RankOne, GaussSharesItsDenominator) {
    const std::vector<double> kernel{1. / 16, 2. / 16, 1. / 16, 2. / 16, 4. / 16, 2. / 16, 1. / 16, 2. / 16, 1. / 16};
    EXPECT_EQ(rank_one_factors(kernel, {3, 3}), (Factors{{0.25, 0.5, 0.25}, {0.25, 0.5, 0.25}}));
}

TEST(RankOne, LeadingZeroRow) {
    EXPECT_EQ(rank_one_factors({0, 0, 0, 6, 4, -2}, {2, 3}), (Factors{{0, 2}, {3, 2, -1}}));
}

TEST(RankOne, RankTwoIsRefused) {
    EXPECT_FALSE(rank_one_factors({0, 1, 0, 1, -4, 1, 0, 1, 0}, {3, 3}));
    EXPECT_FALSE(rank_one_factors({1, 0, 0, 1}, {2, 2}));
    EXPECT_FALSE(rank_one_factors({0, 0, 0, 0}, {2, 2}));
}

TEST(RankOne, ToleranceIsAMillionth) {
    EXPECT_TRUE(rank_one_factors({1, 1, 1, 1 + 1e-8}, {2, 2}));
    EXPECT_FALSE(rank_one_factors({1, 1, 1, 1 + 1e-4}, {2, 2}));
}

TEST(RankOne, ThreeAxes) {
    std::vector<double> kernel;
    for (const double a : {1., -2.}) {
        for (const double b : {1., 3., 5.}) {
            for (const double c : {2., 7.}) kernel.push_back(a * b * c);
        }
    }
    const auto factors = rank_one_factors(kernel, {2, 3, 2});
    ASSERT_TRUE(factors);
    size_t at = 0;
    for (const double a : (*factors)[0]) {
        for (const double b : (*factors)[1]) {
            for (const double c : (*factors)[2]) EXPECT_DOUBLE_EQ(a * b * c, kernel[at++]);
        }
    }
}

}  // namespace
}  // namespace convc::sema
