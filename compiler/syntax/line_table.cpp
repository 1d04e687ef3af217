#include "compiler/syntax/line_table.h"

#include <algorithm>

namespace convc {
namespace {

constexpr uint32_t checkpoint_distance = 4096;

bool starts_code_point(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

}  // namespace

LineTable::LineTable(std::string_view text) : text_(text), line_starts_{0} {
    uint32_t code_points = 0;
    for (uint32_t i = 0; i < text.size(); i++) {
        if (i % checkpoint_distance == 0) checkpoints_.push_back(code_points);
        if (text[i] == '\n') line_starts_.push_back(i + 1);
        code_points += starts_code_point(text[i]);
    }
    if (text.size() % checkpoint_distance == 0) checkpoints_.push_back(code_points);
}

uint32_t LineTable::clamp(uint32_t offset) const {
    return std::min(offset, static_cast<uint32_t>(text_.size()));
}

uint32_t LineTable::line_number(uint32_t offset) const {
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), clamp(offset));
    return static_cast<uint32_t>(after - line_starts_.begin());
}

SourceRange LineTable::line_containing(uint32_t offset) const {
    const uint32_t number = line_number(offset);
    uint32_t end = number < line_starts_.size() ? line_starts_[number] - 1 : clamp(UINT32_MAX);
    const uint32_t begin = line_starts_[number - 1];
    if (end > begin && text_[end - 1] == '\r') end--;
    return {begin, end};
}

uint32_t LineTable::code_points_before(uint32_t offset) const {
    uint32_t count = checkpoints_[offset / checkpoint_distance];
    for (uint32_t i = offset / checkpoint_distance * checkpoint_distance; i < offset; i++) {
        count += starts_code_point(text_[i]);
    }
    return count;
}

LineColumn LineTable::at(uint32_t offset) const {
    offset = clamp(offset);
    const uint32_t number = line_number(offset);
    return {number, code_points_before(offset) - code_points_before(line_starts_[number - 1]) + 1};
}

}  // namespace convc
