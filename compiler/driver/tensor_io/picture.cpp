#include "compiler/driver/tensor_io/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compiler/driver/tensor_io/png_samples.h"

namespace convc {
namespace {

bool fits(int64_t extent, int64_t actual) {
    return extent == runtime_extent || extent == actual;
}

// Where a pixel's channel stands in a tensor of one picture.
struct PixelOrder {
    int64_t height, width, channels;
    bool channels_last;

    size_t at(int64_t pixel, int64_t channel) const {
        return static_cast<size_t>(channels_last ? pixel * channels + channel : channel * height * width + pixel);
    }
};

float luma(const uint8_t *rgb) {
    return static_cast<float>((0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255.0);
}

// What makes these numbers 0 to 1.
struct Scaling {
    float low = 0, high = 1;

    uint8_t byte(float value) const {
        const float unit = high > low ? (value - low) / (high - low) : 0;
        if (!(unit > 0)) return 0;  // NaN too
        return static_cast<uint8_t>(std::lround(std::min(unit, 1.0F) * 255));
    }
};

Scaling stretch(const std::vector<float> &values) {
    Scaling scaling{INFINITY, -INFINITY};
    for (const float value : values) {
        if (!std::isfinite(value)) continue;
        scaling.low = std::min(scaling.low, value);
        scaling.high = std::max(scaling.high, value);
    }
    return scaling;
}

}  // namespace

Result<Tensor> picture_to_tensor(const Picture &picture, const TensorType &type, const std::string &name) {
    const bool plain = type.rank() == 2 && fits(type.batch, 1) && (type.channels == 1 || type.channels == 3);
    if (!plain) {
        return Error{Failure::invalid_input,
                     fmt::format("{}: a picture is one image of 1 or 3 channels, but the input is {}", name,
                                 print_tensor(type))};
    }
    if (!fits(type.space[0], picture.height) || !fits(type.space[1], picture.width)) {
        return Error{Failure::invalid_input, fmt::format("{}: {} pixels high and {} wide, but the input is {}", name,
                                                         picture.height, picture.width, print_tensor(type))};
    }
    TensorType actual = type;
    actual.batch = 1;
    actual.space = {picture.height, picture.width};
    const int64_t pixels = picture.height * picture.width;
    const PixelOrder order{picture.height, picture.width, type.channels, channels_last(type.layout)};
    Tensor tensor{actual.extents(), std::vector<float>(static_cast<size_t>(pixels * type.channels))};
    for (int64_t pixel = 0; pixel < pixels; pixel++) {
        const uint8_t *rgb = &picture.rgb[static_cast<size_t>(pixel * 3)];
        for (int64_t channel = 0; channel < type.channels; channel++) {
            tensor.values[order.at(pixel, channel)] =
                type.channels == 1 ? luma(rgb) : static_cast<float>(rgb[channel]) / 255.0F;
        }
    }
    return tensor;
}

Result<std::string> write_png(const Tensor &tensor, const TensorType &type, Range range) {
    const bool plain = type.rank() == 2 && tensor.shape.size() == 4 && tensor.shape[0] == 1 &&
                       (type.channels == 1 || type.channels == 3);
    if (!plain) {
        return Error{Failure::usage, fmt::format("a .png holds one image of 1 or 3 channels, but the output is {}; "
                                                 "write a .npy",
                                                 print_shape(tensor.shape))};
    }
    const size_t first = channels_last(type.layout) ? 1 : 2;
    const PixelOrder order{tensor.shape[first], tensor.shape[first + 1], type.channels, channels_last(type.layout)};
    if (order.height < 1 || order.width < 1 || order.height > most_pixels / order.width) {
        return Error{Failure::usage,
                     fmt::format("a .png of {} x {} pixels is too large or empty", order.height, order.width)};
    }
    const Scaling scaling = range == Range::stretched ? stretch(tensor.values) : Scaling{};
    PngSamples samples{order.height, order.width, order.channels, std::vector<uint8_t>(tensor.values.size())};
    for (int64_t pixel = 0; pixel < order.height * order.width; pixel++) {
        for (int64_t channel = 0; channel < order.channels; channel++) {
            samples.bytes[static_cast<size_t>(pixel * order.channels + channel)] =
                scaling.byte(tensor.values[order.at(pixel, channel)]);
        }
    }
    return encode_png(samples);
}

}  // namespace convc
