#include "compiler/driver/schedules_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "compiler/driver/files.h"

namespace convc {
namespace {

constexpr const char *head =
    "# Found by convc tune; counts where the file of layers beside it has no schedule of its own.\n";

std::string statement(const FoundSchedule &found) {
    return fmt::format("schedule {} on \"{}\" = {}", found.layer, found.target, print_schedules(found.schedules));
}

const PinnedSchedule *statement_in_file(const CheckedModule &module, const FoundSchedule &found) {
    for (const PinnedSchedule &pinned : module.schedules) {
        if (pinned.beside && pinned.layer == found.layer && pinned.target == found.target) return &pinned;
    }
    return nullptr;
}

}  // namespace

std::string with_schedules(const SourceFile &file, const CheckedModule &module,
                           const std::vector<FoundSchedule> &found) {
    std::string text = file.text.empty() ? head : file.text;
    if (text.back() != '\n') text += '\n';
    std::vector<std::pair<SourceRange, std::string>> replacements;
    for (const FoundSchedule &each : found) {
        if (const PinnedSchedule *old = statement_in_file(module, each)) {
            replacements.emplace_back(old->range, statement(each));
        } else {
            text += statement(each) + "\n";
        }
    }
    // From the end, so that the ranges before stay right.
    std::sort(replacements.begin(), replacements.end(),
              [](const auto &a, const auto &b) { return a.first.begin > b.first.begin; });
    for (const auto &[range, with] : replacements) text.replace(range.begin, range.end - range.begin, with);
    return text;
}

namespace {

// Held while it lives; the layers' own file serves, which nobody else locks.
class FileLock {
public:
    explicit FileLock(const std::string &path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (file_ >= 0) (void)::flock(file_, LOCK_EX);  // where a file system knows no locks, nobody waits
    }
    ~FileLock() {
        if (file_ >= 0) ::close(file_);
    }
    FileLock(const FileLock &) = delete;
    FileLock &operator=(const FileLock &) = delete;

private:
    int file_;
};

}  // namespace

Status add_to_schedules_file(Session &session, const std::string &argument, const FoundSchedule &found) {
    const std::string layers = read_argument(argument).text;
    const FileLock lock(layers);
    const Result<Program> program = session.check(argument);
    if (!program) return program.error();
    return write_file(schedules_file_of(layers), with_schedules(program->schedules, program->module, {found}));
}

Status add_to_statements(const std::string &file, const FoundSchedule &found) {
    std::string text = head;
    if (std::error_code error; std::filesystem::is_regular_file(file, error)) {
        Result<std::string> before = read_file(file);
        if (!before) return before.error();
        text = *std::move(before);
    }
    const std::string line = statement(found) + "\n", start = line.substr(0, line.find('='));
    const size_t old = text.starts_with(start) ? 0 : text.find("\n" + start);
    if (old == std::string::npos) return write_file(file, text + line);
    const size_t begin = old == 0 ? 0 : old + 1;
    return write_file(file, text.replace(begin, text.find('\n', begin) + 1 - begin, line));
}

std::string schedules_file_of(const std::string &file) {
    return std::filesystem::path(file).replace_extension(".schedules").string();
}

}  // namespace convc
