// The transforms alone, as Halide computes them: for every size they give the sums of the definition.
#include "schedules/winograd_transform.h"

#include <gtest/gtest.h>

#include "tests/support/random.h"

namespace convc {
namespace {

using Halide::Buffer;
using Halide::Expr;

std::vector<Expr> elements(const Buffer<float> &buffer) {
    std::vector<Expr> all;
    all.reserve(static_cast<size_t>(buffer.width()));
    for (int i = 0; i < buffer.width(); i++) all.push_back(buffer(i));
    return all;
}

Buffer<float> values_of(const std::vector<Expr> &values) {
    Halide::Func func;
    Halide::Var i;
    func(i) = Halide::mux(i, values);
    return func.realize({static_cast<int>(values.size())});
}

Buffer<float> random_values(int count, test::Random &random) {
    Buffer<float> buffer(count);
    buffer.for_each_value([&](float &value) { value = static_cast<float>(random.unit()); });
    return buffer;
}

// Through the transforms: the outputs of one tile.
Buffer<float> minimal_filtering(const WinogradTransform &transform, const Buffer<float> &x, const Buffer<float> &w) {
    Buffer<float> products = values_of(transform.of_inputs(elements(x)));
    const std::vector<std::vector<double>> &filter = transform.filter_matrix();
    for (int p = 0; p < transform.points(); p++) {
        double factor = 0;
        for (int k = 0; k < w.width(); k++) factor += filter[static_cast<size_t>(p)][static_cast<size_t>(k)] * w(k);
        products(p) *= static_cast<float>(factor);
    }
    return values_of(transform.of_products(elements(products)));
}

TEST(WinogradTransform, GivesTheSums) {
    test::Random random(1980);
    int sizes = 0;
    for (int outputs = 1; outputs <= 9; outputs++) {
        for (int taps = 1; taps <= 9; taps++) {
            if (!WinogradTransform::exists(outputs, taps)) continue;
            sizes++;
            const WinogradTransform transform(outputs, taps);
            EXPECT_EQ(transform.points(), outputs + taps - 1);
            const Buffer<float> x = random_values(transform.points(), random), w = random_values(taps, random);
            const Buffer<float> y = minimal_filtering(transform, x, w);
            ASSERT_EQ(y.width(), outputs);
            for (int i = 0; i < outputs; i++) {
                double sum = 0;
                for (int k = 0; k < taps; k++) sum += static_cast<double>(w(k)) * x(i + k);
                EXPECT_NEAR(y(i), sum, 2e-5) << "F(" << outputs << ", " << taps << "), output " << i;
            }
        }
    }
    EXPECT_EQ(sizes, 24);  // F(m, k) of up to 8 points, F(3, 7), F(2, 8), and the identity
}

// y_i = sum of w_k x_{i + k - (n - 1)}, where x is 0 outside.
TEST(WinogradTransform, GivesTheSumsOfAWholeRow) {
    test::Random random(2010);
    for (int n = 2; n <= 4; n++) {
        const WinogradTransform transform = WinogradTransform::of_whole_row(n);
        EXPECT_EQ(transform.points(), 2 * n - 1);
        ASSERT_EQ(transform.inputs(), n);
        const Buffer<float> x = random_values(n, random), w = random_values(2 * n - 1, random);
        const Buffer<float> y = minimal_filtering(transform, x, w);
        for (int i = 0; i < n; i++) {
            double sum = 0;
            for (int k = 0; k < 2 * n - 1; k++) {
                const int at = i + k - (n - 1);
                if (at >= 0 && at < n) sum += static_cast<double>(w(k)) * x(at);
            }
            EXPECT_NEAR(y(i), sum, 2e-5) << "row of " << n << ", output " << i;
        }
    }
    EXPECT_EQ(WinogradTransform::of_whole_row(2).input_operations(), 2);  // no multiplication among them
}

TEST(WinogradTransform, CountsItsOperations) {
    const WinogradTransform small(2, 3), large(4, 3);
    EXPECT_EQ(small.input_operations(), 4);
    EXPECT_GT(large.input_operations(), small.input_operations());
    EXPECT_EQ(WinogradTransform(1, 1).input_operations(), 0);
    EXPECT_EQ(WinogradTransform(1, 1).output_operations(), 0);
}

}  // namespace
}  // namespace convc
