// The transcendental epilogues stay within the contract's 4 ulp of the true value over all floats, and NaN and infinity
// come out as in double arithmetic. The kernel under test is the real one: a 1x1 depthwise whose weight is the
// constant 1.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "convc/convc.hpp"

namespace convc {
namespace {

struct Function {
    const char *epilogue;
    double (*truth)(double);
};

double hardsigmoid(double v) {
    return (v + 3 < 0 ? 0 : v + 3 > 6 ? 6 : v + 3) / 6;
}

const std::vector<Function> functions{
    {"sigmoid", [](double v) { return 1 / (1 + std::exp(-v)); }},
    {"tanh", [](double v) { return std::tanh(v); }},
    {"silu", [](double v) { return v / (1 + std::exp(-v)); }},
    {"gelu", [](double v) { return 0.5 * v * std::erfc(-v * std::sqrt(0.5)); }},
    {"hardsigmoid", hardsigmoid},
    {"hardswish", [](double v) { return v * hardsigmoid(v); }},
    {"relu", [](double v) { return v < 0 ? 0 : v; }},
    {"relu6", [](double v) { return v < 0   ? 0
                                    : v > 6 ? 6
                                            : v; }},
    {"clip(-2.5, 3)", [](double v) { return v < -2.5 ? -2.5
                                            : v > 3  ? 3
                                                     : v; }},
    {"leaky_relu(0.125)", [](double v) { return v < 0 ? 0.125 * v : v; }},
};

struct Free {
    void operator()(void *memory) const { std::free(memory); }
};
using Floats = std::unique_ptr<float[], Free>;

Floats floats(size_t count) {
    return Floats(static_cast<float *>(std::aligned_alloc(64, count * sizeof(float))));
}

double ulps(float got, double truth) {
    const float magnitude = std::fabs(static_cast<float>(truth));
    const double ulp = std::nextafter(magnitude, std::numeric_limits<float>::infinity()) - magnitude;
    return std::fabs(got - truth) / ulp;
}

// NaN for NaN, the same infinity for infinity (or what rounds to it).
bool same_special(float got, double truth) {
    if (std::isnan(truth)) return std::isnan(got);
    return got == static_cast<float>(truth);
}

class EpilogueAccuracy : public testing::TestWithParam<Function> {};

TEST_P(EpilogueAccuracy, IsWithinFourUlpOverAllFloats) {
    constexpr uint32_t count = 1u << 20;
    constexpr uint32_t stride = 509;  // prime: every exponent, both signs and the NaNs are met
    const std::string line =
        "f32 nwc[1, 1048576, 1] -> depthwise(1, weights=[1]) + " + std::string(GetParam().epilogue);
    const Result<Layer> layer = parse_layer(line);
    ASSERT_TRUE(layer) << layer.error().message;
    LoadOptions options;
    options.use_cache = false;
    const Result<LoadedKernel> kernel = load_layer(*layer, options);
    ASSERT_TRUE(kernel) << kernel.error().message;
    const convc_kernel_info &info = kernel->info();
    const Floats x = floats(count), y = floats(count), workspace = floats(info.workspace_bytes / sizeof(float) + 16);

    double worst = 0;
    float at = 0;
    uint32_t pattern = 0;
    for (uint32_t pass = 0; pass < (1ull << 32) / stride / count; pass++) {
        for (uint32_t i = 0; i < count; i++, pattern += stride) x[i] = std::bit_cast<float>(pattern);
        const float *input = x.get();
        ASSERT_EQ(info.run(nullptr, &input, nullptr, y.get(), info.workspace_bytes ? workspace.get() : nullptr), 0);
        for (uint32_t i = 0; i < count; i++) {
            const double truth = GetParam().truth(x[i]);
            if (std::isnan(truth) || std::isinf(static_cast<float>(truth)) || !std::isfinite(y[i])) {
                ASSERT_TRUE(same_special(y[i], truth)) << "at " << x[i] << ": got " << y[i] << ", truth " << truth;
            } else if (ulps(y[i], truth) > worst) {
                worst = ulps(y[i], truth);
                at = x[i];
            }
        }
    }
    RecordProperty("worst_ulp", std::to_string(worst));
    EXPECT_LE(worst, 4) << "at " << at;
}

std::string test_name(const testing::TestParamInfo<Function> &info) {
    const std::string name = info.param.epilogue;
    return name.substr(0, name.find('('));
}

INSTANTIATE_TEST_SUITE_P(All, EpilogueAccuracy, testing::ValuesIn(functions), test_name);

}  // namespace
}  // namespace convc
