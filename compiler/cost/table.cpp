#include "compiler/cost/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace convc {

std::string Table::print(int indent) const {
    std::vector<size_t> widths(columns_.size(), 0);
    for (const std::vector<std::string> &row : rows_) {
        for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const std::vector<std::string> &row : rows_) {
        std::string line(static_cast<size_t>(indent), ' ');
        for (size_t i = 0; i < row.size(); i++) {
            if (i > 0) line += "  ";
            line += columns_[i] == Align::left ? fmt::format("{:<{}}", row[i], widths[i])
                                               : fmt::format("{:>{}}", row[i], widths[i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

}  // namespace convc
