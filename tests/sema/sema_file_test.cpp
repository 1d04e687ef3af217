// Runs testdata/*.conv through parser, semantic analysis and lints. The CHECK:STDOUT lines are the layers' canonical
// lines with their outputs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "compiler/sema/lints.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "tests/file_test/file_test.h"

namespace convc {
namespace {

const std::filesystem::path testdata = std::filesystem::path(CONVC_SOURCE_FOLDER) / "tests/sema/testdata";

std::string check(const SourceFile &file, Diagnostics &diagnostics) {
    const ast::Module module = parse_module(file, diagnostics);
    const CheckedModule checked = check_module(module, diagnostics);
    lint_module(checked, diagnostics);
    std::string text;
    for (const CheckedLayer &layer : checked.layers) {
        text += fmt::format("{} = {}\n    gives {}\n", layer.layer.name, layer.layer.canonical_line(),
                            print_tensor(layer.layer.output()));
    }
    for (const PinnedSchedule &schedule : checked.schedules) {
        text += fmt::format("schedule {} on \"{}\" = {}\n", schedule.layer, schedule.target,
                            print_schedules(schedule.groups));
    }
    return text;
}

class SemaFileTest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(SemaFileTest, SaysWhatTheFileExpects) {
    file_test::check_file(GetParam(), check);
}

INSTANTIATE_TEST_SUITE_P(Files, SemaFileTest, testing::ValuesIn(file_test::files_in(testdata)),
                         [](const auto &test) { return file_test::test_name(test.param.filename()); });

}  // namespace
}  // namespace convc
