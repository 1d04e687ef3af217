// The text of runtime/include/convc/convc.h, which every header that convc writes repeats; and of gpu.h, for those with
// kernels for a GPU.
#pragma once

#include <string_view>

namespace convc {

extern const std::string_view convc_header_text;
extern const std::string_view convc_gpu_header_text;

}  // namespace convc
