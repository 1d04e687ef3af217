// The lints against brute force: what each says of a stage is counted out, over all small ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "compiler/sema/lints.h"
#include "tests/sema/check_text.h"

namespace convc {
namespace {

// What one lint says of a line; "" where it says nothing.
std::string lint_of(const std::string &line, std::string_view id) {
    CheckedText checked = check_text(line);
    EXPECT_EQ(checked.rendered, "") << line;
    Diagnostics diagnostics;
    lint_module(checked.module, diagnostics);
    for (const Diagnostic &diagnostic : diagnostics.all()) {
        if (diagnostic.id == id) return diagnostic.message;
    }
    return "";
}

// Output o of a transposed stage gets tap t where o + pad - t * dilation is a multiple of the stride: away from the
// edges, one product for each such tap.
std::set<int64_t> contributions(int64_t kernel, int64_t stride, int64_t dilation) {
    std::set<int64_t> counts;
    for (int64_t phase = 0; phase < stride; phase++) {
        int64_t count = 0;
        for (int64_t tap = 0; tap < kernel; tap++) count += (tap * dilation) % stride == phase;
        counts.insert(count);
    }
    return counts;
}

TEST(LintProperty, CheckerboardCountsContributions) {
    for (int64_t kernel = 1; kernel <= 7; kernel++) {
        for (int64_t stride = 1; stride <= 5; stride++) {
            for (int64_t dilation = 1; dilation <= 5; dilation++) {
                const std::string line = fmt::format("f32 ncw[1, 1, 9] -> transposed(1, {}, stride={}, dilation={})",
                                                     kernel, stride, dilation);
                const std::set<int64_t> counts = contributions(kernel, stride, dilation);
                const std::string said = lint_of(line, "checkerboard");
                ASSERT_EQ(said.empty(), counts.size() == 1) << line << ": " << said;
                if (said.empty()) continue;
                const std::string figures =
                    fmt::format("receive {} or {} contributions", *counts.begin(), *counts.rbegin());
                EXPECT_NE(said.find(figures), std::string::npos) << line << ": " << said << ", not " << figures;
            }
        }
    }
}

// The inputs that output 0 of a stack of kernels sees.
std::set<int64_t> seen_by(const std::vector<std::pair<int64_t, int64_t>> &kernels_and_dilations) {
    std::set<int64_t> seen{0};
    for (const auto &[kernel, dilation] : kernels_and_dilations) {
        std::set<int64_t> wider;
        for (const int64_t place : seen) {
            for (int64_t tap = 0; tap < kernel; tap++) wider.insert(place + tap * dilation);
        }
        seen = std::move(wider);
    }
    return seen;
}

// It speaks only of stacks that do leave holes, and of all that have one dilation above 1.
TEST(LintProperty, GriddingIsReal) {
    for (int code = 0; code < 8 * 8 * 8; code++) {
        std::vector<std::pair<int64_t, int64_t>> stack;
        std::string line = "f32 ncw[1, 1, 60]";
        for (const int digit : {code / 64, code / 8 % 8, code % 8}) {
            stack.emplace_back(2 + digit % 2, 1 + digit / 2);
            line += fmt::format(" -> conv(1, {}, dilation={})", stack.back().first, stack.back().second);
        }
        const std::set<int64_t> seen = seen_by(stack);
        const int64_t field = *seen.rbegin() + 1;
        const bool holes = static_cast<int64_t>(seen.size()) < field;
        const std::string said = lint_of(line, "gridding");
        EXPECT_TRUE(said.empty() || holes) << line << ": " << said;
        const bool equal =
            std::all_of(stack.begin(), stack.end(), [&](const auto &stage) { return stage.second == stack[0].second; });
        if (!equal || stack[0].second == 1) continue;
        const std::string figures = fmt::format("sees {} of the {} values", seen.size(), field);
        EXPECT_NE(said.find(figures), std::string::npos) << line << ": " << said << ", not " << figures;
    }
}

struct Line {
    int64_t input, kernel, stride, dilation, before, after;

    int64_t span() const { return (kernel - 1) * dilation + 1; }
    int64_t outputs() const { return (input + before + after - span()) / stride + 1; }
    bool sees_data(int64_t output, int64_t tap) const {
        const int64_t place = output * stride + tap * dilation - before;
        return place >= 0 && place < input;
    }
    int64_t dead_taps() const {
        int64_t dead = 0;
        for (int64_t tap = 0; tap < kernel; tap++) {
            bool alive = false;
            for (int64_t output = 0; output < outputs(); output++) alive = alive || sees_data(output, tap);
            dead += alive ? 0 : 1;
        }
        return dead;
    }
    bool has_blind_output() const {
        for (int64_t output = 0; output < outputs(); output++) {
            bool blind = true;
            for (int64_t tap = 0; tap < kernel; tap++) blind = blind && !sees_data(output, tap);
            if (blind) return true;
        }
        return false;
    }
    std::string text() const {
        return fmt::format("f32 ncw[1, 1, {}] -> conv(1, {}, stride={}, pad=[{}:{}], dilation={})", input, kernel,
                           stride, before, after, dilation);
    }
};

void expect_true_of_padding(const Line &line) {
    const std::string said = lint_of(line.text(), "dead-padding");
    const int64_t dead = line.dead_taps();
    if (said.empty()) {
        EXPECT_TRUE(dead == 0 || line.before + line.after == 0) << line.text();
    } else if (said.find("nothing but padding") != std::string::npos) {
        EXPECT_TRUE(line.has_blind_output()) << line.text() << ": " << said;
    } else {
        EXPECT_NE(said.find(fmt::format("{} of the {} taps only ever see padding", dead, line.kernel)),
                  std::string::npos)
            << line.text() << ": " << said << ", not " << dead;
    }
}

TEST(LintProperty, DeadPaddingIsDead) {
    for (int64_t input = 1; input <= 5; input++) {
        for (int64_t kernel = 1; kernel <= 4; kernel++) {
            for (int64_t stride = 1; stride <= 4; stride++) {
                for (int64_t dilation = 1; dilation <= 3; dilation++) {
                    for (int64_t pads = 0; pads < 25; pads++) {
                        const Line line{input, kernel, stride, dilation, pads / 5, pads % 5};
                        if (line.span() <= input + line.before + line.after) expect_true_of_padding(line);
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace convc
