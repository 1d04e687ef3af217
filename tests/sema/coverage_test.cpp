// Every kind of diagnostic that sema_diagnostics.h declares is shown by a file test, or by a test named here.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace convc {
namespace {

const std::filesystem::path root = CONVC_SOURCE_FOLDER;

std::string read(const std::filesystem::path &file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

std::set<std::string> matches(const std::string &text, const std::regex &pattern) {
    std::set<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) found.insert((*at)[1]);
    return found;
}

TEST(Diagnostics, EveryKindIsShownByAFileTest) {
    const std::string header = read(root / "compiler/sema/sema_diagnostics.h");
    const std::set<std::string> declared = matches(header, std::regex("\"([a-z0-9-]+)\",\\s*Severity::"));
    ASSERT_GT(declared.size(), 50U);
    std::string files;
    for (const auto &entry : std::filesystem::directory_iterator(root / "tests/sema/testdata")) files += read(entry);
    std::set<std::string> shown = matches(files, std::regex("CHECK:STDERR: .*\\[([a-z0-9-]+)\\]"));
    shown.insert("schedules-only");        // of a second file: SemaTest.AFileOfSchedulesHoldsNothingElse
    shown.insert("unknown-let-override");  // of the command line: SemaTest.LetOverrideOfNothing
    for (const std::string &id : declared) EXPECT_TRUE(shown.contains(id)) << id;
}

}  // namespace
}  // namespace convc
