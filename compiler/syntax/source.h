// A piece of source text with a name, and positions in it. Positions are byte offsets; line and column are worked out
// only when something is printed.
#pragma once

#include <cstdint>
#include <string>

namespace convc {

struct SourceFile {
    std::string name;  // as the user wrote it: a path, or "<layer>" for a line given on the command line
    std::string text;
};

struct SourceRange {
    uint32_t begin = 0;
    uint32_t end = 0;  // one past the last byte; begin == end is a point
};

}  // namespace convc
