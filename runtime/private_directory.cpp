// See private_directory.h.
#include "runtime/private_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <system_error>

namespace convc {
namespace {

constexpr std::string_view temporary_prefix = ".writing-";
constexpr mode_t others_write = S_IWGRP | S_IWOTH;

Error system_error(std::string_view what, const std::filesystem::path &path) {
    const int code = errno;
    return {Failure::environment,
            fmt::format("{} '{}': {}", what, path.string(), std::generic_category().message(code))};
}

bool belongs_to_user_alone(const struct stat &status) {
    return status.st_uid == geteuid() && (status.st_mode & others_write) == 0;
}

std::string random_name() {
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number) number = static_cast<uint64_t>(getpid());
    return fmt::format("{}{:016x}", temporary_prefix, number);
}

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

bool read_all(int file, std::string &bytes) {
    size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t got = ::read(file, bytes.data() + at, bytes.size() - at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += static_cast<size_t>(got);
    }
    return true;
}

// For the user alone whatever the umask says, and on the disk before it gets its name.
bool write_synced(FileDescriptor &file, std::string_view bytes) {
    return fchmod(file.number(), S_IRUSR | S_IWUSR) == 0 && write_all(file.number(), bytes) &&
           fsync(file.number()) == 0 && file.close();
}

}  // namespace

FileDescriptor::~FileDescriptor() {
    close();
}

bool FileDescriptor::close() {
    const int number = std::exchange(number_, -1);
    return number < 0 || ::close(number) == 0;
}

Result<PrivateDirectory> PrivateDirectory::open(const std::filesystem::path &path) {
    FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat status{};
    if (!descriptor || fstat(descriptor.number(), &status) != 0) return system_error("cannot open directory", path);
    if (status.st_uid != geteuid()) {
        return Error{Failure::environment, fmt::format("directory '{}' belongs to user {}, not to user {}",
                                                       path.string(), status.st_uid, geteuid())};
    }
    if ((status.st_mode & others_write) != 0) {
        return Error{Failure::environment,
                     fmt::format("directory '{}' can be written by others (mode {:04o}); `chmod go-w`"
                                 " makes it safe once its contents are known to be",
                                 path.string(), status.st_mode & 07777)};
    }
    return PrivateDirectory(std::move(descriptor), path);
}

Status PrivateDirectory::create(const std::filesystem::path &path) {
    std::filesystem::path so_far;
    for (const std::filesystem::path &part : path) {
        so_far /= part;
        if (mkdir(so_far.c_str(), S_IRWXU) == 0) continue;
        struct stat status{};
        const int reason = errno;
        if (stat(so_far.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;
        errno = reason;
        return system_error("cannot make directory", so_far);
    }
    return {};
}

std::optional<std::string> PrivateDirectory::read(const std::string &name, uint64_t limit) const {
    // O_NONBLOCK: a named pipe must not hang us.
    const FileDescriptor file(
        openat(descriptor_.number(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    if (!file || fstat(file.number(), &status) != 0) return std::nullopt;
    if (!S_ISREG(status.st_mode) || !belongs_to_user_alone(status)) return std::nullopt;
    if (static_cast<uint64_t>(status.st_size) > limit) return std::nullopt;
    std::string bytes(static_cast<size_t>(status.st_size), '\0');
    if (!read_all(file.number(), bytes)) return std::nullopt;
    return bytes;
}

Status PrivateDirectory::replace(const std::string &name, std::string_view bytes) const {
    const std::string temporary = random_name();
    FileDescriptor file(openat(descriptor_.number(), temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!file) return system_error("cannot create a file in", path_);
    if (!write_synced(file, bytes) ||
        renameat(descriptor_.number(), temporary.c_str(), descriptor_.number(), name.c_str()) != 0) {
        const Error error = system_error("cannot write", path_ / name);
        unlinkat(descriptor_.number(), temporary.c_str(), 0);
        return error;
    }
    if (fsync(descriptor_.number()) != 0) return system_error("cannot sync directory", path_);
    return {};
}

bool PrivateDirectory::remove(const std::string &name) const {
    return unlinkat(descriptor_.number(), name.c_str(), 0) == 0;
}

std::vector<DirectoryEntry> PrivateDirectory::regular_files() const {
    std::vector<DirectoryEntry> files;
    // A descriptor of its own: reading a directory moves its position.
    const int number = openat(descriptor_.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (number < 0) return files;
    const std::unique_ptr<DIR, decltype([](DIR *open) { closedir(open); })> stream(fdopendir(number));
    if (!stream) {
        ::close(number);
        return files;
    }
    const time_t now = std::time(nullptr);
    while (const dirent *entry = readdir(stream.get())) {
        struct stat status{};
        if (fstatat(number, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
        files.push_back({entry->d_name, static_cast<uint64_t>(status.st_size), now - status.st_mtime});
    }
    std::sort(files.begin(), files.end(), [](const auto &a, const auto &b) { return a.name < b.name; });
    return files;
}

bool PrivateDirectory::is_temporary(std::string_view name) {
    return name.starts_with(temporary_prefix);
}

}  // namespace convc
