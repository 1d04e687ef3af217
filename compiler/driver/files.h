// Files in and out. Reading takes a file whole; writing is atomic: a reader sees the old file or the new one, never
// half of one, whenever the program is stopped.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "convc/status.h"

namespace convc {

// A directory, a missing file and an unreadable one are Failure::environment, with the reason.
Result<std::string> read_file(const std::filesystem::path &path);
Result<std::string> read_standard_input();

// Writes a temporary file beside `path`, syncs it and renames it over `path`. An existing file keeps its permissions
// and a symbolic link stays one. What is not a regular file (/dev/null, a pipe) is written to as it stands.
Status write_file(const std::filesystem::path &path, std::string_view bytes);

// Creates the directory and its parents where they are missing.
Status make_directory(const std::filesystem::path &path);

// From here on SIGINT, SIGTERM and SIGHUP remove the temporary file that is being written before they end the program.
void remove_temporary_files_on_signals();

}  // namespace convc
