#include "compiler/driver/tuning/scratch_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace convc {
namespace {

namespace fs = std::filesystem;

constexpr const char *prefix = "convc-tune-";
constexpr const char *lock_name = "lock";

// A descriptor of the folder's lock, or -1.
int open_lock(const fs::path &folder, int flags) {
    return ::open((folder / lock_name).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

// A folder of this user's, which no one else can write.
bool is_ours(const fs::path &folder) {
    struct stat status{};
    return ::lstat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// What runs that were killed have left. One without a lock was killed between its folder and its lock, or is just
// there.
void remove_abandoned(const fs::path &where) {
    std::error_code error;
    for (const fs::directory_entry &entry : fs::directory_iterator(where, error)) {
        const fs::path &folder = entry.path();
        if (!folder.filename().string().starts_with(prefix) || !is_ours(folder)) continue;
        const int lock = open_lock(folder, 0);
        if (lock < 0) continue;
        if (::flock(lock, LOCK_EX | LOCK_NB) == 0) fs::remove_all(folder, error);
        ::close(lock);
    }
}

}  // namespace

ScratchFolder::ScratchFolder() {
    std::error_code error;
    const fs::path where = fs::temp_directory_path(error);
    if (error) return;
    remove_abandoned(where);
    std::string name = (where / prefix).string() + "XXXXXX";
    if (!::mkdtemp(name.data())) return;
    path_ = name;
    lock_ = open_lock(path_, O_CREAT);
    if (lock_ >= 0) (void)::flock(lock_, LOCK_EX);
}

ScratchFolder::~ScratchFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
    if (lock_ >= 0) ::close(lock_);
}

}  // namespace convc
