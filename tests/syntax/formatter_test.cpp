// The layout itself is shown by the CHECK:STDOUT lines of testdata/; here are the properties: formatting twice changes
// nothing, and no comment and no token is lost.
#include "compiler/syntax/formatter.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "compiler/syntax/lexer.h"
#include "compiler/syntax/parser.h"
#include "tests/file_test/file_test.h"

namespace convc {
namespace {

const std::filesystem::path source_folder = CONVC_SOURCE_FOLDER;

std::string read(const std::filesystem::path &file) {
    std::ifstream stream(file, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::string format(const std::string &text) {
    const SourceFile file{"test.conv", text};
    Diagnostics diagnostics;
    const ast::Module module = parse_module(file, diagnostics);
    EXPECT_FALSE(diagnostics.has_errors()) << render_text(file, diagnostics, false);
    return format_module(file, module);
}

// The tokens' text, each on a line; brackets that formatting may drop left out.
std::string tokens_of(const std::string &text) {
    const SourceFile file{"test.conv", text};
    Diagnostics diagnostics;
    std::string all;
    for (const Token &token : tokenize(file, diagnostics).tokens) {
        if (token.kind == TokenKind::left_paren || token.kind == TokenKind::right_paren) continue;
        all += text.substr(token.begin, token.end - token.begin) + "\n";
    }
    return all;
}

std::multiset<std::string> comments_of(const std::string &text) {
    const SourceFile file{"test.conv", text};
    Diagnostics diagnostics;
    std::multiset<std::string> all;
    for (const ast::Comment &comment : tokenize(file, diagnostics).comments) all.insert(comment.text);
    return all;
}

class FormatterFileTest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(FormatterFileTest, IsIdempotentAndLosesNothing) {
    const std::string text = read(GetParam());
    const std::string once = format(text);
    EXPECT_EQ(once, format(once));
    EXPECT_EQ(tokens_of(text), tokens_of(once));
    EXPECT_EQ(comments_of(text), comments_of(once));
}

// Every .conv file in the repository that has no errors.
std::vector<std::filesystem::path> good_files() {
    std::vector<std::filesystem::path> files;
    for (const char *folder : {"tests/syntax/testdata", "tests/sema/testdata", "examples", "bench"}) {
        if (!std::filesystem::exists(source_folder / folder)) continue;
        for (const std::filesystem::path &file : file_test::files_in(source_folder / folder)) {
            if (!file.filename().string().starts_with("fail_")) files.push_back(file);
        }
    }
    return files;
}

INSTANTIATE_TEST_SUITE_P(Files, FormatterFileTest, testing::ValuesIn(good_files()), [](const auto &test) {
    return file_test::test_name(std::filesystem::relative(test.param, source_folder).string());
});

TEST(Formatter, KeepsTheExamplesOfTheLanguage) {
    const std::string text = read(source_folder / "tests/syntax/testdata/language.conv");
    const std::string without_checks = text.substr(0, text.find("# CHECK"));
    EXPECT_EQ(without_checks, format(without_checks));
}

TEST(Formatter, BreaksALayerThatDoesNotFitOnALine) {
    const std::string head = "layer a(x: f32 nhwc[1, 56, 56, 24]) =";
    const std::string first = "conv(24, 1x1) + bias + relu";
    const std::string fits = "conv(24, 1x1, 11) + bias + relu";  // the line has 100 columns
    EXPECT_EQ(format(head + first + "->" + fits), head + " " + first + " -> " + fits + "\n");
    const std::string too_long = "conv(24, 1x1, 111) + bias + relu";
    EXPECT_EQ(format(head + first + "->" + too_long), head + "\n    " + first + "\n -> " + too_long + "\n");
}

TEST(Formatter, GivesEachRowOfLongWeightsALine) {
    const std::string row = "[1/1024, 22/1024, 333/1024, 4444/1024]";
    const std::string head = "layer a(x: f32 nhwc[1, 9, 9, 1]) =";
    const std::string plane = "[" + row + "," + row + "," + row + "]";
    EXPECT_EQ(format(head + "conv(1, 3x4, weights=" + plane + ", pad=1) + relu"),
              head + "\n    conv(1, 3x4, weights=[" + row + ",\n" + std::string(26, ' ') + row + ",\n" +
                  std::string(26, ' ') + row + "], pad=1) + relu\n");
    const std::string volume = format(head + "f(w=[" + plane + "," + plane + "])");
    EXPECT_EQ(volume.substr(head.size()), "\n    f(w=[[" + row + ",\n          " + row + ",\n          " + row +
                                              "],\n         [" + row + ",\n          " + row + ",\n          " + row +
                                              "]])\n");
    EXPECT_EQ(volume, format(volume));
}

TEST(Formatter, NormalisesSpaceLineBreaksAndBlankLines) {
    EXPECT_EQ(format("\n\n\nlet a=1\r\n\r\n\r\n\r\nlet   b = a*  2+1"), "let a = 1\n\nlet b = a*2 + 1\n");
    EXPECT_EQ(format("let a = 1 let b = 2"), "let a = 1\nlet b = 2\n");
    EXPECT_EQ(format(""), "");
    EXPECT_EQ(format("# only a comment"), "# only a comment\n");
}

TEST(Formatter, KeepsBracketsThatCarryMeaning) {
    EXPECT_EQ(format("let a = (1+2)*3-(4-5)"), "let a = (1 + 2)*3 - (4 - 5)\n");
    EXPECT_EQ(format("let a = - -1--(2)"), "let a = --1 - -(2)\n");
    EXPECT_EQ(format("let a = ((1))"), "let a = (1)\n");
}

TEST(Formatter, PutsCommentsOnWholeLinesOrBehindPieces) {
    EXPECT_EQ(format("layer a(x: f32 nhwc[1,2,3,4]) = # head\n conv(1, # inner\n 3x3) # first\n # own\n -> # arrow\n "
                     "shuffle(2) # last\n"),
              "layer a(x: f32 nhwc[1, 2, 3, 4]) =  # head\n"
              "    # inner\n"
              "    conv(1, 3x3)  # first\n"
              "    # own\n"
              "    # arrow\n"
              " -> shuffle(2)  # last\n");
}

}  // namespace
}  // namespace convc
