// `check` on 10,000 layers takes under a second, and hostile files take bounded time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "compiler/sema/lints.h"
#include "tests/sema/check_text.h"

namespace convc {
namespace {

// Generous for slow, shared and sanitized machines; an optimised build takes a fifth of a second.
constexpr auto limit = std::chrono::seconds(20);

CheckedText check_within_limit(std::string text) {
    const auto start = std::chrono::steady_clock::now();
    CheckedText checked = check_text(std::move(text));
    lint_module(checked.module, checked.diagnostics);
    EXPECT_LT(std::chrono::steady_clock::now() - start, limit);
    return checked;
}

TEST(Speed, TenThousandLayers) {
    std::string text;
    for (int i = 0; i < 10'000; i++) {
        text += fmt::format(
            "layer l{}(x: f32 nhwc[1, 56, 56, 24]) =\n    conv(144, 1x1) + bias + relu6\n -> depthwise(3x3, pad=1) + "
            "bias + "
            "relu6\n -> conv(24, 1x1) + bias + add(x)\n",
            i);
    }
    EXPECT_EQ(check_within_limit(text).module.layers.size(), 10'000U);
}

TEST(Speed, LargestFamily) {
    std::string values;
    for (int i = 1; i <= 315; i++) values += fmt::format("{}{}", i == 1 ? "" : ", ", i);
    const std::string text =
        fmt::format("layer l[a in {{{}}}, b in {{{}}}](x: f32 nhwc[1, 9, 9, a]) = conv(b, 3x3)\n", values, values);
    EXPECT_EQ(check_within_limit(text).module.layers.size(), 315U * 315U);
}

TEST(Speed, ThousandsOfMistakes) {
    std::string text;
    for (int i = 0; i < 10'000; i++) {
        text += fmt::format("let a{} = 3\nlayer l{}(x: f32 nhwc[1, 56, 56, b{}]) = conw(144, 1x1) + bais\n", i, i, i);
    }
    EXPECT_EQ(check_within_limit(text).diagnostics.errors(), 30'000U);
}

TEST(Speed, RankOneKernelOfAHundredTaps) {
    std::string row = "[1";
    for (int i = 1; i < 100; i++) row += ", 1";
    row += "]";
    std::string weights = "[" + row;
    for (int i = 1; i < 100; i++) weights += ", " + row;
    const CheckedText checked = check_within_limit(fmt::format(
        "layer l[n in {{1, 2, 3}}](x: f32 nhwc[n, 200, 200, 1]) = depthwise(100x100, weights={}])\n", weights));
    EXPECT_EQ(checked.diagnostics.warnings(), 1U);
}

}  // namespace
}  // namespace convc
