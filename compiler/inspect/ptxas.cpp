#include "compiler/inspect/ptxas.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <regex>
#include <sstream>

namespace convc {
namespace {

bool is_program(const std::filesystem::path &path) {
    return !path.empty() && ::access(path.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(path);
}

// A file of one's own that is gone at the end.
class ScratchFile {
public:
    ScratchFile() : descriptor_(::mkstemp(path_.data())) {}
    ~ScratchFile() {
        if (descriptor_ < 0) return;
        ::close(descriptor_);
        ::unlink(path_.c_str());
    }
    ScratchFile(const ScratchFile &) = delete;
    ScratchFile &operator=(const ScratchFile &) = delete;

    bool write(const std::string &text) const {
        for (size_t done = 0; done < text.size();) {
            const ssize_t written = ::write(descriptor_, text.data() + done, text.size() - done);
            if (written < 0 && errno != EINTR) return false;
            if (written > 0) done += static_cast<size_t>(written);
        }
        return true;
    }
    std::string read() const {
        std::string text;
        std::array<char, 4096> part{};
        ::lseek(descriptor_, 0, SEEK_SET);
        for (ssize_t got = 0; (got = ::read(descriptor_, part.data(), part.size())) > 0;) {
            text.append(part.data(), static_cast<size_t>(got));
        }
        return text;
    }
    const std::string &path() const { return path_; }
    int descriptor() const { return descriptor_; }

private:
    std::string path_ = (std::filesystem::temp_directory_path() / "convc-XXXXXX").string();  // mkstemp()'s template
    int descriptor_;
};

// The exit status, or -1 where it could not be run; what it says goes to `report`.
int run(std::vector<std::string> arguments, const ScratchFile &report) {
    std::vector<char *> pointers;
    pointers.reserve(arguments.size() + 1);
    for (std::string &argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
        posix_spawn_file_actions_adddup2(&actions, report.descriptor(), descriptor);
    }
    pid_t process = -1;
    const int failed = posix_spawn(&process, pointers[0], &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return -1;
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

std::optional<std::filesystem::path> find_ptxas() {
    if (const char *chosen = std::getenv("CONVC_PTXAS")) {
        return is_program(chosen) ? std::optional<std::filesystem::path>(chosen) : std::nullopt;
    }
    const char *path = std::getenv("PATH");
    std::istringstream folders(std::string(path ? path : "") + ":/usr/local/cuda/bin");
    for (std::string folder; std::getline(folders, folder, ':');) {
        std::filesystem::path program = std::filesystem::path(folder) / "ptxas";
        if (!folder.empty() && is_program(program)) return program;
    }
    return std::nullopt;
}

Result<std::vector<AssembledFunction>> assemble_ptx(const std::filesystem::path &ptxas, const std::string &ptx,
                                                    int capability) {
    const ScratchFile source, report;
    if (source.descriptor() < 0 || report.descriptor() < 0 || !source.write(ptx))
        return Error{Failure::environment, "cannot write a temporary file for ptxas"};
    const int status =
        run({ptxas.string(), "-v", fmt::format("-arch=sm_{}", capability), source.path(), "-o", "/dev/null"}, report);
    const std::string said = report.read();
    if (status == 0) return read_ptxas_report(said);
    const std::string first = said.substr(0, said.find('\n'));
    return Error{Failure::environment, fmt::format("{} failed: {}", ptxas.string(), first)};
}

std::vector<AssembledFunction> read_ptxas_report(const std::string &report) {
    static const std::regex begins("Compiling entry function '([^']*)'"), registers("Used (\\d+) registers"),
        shared("(\\d+) bytes smem"), spills("(\\d+) bytes spill stores");
    std::vector<AssembledFunction> all;
    std::istringstream lines(report);
    for (std::string line; std::getline(lines, line);) {
        std::smatch found;
        if (std::regex_search(line, found, begins)) all.push_back({found[1].str()});
        if (all.empty()) continue;
        const auto read = [&](const std::regex &pattern, int64_t &number) {
            if (std::regex_search(line, found, pattern)) number = std::atoll(found[1].str().c_str());
        };
        read(registers, all.back().registers);
        read(shared, all.back().shared_bytes);
        read(spills, all.back().spilled_bytes);
    }
    return all;
}

}  // namespace convc
