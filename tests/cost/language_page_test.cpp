// docs/language.md: every example on it is what the page says. Fenced blocks marked `conv` are accepted and stand in
// the layout of `convc fmt`, those marked `conv fail ID` are refused with that diagnostic, and in those marked `conv
// canonical` the second line of each pair is how the first prints.
#include <gtest/gtest.h>

#include <sstream>

#include "tests/cost/page.h"
#include "tests/cost/read_layers.h"

namespace convc {
namespace {

using test::PageBlock;

std::vector<PageBlock> blocks_of_kind(const std::string &start) {
    static const test::Page page = test::read_page("docs/language.md");
    return page.of_kind(start);
}

TEST(LanguagePage, ExamplesAreAccepted) {
    size_t accepted = 0;
    for (const PageBlock &block : blocks_of_kind("conv")) {
        if (block.kind != "conv") continue;
        const test::Reading reading = test::read_layers(block.place, block.text);
        EXPECT_FALSE(reading.diagnostics.has_errors()) << reading.rendered;
        EXPECT_EQ(test::formatted(block.place, block.text), block.text) << block.place;
        accepted++;
    }
    EXPECT_GE(accepted, 15U);
}

TEST(LanguagePage, MistakesAreRefused) {
    const std::string marker = "conv fail ";
    const std::vector<PageBlock> blocks = blocks_of_kind(marker);
    EXPECT_GE(blocks.size(), 10U);
    for (const PageBlock &block : blocks) {
        const test::Reading reading = test::read_layers(block.place, block.text);
        EXPECT_TRUE(reading.diagnostics.has_errors()) << block.place;
        EXPECT_EQ(reading.diagnostics.all().size(), 1U) << reading.rendered;
        EXPECT_TRUE(reading.reports(block.kind.substr(marker.size()))) << reading.rendered;
    }
}

TEST(LanguagePage, CanonicalLinesPrintAsShown) {
    const std::vector<PageBlock> blocks = blocks_of_kind("conv canonical");
    EXPECT_GE(blocks.size(), 2U);
    for (const PageBlock &block : blocks) {
        std::istringstream text(block.text);
        for (std::string written, printed, blank; std::getline(text, written); std::getline(text, blank)) {
            std::getline(text, printed);
            EXPECT_EQ(test::read_layer(written).canonical_line(), printed) << block.place;
            EXPECT_EQ(test::read_layer(printed).canonical_line(), printed) << block.place;
        }
    }
}

TEST(LanguagePage, TheLintsOnItAreGiven) {
    // The last example, below the table of lints.
    const test::Reading reading = test::read_layers("lints", blocks_of_kind("conv").back().text);
    EXPECT_TRUE(reading.reports("checkerboard")) << reading.rendered;
    EXPECT_TRUE(reading.reports("depthwise-as-groups")) << reading.rendered;
}

TEST(LanguagePage, WeightsAreNamedAsShown) {
    const std::string unit = "240]) =\n    conv(60, 1x1, groups=3) + bias + relu";
    for (const PageBlock &block : blocks_of_kind("conv")) {
        if (block.text.find(unit) == std::string::npos) continue;
        std::string names;
        for (const Parameter &parameter : test::read_layer(block.text).parameters()) names += parameter.name() + " ";
        EXPECT_EQ(names, "0.weight 0.bias 2.weight 2.bias 3.weight 3.bias ");
        return;
    }
    ADD_FAILURE() << "the example of names is gone from the page";
}

}  // namespace
}  // namespace convc
