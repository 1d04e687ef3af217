// Rows of cells as aligned text.
#pragma once

#include <string>
#include <vector>

namespace convc {

class Table {
public:
    enum class Align { left, right };

    // One alignment a column; a row may be shorter than that.
    explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}

    void add_row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    std::string print(int indent) const;  // one line a row, two spaces between columns, none at a line's end

private:
    std::vector<Align> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace convc
