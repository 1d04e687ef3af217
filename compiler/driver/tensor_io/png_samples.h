// Between picture.cpp, which knows tensors, and png.cpp, which knows libpng.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "convc/status.h"

namespace convc {

struct PngSamples {
    int64_t height = 0;
    int64_t width = 0;
    int64_t channels = 1;  // 1 or 3
    std::vector<uint8_t> bytes;
};

Result<std::string> encode_png(const PngSamples &samples);

}  // namespace convc
