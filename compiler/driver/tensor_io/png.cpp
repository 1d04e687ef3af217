// libpng's simplified interface: it keeps its setjmp to itself.
#include <fmt/format.h>
#include <png.h>

#include <cstring>

#include "compiler/driver/tensor_io/picture.h"
#include "compiler/driver/tensor_io/png_samples.h"

namespace convc {
namespace {

class Image {
public:
    Image() { image_.version = PNG_IMAGE_VERSION; }
    ~Image() { png_image_free(&image_); }
    Image(const Image &) = delete;
    Image &operator=(const Image &) = delete;

    png_image *get() { return &image_; }
    png_image *operator->() { return &image_; }

private:
    png_image image_{};
};

Error wrong(const std::string &name, std::string_view problem) {
    return {Failure::invalid_input, fmt::format("{}: {}", name, problem)};
}

}  // namespace

bool is_png(std::string_view bytes) {
    return bytes.starts_with("\x89PNG\r\n\x1a\n");
}

Result<Picture> read_png(std::string_view bytes, const std::string &name) {
    Image image;
    if (!png_image_begin_read_from_memory(image.get(), bytes.data(), bytes.size())) {
        return wrong(name, image->message);
    }
    const int64_t pixels = static_cast<int64_t>(image->width) * image->height;
    if (pixels > most_pixels) {
        return wrong(name, fmt::format("{} pixels high and {} wide, more than {} pixels", image->height, image->width,
                                       most_pixels));
    }
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    image->format = PNG_FORMAT_RGBA;  // without the alpha channel libpng would want a background to blend with
    std::vector<uint8_t> rgba(static_cast<size_t>(pixels) * 4);
    if (!png_image_finish_read(image.get(), nullptr, rgba.data(), 0, nullptr)) return wrong(name, image->message);
    Picture picture{image->height, image->width, std::vector<uint8_t>(static_cast<size_t>(pixels) * 3)};
    for (size_t i = 0; i < static_cast<size_t>(pixels); i++) std::memcpy(&picture.rgb[i * 3], &rgba[i * 4], 3);
    return picture;
}

Result<std::string> encode_png(const PngSamples &samples) {
    Image image;
    image->width = static_cast<png_uint_32>(samples.width);
    image->height = static_cast<png_uint_32>(samples.height);
    image->format = samples.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(*image.get());
    std::string bytes(size, '\0');
    if (!png_image_write_to_memory(image.get(), bytes.data(), &size, 0, samples.bytes.data(), 0, nullptr)) {
        return Error{Failure::environment, fmt::format("cannot write a .png: {}", image->message)};
    }
    bytes.resize(size);
    return bytes;
}

}  // namespace convc
