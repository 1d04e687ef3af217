// Byte offsets to lines and columns. Built once for a text; each question is then answered in constant or logarithmic
// time, also when the text is one line of many megabytes.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "compiler/syntax/source.h"

namespace convc {

struct LineColumn {
    uint32_t line = 1;    // from 1
    uint32_t column = 1;  // from 1, in code points
};

class LineTable {
public:
    explicit LineTable(std::string_view text);  // the text must outlive the table

    LineColumn at(uint32_t offset) const;
    uint32_t line_number(uint32_t offset) const;         // from 1
    SourceRange line_containing(uint32_t offset) const;  // its bytes, without the line break
    uint32_t clamp(uint32_t offset) const;               // to the text

private:
    uint32_t code_points_before(uint32_t offset) const;

    std::string_view text_;
    std::vector<uint32_t> line_starts_;
    std::vector<uint32_t> checkpoints_;  // code points before each multiple of the checkpoint distance
};

}  // namespace convc
