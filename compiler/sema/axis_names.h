// What a spatial axis is called: width; height, width; depth, height, width.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace convc::sema {

inline std::string_view axis_name(size_t rank, size_t axis) {
    constexpr std::array<std::string_view, 3> names{"depth", "height", "width"};
    return rank <= 3 && axis < rank ? names[3 - rank + axis] : std::string_view("axis");
}

}  // namespace convc::sema
