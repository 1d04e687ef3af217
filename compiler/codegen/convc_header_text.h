// The text of runtime/include/convc/convc.h, which every header that convc writes repeats.
#pragma once

#include <string_view>

namespace convc {

extern const std::string_view convc_header_text;

}  // namespace convc
