// Rendering: columns under tabs and UTF-8, windows on long lines, limits, JSON; and that no kind of diagnostic is
// untested.
#include "compiler/syntax/diagnostics.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "compiler/syntax/diagnostic_kinds.h"

namespace convc {
namespace {

constexpr DiagnosticKind<std::string> wrong{"wrong", Severity::error, "'{}' is wrong"};

SourceRange find(const SourceFile &file, std::string_view part) {
    const auto begin = static_cast<uint32_t>(file.text.find(part));
    return {begin, begin + static_cast<uint32_t>(part.size())};
}

std::string render(const std::string &text, std::string_view part) {
    const SourceFile file{"a.conv", text};
    Diagnostics diagnostics;
    diagnostics.report(find(file, part), wrong, std::string(part));
    return render_text(file, diagnostics, false);
}

TEST(Diagnostics, PointAtTheRange) {
    EXPECT_EQ(render("let a = 1\nlet bad = 2\n", "bad"),
              "a.conv:2:5: error: 'bad' is wrong [wrong]\n"
              "let bad = 2\n"
              "    ^~~\n");
}

TEST(Diagnostics, CountATabAsOneCharacterAndDrawItAsEight) {
    EXPECT_EQ(render("a\tb\tbad\n", "bad"),
              "a.conv:1:5: error: 'bad' is wrong [wrong]\n"
              "a       b       bad\n"
              "                ^~~\n");
}

TEST(Diagnostics, CountCharactersAndDrawTheirWidth) {
    EXPECT_EQ(render("größe 大 bad\n", "bad"),
              "a.conv:1:9: error: 'bad' is wrong [wrong]\n"
              "größe 大 bad\n"
              "         ^~~\n");
    EXPECT_EQ(render("\xff\x01 bad\r\n", "bad"),
              "a.conv:1:4: error: 'bad' is wrong [wrong]\n"
              "<ff><01> bad\n"
              "         ^~~\n");
}

TEST(Diagnostics, ShowAWindowOfALongLine) {
    const std::string text = render(std::string(5000000, 'a') + " bad " + std::string(5000000, 'b'), "bad");
    EXPECT_LT(text.size(), 500U);
    EXPECT_NE(text.find(":1:5000002: error"), std::string::npos);
    EXPECT_NE(text.find("...aaa"), std::string::npos);
    EXPECT_NE(text.find(" bad bbb"), std::string::npos);
}

TEST(Diagnostics, StandAtTheEndOfTheText) {
    const SourceFile file{"a.conv", "let a ="};
    Diagnostics diagnostics;
    diagnostics.report({7, 7}, wrong, "end");
    diagnostics.report({99, 120}, wrong, "behind the end");
    EXPECT_EQ(render_text(file, diagnostics, false),
              "a.conv:1:8: error: 'end' is wrong [wrong]\n"
              "let a =\n"
              "       ^\n"
              "a.conv:1:8: error: 'behind the end' is wrong [wrong]\n"
              "let a =\n"
              "       ^\n");
    EXPECT_NE(render_text({"a.conv", ""}, diagnostics, false).find("a.conv:1:1: error"), std::string::npos);
}

TEST(Diagnostics, ShowNotesAndFixits) {
    const SourceFile file{"a.conv", "let bad = 2\n"};
    Diagnostics diagnostics;
    const SourceRange range = find(file, "bad");
    diagnostics.report(range, wrong, "bad").note(find(file, "2"), "see here").note("and this").fixit(range, "good");
    EXPECT_EQ(render_text(file, diagnostics, false),
              "a.conv:1:5: error: 'bad' is wrong [wrong]\n"
              "let bad = 2\n"
              "    ^~~\n"
              "    good\n"
              "a.conv:1:11: note: see here\n"
              "let bad = 2\n"
              "          ^\n"
              "a.conv: note: and this\n");
}

TEST(Diagnostics, ComeInSourceOrderAndAreLimited) {
    const SourceFile file{"a.conv", std::string(300, 'x')};
    Diagnostics diagnostics;
    for (uint32_t i = 300; i > 0; i--) diagnostics.report({i - 1, i}, wrong, "x");
    const std::string text = render_text(file, diagnostics, false, 2);
    EXPECT_LT(text.find("a.conv:1:1:"), text.find("a.conv:1:2:"));
    EXPECT_NE(text.find("a.conv: 298 more not shown\n"), std::string::npos);
}

TEST(Diagnostics, KeepABoundedNumberAndCountTheRest) {
    Diagnostics diagnostics;
    for (size_t i = 0; i < Diagnostics::max_kept + 5; i++) diagnostics.report({}, wrong, "x").note("n").fixit({}, "f");
    EXPECT_EQ(diagnostics.errors(), Diagnostics::max_kept + 5);
    EXPECT_EQ(diagnostics.all().size(), Diagnostics::max_kept);
}

TEST(Diagnostics, AreColouredOnRequestOnly) {
    const SourceFile file{"a.conv", "bad"};
    Diagnostics diagnostics;
    diagnostics.report({0, 3}, wrong, "bad");
    EXPECT_EQ(render_text(file, diagnostics, false).find('\x1b'), std::string::npos);
    EXPECT_NE(render_text(file, diagnostics, true).find('\x1b'), std::string::npos);
}

TEST(Diagnostics, AreJson) {
    const SourceFile file{"a\xff.conv", "let a = 1\nlet bäd = 2\n"};
    Diagnostics diagnostics;
    const SourceRange range = find(file, "bäd");
    diagnostics.report(range, wrong, "bäd").note(range, "here").fixit(range, "good");
    const auto json = nlohmann::json::parse(render_json(file, diagnostics));
    EXPECT_EQ(json["errors"], 1);
    const auto &first = json["diagnostics"].at(0);
    EXPECT_EQ(first["id"], "wrong");
    EXPECT_EQ(first["severity"], "error");
    EXPECT_EQ(first["line"], 2);
    EXPECT_EQ(first["column"], 5);
    EXPECT_EQ(first["end_column"], 8);
    EXPECT_EQ(first["notes"].at(0)["message"], "here");
    EXPECT_EQ(first["fixits"].at(0)["replacement"], "good");
}

TEST(Diagnostics, QuoteTheSourceSafely) {
    EXPECT_EQ(excerpt("conv"), "conv");
    EXPECT_EQ(excerpt("a\xff\n"), "a\\xff\\x0a");
    EXPECT_EQ(excerpt(std::string(1000, 'a')), std::string(40, 'a') + "...");
}

std::string read(const std::filesystem::path &file) {
    std::ifstream stream(file, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

// The ids that a header declares, and those that the CHECK lines of a folder's files show.
std::set<std::string> matches(const std::string &text, const std::regex &pattern) {
    std::set<std::string> all;
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
        all.insert((*match)[1].str());
    }
    return all;
}

TEST(Diagnostics, EachKindIsShownByAFileTest) {
    const std::filesystem::path root = CONVC_SOURCE_FOLDER;
    const std::set<std::string> declared =
        matches(read(root / "compiler/syntax/diagnostic_kinds.h"), std::regex("\"([a-z0-9-]+)\",\\s*Severity::"));
    std::set<std::string> shown{"source-too-large"};  // 16 MiB of text: parser_test.cpp
    for (const auto &entry : std::filesystem::directory_iterator(root / "tests/syntax/testdata")) {
        shown.merge(matches(read(entry.path()), std::regex("# CHECK:STDERR: .* \\[([a-z0-9-]+)\\]\n")));
    }
    EXPECT_GT(declared.size(), 30U);
    for (const std::string &id : declared) EXPECT_TRUE(shown.contains(id)) << id << " is shown by no file test";
}

}  // namespace
}  // namespace convc
