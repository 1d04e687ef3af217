#include "tests/cost/page.h"

#include <sstream>

#include "tests/cost/read_layers.h"

namespace convc::test {

std::vector<PageBlock> Page::of_kind(std::string_view start) const {
    std::vector<PageBlock> found;
    for (const PageBlock &block : blocks) {
        if (block.kind.starts_with(start)) found.push_back(block);
    }
    return found;
}

Page read_page(const std::string &path) {
    Page page;
    std::istringstream text(read_source_file(path));
    std::string section;
    bool inside = false;
    int number = 0;
    for (std::string line; std::getline(text, line);) {
        const std::string place = path + ":" + std::to_string(++number);
        if (line.starts_with("```")) {
            inside = !inside;
            if (inside) page.blocks.push_back({line.substr(3), "", place, section});
        } else if (inside) {
            page.blocks.back().text += line + "\n";
        } else if (line.starts_with("#")) {
            section = line.substr(line.find_first_not_of("# "));
        } else {
            page.prose.push_back({"", line + "\n", place, section});
        }
    }
    return page;
}

}  // namespace convc::test
