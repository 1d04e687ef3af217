#include "tests/file_test/file_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace convc::file_test {
namespace {

constexpr std::string_view stdout_prefix = "# CHECK:STDOUT:";
constexpr std::string_view stderr_prefix = "# CHECK:STDERR:";

std::string read(const std::filesystem::path &file) {
    std::ifstream stream(file, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

// Every line of `output` as a CHECK line.
std::string check_lines(std::string_view prefix, const std::string &output) {
    std::string lines;
    std::istringstream stream(output);
    for (std::string line; std::getline(stream, line);) {
        lines += prefix;
        if (!line.empty()) lines += " " + line;
        lines += '\n';
    }
    return lines;
}

// Where the CHECK lines begin.
size_t find_checks(const std::string &text) {
    const size_t first = std::min(text.find(stdout_prefix), text.find(stderr_prefix));
    return std::min(first, text.size());
}

}  // namespace

std::vector<std::filesystem::path> files_in(const std::filesystem::path &folder) {
    std::vector<std::filesystem::path> files;
    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".conv") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string test_name(const std::filesystem::path &file) {
    std::string name = (file.parent_path() / file.stem()).string();
    for (char &c : name) {
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    }
    return name;
}

void check_file(const std::filesystem::path &file, const FrontEnd &front_end) {
    const std::string whole = read(file);
    const size_t checks = find_checks(whole);
    const SourceFile source{file.filename().string(), whole.substr(0, checks)};
    Diagnostics diagnostics;
    const std::string printed = front_end(source, diagnostics);
    const bool should_fail = file.filename().string().starts_with("fail_");
    EXPECT_EQ(should_fail, diagnostics.has_errors()) << render_text(source, diagnostics, false);
    const std::string actual =
        check_lines(stdout_prefix, printed) + check_lines(stderr_prefix, render_text(source, diagnostics, false));
    if (std::getenv("CONVC_UPDATE_TESTS")) {
        if (whole.substr(checks) != actual) std::ofstream(file, std::ios::binary) << source.text << actual;
    } else {
        EXPECT_EQ(whole.substr(checks), actual) << "CONVC_UPDATE_TESTS=1 rewrites the CHECK lines";
    }
}

}  // namespace convc::file_test
