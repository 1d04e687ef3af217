// See kernel_cache.h.
#include "runtime/kernel_cache.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "runtime/kernel_cache_entry.h"
#include "runtime/private_directory.h"

namespace convc {
namespace {

namespace fs = std::filesystem;

// A temporary file that is older belongs to no process that is still writing it.
constexpr int64_t abandoned_after_seconds = 3600;

// Far more than any kernel; a damaged file system must not make us ask for more memory than there is.
constexpr uint64_t entry_limit = uint64_t{1} << 30;

std::string environment(const char *name) {
    const char *value = std::getenv(name);
    return value == nullptr ? "" : value;
}

fs::path home_directory() {
    if (std::string home = environment("HOME"); !home.empty()) return home;
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd *found = nullptr;
    if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
    return found->pw_dir;
}

// Whether `bytes` are an entry that belongs under `name`.
bool is_sound(const std::string &name, const std::optional<std::string> &bytes) {
    if (!bytes) return false;
    const std::optional<KernelCacheEntry> entry = read_cache_entry(*bytes);
    return entry && cache_entry_name(entry->key) == name;
}

// Counts the entries of a directory; where they are read too, names those that are damaged.
CacheReport survey(const fs::path &path, bool read) {
    CacheReport report;
    const Result<PrivateDirectory> directory = PrivateDirectory::open(path);
    if (!directory) return report;
    for (const DirectoryEntry &file : directory->regular_files()) {
        if (!is_cache_entry_name(file.name)) continue;
        ++report.entries;
        report.bytes += file.bytes;
        if (read && !is_sound(file.name, directory->read(file.name, entry_limit)))
            report.damaged.push_back(path / file.name);
    }
    return report;
}

}  // namespace

fs::path KernelCache::default_directory() {
    if (std::string own = environment("CONVC_CACHE_DIR"); !own.empty()) return own;
    // The XDG base directory specification: a relative path is to be ignored.
    if (const fs::path cache = environment("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "convc";
    const fs::path home = home_directory();
    return home.empty() ? fs::path() : home / ".cache" / "convc";
}

Result<KernelCache> KernelCache::open(const fs::path &directory) {
    if (directory.empty()) {
        return Error{Failure::environment,
                     "no directory for the kernel cache: neither CONVC_CACHE_DIR nor HOME is set"};
    }
    std::error_code error;
    const fs::path absolute = fs::absolute(directory, error);  // stays right when the process changes its directory
    if (error) return Error{Failure::environment, "the current directory is gone"};
    if (Status status = PrivateDirectory::create(absolute); !status) return status.error();
    if (const auto opened = PrivateDirectory::open(absolute); !opened) return opened.error();
    return KernelCache(absolute);
}

std::optional<Kernel> KernelCache::find(const KernelKey &key) const {
    const Result<PrivateDirectory> directory = PrivateDirectory::open(directory_);
    if (!directory) return std::nullopt;
    const std::optional<std::string> bytes = directory->read(cache_entry_name(key), entry_limit);
    if (!bytes) return std::nullopt;
    std::optional<KernelCacheEntry> entry = read_cache_entry(*bytes);
    if (!entry || entry->key != key) return std::nullopt;
    return std::move(entry->kernel);
}

Status KernelCache::store(const KernelKey &key, const Kernel &kernel) const {
    // Somebody may have removed the whole directory since it was opened.
    if (Status status = PrivateDirectory::create(directory_); !status) return status;
    const Result<PrivateDirectory> directory = PrivateDirectory::open(directory_);
    if (!directory) return directory.error();
    return directory->replace(cache_entry_name(key), write_cache_entry({key, kernel}));
}

CacheReport KernelCache::report() const {
    return survey(directory_, false);
}

CacheReport KernelCache::verify() const {
    return survey(directory_, true);
}

Result<CacheReport> KernelCache::clear() const {
    const Result<PrivateDirectory> directory = PrivateDirectory::open(directory_);
    if (!directory) return directory.error();
    CacheReport removed;
    for (const DirectoryEntry &file : directory->regular_files()) {
        const bool abandoned = PrivateDirectory::is_temporary(file.name) && file.age_seconds > abandoned_after_seconds;
        if (!abandoned && !is_cache_entry_name(file.name)) continue;
        if (!directory->remove(file.name)) continue;
        removed.entries += abandoned ? 0 : 1;
        removed.bytes += file.bytes;
    }
    return removed;
}

}  // namespace convc
