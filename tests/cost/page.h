// A page of docs/ as its tests see it: headings, fenced blocks, and the prose between them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convc::test {

struct PageBlock {
    std::string kind;     // what stands after the fence: "conv fail kernel-too-large"
    std::string text;     // with a line break after every line
    std::string place;    // "docs/language.md:12"
    std::string section;  // the heading that it stands under, of whatever depth
};

struct Page {
    std::vector<PageBlock> blocks;
    std::vector<PageBlock> prose;  // lines outside of blocks; kind is empty

    std::vector<PageBlock> of_kind(std::string_view start) const;
};

Page read_page(const std::string &path);

}  // namespace convc::test
