// Runs testdata/*.conv through lexer, parser and formatter. The CHECK:STDOUT lines are the formatted text, so they also
// show what the parser understood.
#include <gtest/gtest.h>

#include <filesystem>

#include "compiler/syntax/formatter.h"
#include "compiler/syntax/parser.h"
#include "tests/file_test/file_test.h"

namespace convc {
namespace {

const std::filesystem::path testdata = std::filesystem::path(CONVC_SOURCE_FOLDER) / "tests/syntax/testdata";

std::string format(const SourceFile &file, Diagnostics &diagnostics) {
    const ast::Module module = parse_module(file, diagnostics);
    return diagnostics.has_errors() ? "" : format_module(file, module);
}

class SyntaxFileTest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(SyntaxFileTest, SaysWhatTheFileExpects) {
    file_test::check_file(GetParam(), format);
}

INSTANTIATE_TEST_SUITE_P(Files, SyntaxFileTest, testing::ValuesIn(file_test::files_in(testdata)),
                         [](const auto &test) { return file_test::test_name(test.param.filename()); });

}  // namespace
}  // namespace convc
