// Pictures as tensors and back.
#include "compiler/driver/tensor_io/picture.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/driver/tensor_fixtures.h"

namespace convc {
namespace {

TensorType tensor_type(Layout layout, int64_t height, int64_t width, int64_t channels) {
    TensorType type;
    type.layout = layout;
    type.space = {height, width};
    type.channels = channels;
    return type;
}

std::vector<uint8_t> pixels_of(std::string_view png) {
    const Result<Picture> picture = read_png(png, "p.png");
    EXPECT_TRUE(picture) << picture.error().message;
    return picture ? picture->rgb : std::vector<uint8_t>{};
}

const std::vector<uint8_t> colours{255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 128, 128, 128, 255, 255, 255};

TEST(Picture, ReadsPng) {
    EXPECT_EQ(pixels_of(fixtures::text(fixtures::png_rgb)), colours);
    EXPECT_EQ(pixels_of(fixtures::text(fixtures::png_rgba)), colours);
    EXPECT_EQ(pixels_of(fixtures::text(fixtures::png_grey16)), (std::vector<uint8_t>{0, 0, 0, 7, 7, 7, 255, 255, 255}));
}

TEST(Picture, ReadsJpeg) {
    const Result<Picture> grey = read_jpeg(fixtures::text(fixtures::jpeg_grey), "p.jpg");
    ASSERT_TRUE(grey) << grey.error().message;
    EXPECT_EQ(grey->height, 8);
    EXPECT_EQ(grey->width, 16);
    EXPECT_EQ(grey->rgb, std::vector<uint8_t>(8 * 16 * 3, 100));
    const Result<Picture> colour = read_jpeg(fixtures::text(fixtures::jpeg_rgb), "p.jpg");
    ASSERT_TRUE(colour) << colour.error().message;
    EXPECT_NEAR(colour->rgb[0], 200, 3);
    EXPECT_NEAR(colour->rgb[1], 100, 3);
    EXPECT_NEAR(colour->rgb[2], 50, 3);
}

TEST(Picture, RefusesEveryTruncation) {
    const std::string_view png = fixtures::text(fixtures::png_rgb);
    constexpr size_t end_chunk = 12;  // holds nothing: all pixels are there without it
    for (size_t length = 0; length < png.size() - end_chunk; length++) {
        EXPECT_FALSE(read_png(png.substr(0, length), "p.png")) << length;
    }
    for (const std::string_view jpeg : {fixtures::text(fixtures::jpeg_grey), fixtures::text(fixtures::jpeg_rgb)}) {
        for (size_t length = 0; length < jpeg.size(); length++) {
            EXPECT_FALSE(read_jpeg(jpeg.substr(0, length), "p.jpg")) << length;
        }
    }
}

// Whatever byte changes: an error or a picture, no crash.
TEST(Picture, SurvivesDamage) {
    for (size_t at = 0; at < fixtures::text(fixtures::jpeg_rgb).size(); at++) {
        std::string bytes(fixtures::text(fixtures::jpeg_rgb));
        bytes[at] = static_cast<char>(bytes[at] ^ 0x81);
        if (const Result<Picture> picture = read_jpeg(bytes, "p.jpg")) {
            EXPECT_EQ(picture->rgb.size(), static_cast<size_t>(picture->height * picture->width * 3));
        }
    }
    for (size_t at = 0; at < fixtures::text(fixtures::png_rgb).size(); at++) {
        std::string bytes(fixtures::text(fixtures::png_rgb));
        bytes[at] = static_cast<char>(bytes[at] ^ 0x81);
        (void)read_png(bytes, "p.png");
    }
}

TEST(Picture, TakesTheLayersChannelsAndLayout) {
    const Picture picture{1, 2, {255, 0, 0, 0, 255, 51}};
    const Result<Tensor> last = picture_to_tensor(picture, tensor_type(Layout::nhwc, 1, 2, 3), "p");
    ASSERT_TRUE(last);
    EXPECT_EQ(last->shape, (std::vector<int64_t>{1, 1, 2, 3}));
    EXPECT_EQ(last->values, (std::vector<float>{1, 0, 0, 0, 1, 0.2F}));
    const Result<Tensor> first = picture_to_tensor(picture, tensor_type(Layout::nchw, runtime_extent, 2, 3), "p");
    ASSERT_TRUE(first);
    EXPECT_EQ(first->shape, (std::vector<int64_t>{1, 3, 1, 2}));
    EXPECT_EQ(first->values, (std::vector<float>{1, 0, 0, 1, 0, 0.2F}));
    const Result<Tensor> grey = picture_to_tensor(picture, tensor_type(Layout::nhwc, 1, 2, 1), "p");
    ASSERT_TRUE(grey);
    EXPECT_EQ(grey->values, (std::vector<float>{0.299F, static_cast<float>(0.587 + 0.114 * 0.2)}));
}

TEST(Picture, RefusesLayersThatTakeNoPicture) {
    const Picture picture{1, 2, {0, 0, 0, 0, 0, 0}};
    EXPECT_EQ(picture_to_tensor(picture, tensor_type(Layout::nhwc, 1, 2, 4), "p").error().message,
              "p: a picture is one image of 1 or 3 channels, but the input is f32 nhwc[1, 1, 2, 4]");
    EXPECT_EQ(picture_to_tensor(picture, tensor_type(Layout::nhwc, 1, 3, 3), "p").error().message,
              "p: 1 pixels high and 2 wide, but the input is f32 nhwc[1, 1, 3, 3]");
}

TEST(Picture, WritesPng) {
    const Tensor clamped{{1, 1, 2, 3}, {-1, 0, 0.5F, 1, 2, NAN}};
    const Result<std::string> png = write_png(clamped, tensor_type(Layout::nhwc, 1, 2, 3), Range::clamped);
    ASSERT_TRUE(png) << png.error().message;
    EXPECT_EQ(pixels_of(*png), (std::vector<uint8_t>{0, 0, 128, 255, 255, 0}));
    const Tensor stretched{{1, 1, 1, 3}, {-4, INFINITY, 6}};
    const Result<std::string> grey = write_png(stretched, tensor_type(Layout::nchw, 1, 3, 1), Range::stretched);
    ASSERT_TRUE(grey) << grey.error().message;
    EXPECT_EQ(pixels_of(*grey), (std::vector<uint8_t>{0, 0, 0, 255, 255, 255, 255, 255, 255}));
    EXPECT_FALSE(write_png(Tensor{{1, 1, 1, 2}, {0, 0}}, tensor_type(Layout::nhwc, 1, 1, 2), Range::clamped));
}

// A header alone can claim 2^31 - 1 pixels each way.
TEST(Picture, RefusesHugeClaimsBeforeUnpacking) {
    std::string png(fixtures::text(fixtures::png_rgb));
    png.replace(16, 8, std::string("\x00\x0f\x00\x00\x00\x0f\x00\x00", 8));
    EXPECT_FALSE(read_png(png, "p.png"));
    std::string jpeg(fixtures::text(fixtures::jpeg_grey));
    const size_t frame = jpeg.find("\xff\xc0");
    ASSERT_NE(frame, std::string::npos);
    EXPECT_EQ(read_jpeg(jpeg.replace(frame + 5, 4, std::string("\xff\x00\xff\x00", 4)), "p.jpg").error().message,
              "p.jpg: 65280 pixels high and 65280 wide, more than 268435456 pixels");
}

}  // namespace
}  // namespace convc
