// A directory that only its user can write, and files in it that appear whole or not at all. The kernel cache's ground.
//
// Every operation opens the directory anew, looks at what it opened, and then works relative to that descriptor:
// neither a directory nor a file can be exchanged for another between the check and the use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convc/status.h"

namespace convc {

// Closes itself.
class FileDescriptor {
public:
    explicit FileDescriptor(int number) : number_(number) {}
    FileDescriptor(FileDescriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
    FileDescriptor &operator=(FileDescriptor &&) = delete;
    ~FileDescriptor();

    explicit operator bool() const { return number_ >= 0; }
    int number() const { return number_; }
    bool close();  // false: what was written may be lost

private:
    int number_;
};

struct DirectoryEntry {
    std::string name;
    uint64_t bytes;
    int64_t age_seconds;  // since the last change
};

class PrivateDirectory {
public:
    // Fails when the directory is missing, is not the user's own or can be written by others.
    static Result<PrivateDirectory> open(const std::filesystem::path &path);

    // Makes the directory, and those above it that are missing, for the user alone (0700).
    static Status create(const std::filesystem::path &path);

    // The whole file; nullopt when it is not a regular file of the user's own that only the user can write, has more
    // than `limit` bytes or cannot be read. Follows no symbolic link.
    std::optional<std::string> read(const std::string &name, uint64_t limit) const;

    // Writes a temporary file, syncs it, renames it over `name` and syncs the directory. On failure nothing is left.
    Status replace(const std::string &name, std::string_view bytes) const;

    bool remove(const std::string &name) const;
    std::vector<DirectoryEntry> regular_files() const;  // sorted by name

    // What replace() calls its files before they are whole; one outlives a process that was killed.
    static bool is_temporary(std::string_view name);

private:
    PrivateDirectory(FileDescriptor descriptor, std::filesystem::path path)
        : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

    FileDescriptor descriptor_;
    std::filesystem::path path_;  // for messages
};

}  // namespace convc
