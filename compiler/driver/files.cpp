#include "compiler/driver/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <system_error>
#include <vector>

namespace convc {
namespace {

Error system_error(std::string_view doing, const std::filesystem::path &path, int code) {
    return {Failure::environment,
            fmt::format("cannot {} '{}': {}", doing, path.string(), std::generic_category().message(code))};
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;

    int get() const { return fd_; }
    int close() { return ::close(std::exchange(fd_, -1)); }

private:
    int fd_;
};

// 0, or errno.
int read_all(int fd, std::string &bytes) {
    constexpr size_t chunk = 1 << 20;
    size_t used = bytes.size();
    while (true) {
        if (bytes.size() < used + chunk) bytes.resize(used + chunk);
        const ssize_t got = ::read(fd, bytes.data() + used, bytes.size() - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) break;
        used += static_cast<size_t>(got);
    }
    bytes.resize(used);
    return 0;
}

// 0, or errno.
int write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        bytes.remove_prefix(static_cast<size_t>(put));
    }
    return 0;
}

// The temporary file that a signal has to remove. One at a time: `writing` serialises write_file().
std::mutex writing;
std::array<char, 4096> pending_path{};
std::atomic<bool> pending = false;
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler reads it");

void set_pending(const std::string &path) {
    if (path.size() >= pending_path.size()) return;  // longer than PATH_MAX: it cannot be created either
    std::memcpy(pending_path.data(), path.c_str(), path.size() + 1);
    pending = true;
}

extern "C" void remove_pending_and_die(int signal) {
    const int before = errno;  // the caller's, should the signal be blocked and this return
    if (pending) ::unlink(pending_path.data());
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    errno = before;
}

mode_t default_mode() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return 0666 & ~mask;
}

int fill_and_sync(Descriptor &file, std::string_view bytes, mode_t mode) {
    if (const int code = write_all(file.get(), bytes)) return code;
    if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) return errno;
    return file.close() == 0 ? 0 : errno;
}

Status write_in_place(const std::filesystem::path &path, std::string_view bytes) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0) return system_error("write", path, errno);
    if (const int code = write_all(file.get(), bytes)) return system_error("write", path, code);
    return {};
}

Status replace_file(const std::filesystem::path &path, std::string_view bytes, mode_t mode) {
    const std::lock_guard lock(writing);
    const std::string name = fmt::format(".{}.{}.tmp", path.filename().string(), ::getpid());
    const std::string temporary = (path.parent_path() / name).string();
    set_pending(temporary);  // before it exists, so that no signal falls in between
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) {
        const int code = errno;
        pending = false;
        return system_error("write", path, code);
    }
    int code = fill_and_sync(file, bytes, mode);
    if (code == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) code = errno;
    if (code != 0) ::unlink(temporary.c_str());
    pending = false;
    if (code != 0) return system_error("write", path, code);
    return {};
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path &path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return system_error("read", path, errno);
    struct stat facts{};
    std::string bytes;
    if (::fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode)) bytes.reserve(static_cast<size_t>(facts.st_size));
    if (const int code = read_all(file.get(), bytes)) return system_error("read", path, code);
    return bytes;
}

Result<std::string> read_standard_input() {
    std::string bytes;
    if (const int code = read_all(STDIN_FILENO, bytes)) return system_error("read", "standard input", code);
    return bytes;
}

Status write_file(const std::filesystem::path &path, std::string_view bytes) {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) return replace_file(path, bytes, default_mode());
    if (S_ISDIR(facts.st_mode)) return system_error("write", path, EISDIR);
    if (!S_ISREG(facts.st_mode)) return write_in_place(path, bytes);
    if (::access(path.c_str(), W_OK) != 0) return system_error("write", path, errno);
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (error) return system_error("write", path, error.value());
    return replace_file(real, bytes, facts.st_mode & 07777);
}

Status make_directory(const std::filesystem::path &path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return system_error("create the directory", path, error.value());
    if (!std::filesystem::is_directory(path, error)) return system_error("create the directory", path, ENOTDIR);
    return {};
}

void remove_temporary_files_on_signals() {
    for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
        struct sigaction action{};
        if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;  // nohup
        action = {};
        action.sa_handler = remove_pending_and_die;
        sigemptyset(&action.sa_mask);
        ::sigaction(signal, &action, nullptr);
    }
}

}  // namespace convc
