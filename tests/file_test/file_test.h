// File tests: a .conv file is a test of what convc says about it. What it should say stands at the end of the file
// itself:
//
//     layer a(x: f32 nhwc[1, 8, 8, 4]) = convolve(8, 3x3)
//     # CHECK:STDERR: fail_unknown_stage.conv:1:38: error: ...
//     # CHECK:STDERR: ...
//
// A file named fail_*.conv must have errors; any other must have none. CHECK:STDOUT lines hold what the front end
// printed. The CHECK lines are taken off before the text is read, so they disturb neither line numbers nor the end of
// the file. CONVC_UPDATE_TESTS=1 in the environment rewrites them instead of comparing; look at the diff before
// committing it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/source.h"

namespace convc::file_test {

// Runs the phases under test, reports to the diagnostics, and returns what should be compared with CHECK:STDOUT.
using FrontEnd = std::function<std::string(const SourceFile &, Diagnostics &)>;

// The .conv files of a folder, sorted.
std::vector<std::filesystem::path> files_in(const std::filesystem::path &folder);

// A GoogleTest name: the path without the suffix, all but letters and digits made underscores.
std::string test_name(const std::filesystem::path &file);

// Runs one file and reports to GoogleTest.
void check_file(const std::filesystem::path &file, const FrontEnd &front_end);

}  // namespace convc::file_test
