// libjpeg reports errors by longjmp, so the function that calls it has no destructors to skip.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it before itself

#include "compiler/driver/tensor_io/picture.h"

namespace convc {
namespace {

struct ErrorManager {
    jpeg_error_mgr base;
    std::jmp_buf escape;
    std::array<char, JMSG_LENGTH_MAX> message;
};

[[noreturn]] void fail(j_common_ptr info) {
    auto *manager = reinterpret_cast<ErrorManager *>(info->err);
    manager->base.format_message(info, manager->message.data());
    std::longjmp(manager->escape, 1);
}

// A warning (level -1) is damaged data for which libjpeg would make up pixels; but for padding between markers, which
// some cameras write.
void fail_on_warning(j_common_ptr info, int level) {
    if (level < 0 && info->err->msg_code != JWRN_EXTRANEOUS_DATA) fail(info);
}

struct Decoder {
    jpeg_decompress_struct info;
    ErrorManager errors;
};

// Both return false after an error. `decoder` is in place before setjmp and no other automatic variable changes after
// it.
bool begin(Decoder &decoder, const unsigned char *bytes, size_t size) {
    if (setjmp(decoder.errors.escape)) return false;
    jpeg_create_decompress(&decoder.info);
    jpeg_mem_src(&decoder.info, bytes, size);
    jpeg_read_header(&decoder.info, TRUE);
    decoder.info.out_color_space = JCS_RGB;
    return true;
}

bool decode(Decoder &decoder, unsigned char *rgb) {
    if (setjmp(decoder.errors.escape)) return false;
    jpeg_start_decompress(&decoder.info);
    while (decoder.info.output_scanline < decoder.info.output_height) {
        JSAMPROW row = rgb + size_t{decoder.info.output_scanline} * decoder.info.output_width * 3;
        jpeg_read_scanlines(&decoder.info, &row, 1);
    }
    jpeg_finish_decompress(&decoder.info);
    return true;
}

Error wrong(const std::string &name, std::string_view problem) {
    return {Failure::invalid_input, fmt::format("{}: {}", name, problem)};
}

Result<Picture> read_with(Decoder &decoder, std::string_view bytes, const std::string &name) {
    if (!begin(decoder, reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size())) {
        return wrong(name, decoder.errors.message.data());
    }
    const int64_t height = decoder.info.image_height;
    const int64_t width = decoder.info.image_width;
    if (height * width > most_pixels) {
        return wrong(name, fmt::format("{} pixels high and {} wide, more than {} pixels", height, width, most_pixels));
    }
    Picture picture{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width) * 3)};
    if (!decode(decoder, picture.rgb.data())) return wrong(name, decoder.errors.message.data());
    return picture;
}

}  // namespace

bool is_jpeg(std::string_view bytes) {
    return bytes.starts_with("\xff\xd8\xff");
}

Result<Picture> read_jpeg(std::string_view bytes, const std::string &name) {
    Decoder decoder{};
    decoder.info.err = jpeg_std_error(&decoder.errors.base);
    decoder.errors.base.error_exit = fail;
    decoder.errors.base.emit_message = fail_on_warning;
    Result<Picture> picture = read_with(decoder, bytes, name);
    jpeg_destroy_decompress(&decoder.info);
    return picture;
}

}  // namespace convc
