// Pictures as tensors: PNG and JPEG in, PNG out.
//
// In: 8 bits a channel (16-bit PNGs are rounded to 8), scaled to [0, 1]; transparency is dropped. A layer with one
// channel gets the luma of a coloured picture (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B), one with three gets a grey
// picture three times. No resizing: the picture has the layer's height and width, unless the layer takes any. Out: one
// channel is grey, three are RGB; [0, 1] becomes 0 to 255 rounded to nearest, what lies outside is clamped, NaN is
// black. Range::stretched maps the smallest finite value to 0 and the largest to 255 instead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/driver/tensor_io/tensor.h"
#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// RGB, row by row.
struct Picture {
    int64_t height = 0;
    int64_t width = 0;
    std::vector<uint8_t> rgb;
};

// A picture of more pixels is refused before any is unpacked: a few bytes of PNG can claim terabytes.
inline constexpr int64_t most_pixels = int64_t{1} << 28;

// `name` begins errors. A file whose pixels are not all there is an error, though the libraries could guess the rest.
Result<Picture> read_png(std::string_view bytes, const std::string &name);
Result<Picture> read_jpeg(std::string_view bytes, const std::string &name);
bool is_png(std::string_view bytes);
bool is_jpeg(std::string_view bytes);

// In the layout of `type`, which has 2 spatial axes, batch 1 (or run-time) and 1 or 3 channels.
Result<Tensor> picture_to_tensor(const Picture &picture, const TensorType &type, const std::string &name);

enum class Range { clamped, stretched };
Result<std::string> write_png(const Tensor &tensor, const TensorType &type, Range range);

}  // namespace convc
