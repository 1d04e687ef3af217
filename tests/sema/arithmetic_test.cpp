// The shape arithmetic of the literature: K. Bai's introduction to types of convolution, and Dumoulin & Visin,
// arXiv 1603.07285.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/sema/check_text.h"

namespace convc {
namespace {

// The output of a line, "" with a failure when it is wrong.
std::string output_of(const std::string &line) {
    const CheckedText checked = check_text(line);
    EXPECT_EQ(checked.rendered, "");
    return checked.module.layers.empty() ? "" : print_tensor(checked.module.layers[0].layer.output());
}

TEST(Arithmetic, FiguresOfTheVariants) {
    EXPECT_EQ(output_of("f32 nhwc[1, 7, 7, 3] -> conv(128, 3x3)"), "f32 nhwc[1, 5, 5, 128]");
    EXPECT_EQ(output_of("f32 nhwc[1, 7, 7, 3] -> depthwise_separable(128, 3x3)"), "f32 nhwc[1, 5, 5, 128]");
    EXPECT_EQ(output_of("f32 nhwc[1, 2, 2, 1] -> transposed(1, 3x3)"), "f32 nhwc[1, 4, 4, 1]");
    EXPECT_EQ(output_of("f32 nhwc[1, 2, 2, 1] -> transposed(1, 3x3, stride=2)"), "f32 nhwc[1, 5, 5, 1]");
    EXPECT_EQ(output_of("f32 nhwc[1, 4, 4, 1] -> conv(1, 3x3)"), "f32 nhwc[1, 2, 2, 1]");
    EXPECT_EQ(output_of("f32 nhwc[1, 5, 5, 1] -> spatially_separable(1, 3x3)"), "f32 nhwc[1, 3, 3, 1]");
    EXPECT_EQ(output_of("f32 nhwc[1, 9, 9, 6] -> depthwise(3x3, multiplier=4)"), "f32 nhwc[1, 7, 7, 24]");
}

// o = floor((i + 2p - k') / s) + 1 with k' = k + (k-1)(d-1)
TEST(Arithmetic, ForwardExtents) {
    for (int64_t i = 1; i <= 12; i++) {
        for (int64_t k = 1; k <= 4; k++) {
            for (int64_t s = 1; s <= 3; s++) {
                for (int64_t d = 1; d <= 3; d++) {
                    for (int64_t p = 0; p <= 2; p++) {
                        const int64_t span = k + (k - 1) * (d - 1);
                        if (span > i + 2 * p) continue;
                        const int64_t o = (i + 2 * p - span) / s + 1;
                        EXPECT_EQ(
                            output_of(fmt::format("f32 ncw[1, 1, {}] -> conv(1, {}, stride={}, dilation={}, pad={})", i,
                                                  k, s, d, p)),
                            fmt::format("f32 ncw[1, 1, {}]", o));
                    }
                }
            }
        }
    }
}

// o = (i-1)s - 2p + k' + output_padding
TEST(Arithmetic, TransposedExtents) {
    for (int64_t i = 1; i <= 6; i++) {
        for (int64_t k = 1; k <= 4; k++) {
            for (int64_t s = 1; s <= 3; s++) {
                for (int64_t a = 0; a < s; a++) {
                    const int64_t p = k / 3;
                    const int64_t o = (i - 1) * s - 2 * p + k + a;
                    if (o < 1) continue;
                    EXPECT_EQ(output_of(fmt::format("f32 ncw[1, 1, {}] -> transposed(1, {}, {}, stride={}, pad={})", i,
                                                    k, a, s, p)),
                              fmt::format("f32 ncw[1, 1, {}]", o));
                }
            }
        }
    }
}

// same: o = ceil(i/s); half: p = floor(k'/2); full: p = k'-1
TEST(Arithmetic, NamedPadding) {
    for (int64_t i = 1; i <= 12; i++) {
        for (int64_t k = 1; k <= 5; k++) {
            for (int64_t s = 1; s <= 3; s++) {
                const auto line = [&](const char *pad) {
                    return fmt::format("f32 ncw[1, 1, {}] -> conv(1, {}, stride={}, pad={})", i, k, s, pad);
                };
                EXPECT_EQ(output_of(line("same")), fmt::format("f32 ncw[1, 1, {}]", (i + s - 1) / s));
                EXPECT_EQ(output_of(line("half")), fmt::format("f32 ncw[1, 1, {}]", (i + k / 2 * 2 - k) / s + 1));
                EXPECT_EQ(output_of(line("full")), fmt::format("f32 ncw[1, 1, {}]", (i + k - 2) / s + 1));
            }
        }
    }
}

TEST(Arithmetic, EveryLayoutNamesTheSameAxes) {
    EXPECT_EQ(output_of("f32 nwc[2, 9, 3] -> conv(5, 3)"), "f32 nwc[2, 7, 5]");
    EXPECT_EQ(output_of("f32 ncw[2, 3, 9] -> conv(5, 3)"), "f32 ncw[2, 5, 7]");
    EXPECT_EQ(output_of("f32 nhwc[2, 9, 8, 3] -> conv(5, 3x2)"), "f32 nhwc[2, 7, 7, 5]");
    EXPECT_EQ(output_of("f32 nchw[2, 3, 9, 8] -> conv(5, 3x2)"), "f32 nchw[2, 5, 7, 7]");
    EXPECT_EQ(output_of("f32 ndhwc[2, 9, 8, 7, 3] -> conv(5, 3x2x1)"), "f32 ndhwc[2, 7, 7, 7, 5]");
    EXPECT_EQ(output_of("f32 ncdhw[2, 3, 9, 8, 7] -> conv(5, 3x2x1)"), "f32 ncdhw[2, 5, 7, 7, 7]");
}

}  // namespace
}  // namespace convc
