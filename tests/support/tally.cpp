#include "tests/support/tally.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>

namespace convc::test {
namespace {

// "direct(...) -> depthwise(...)" names two.
std::set<std::string> algorithms_of(const std::string &schedules) {
    std::set<std::string> names;
    size_t start = 0;
    while (start < schedules.size()) {
        const size_t open = schedules.find('(', start);
        if (open == std::string::npos) break;
        names.insert(schedules.substr(start, open - start));
        const size_t arrow = schedules.find(" -> ", open);
        if (arrow == std::string::npos) break;
        start = arrow + 4;
    }
    return names;
}

// One write, so that processes side by side do not cut each other's lines.
void append(const char *path, const std::string &line) {
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const bool written = file >= 0 && write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    if (file >= 0) close(file);
    if (!written) std::fprintf(stderr, "cannot append to %s, which CONVC_TEST_TALLY names\n", path);
}

class WrittenAtExit : public Tally {
public:
    WrittenAtExit() = default;
    WrittenAtExit(const WrittenAtExit &) = delete;
    WrittenAtExit &operator=(const WrittenAtExit &) = delete;
    ~WrittenAtExit() {
        const char *path = std::getenv("CONVC_TEST_TALLY");
        const std::string line = json();
        if (path != nullptr && !line.empty()) append(path, line + "\n");
    }
};

}  // namespace

void Tally::compared(const convc_kernel_info &kernel, const std::string &oracle) {
    if (kernel.target == nullptr) return;
    const std::lock_guard lock(mutex_);
    Row &row = rows_[oracle];
    row.layers.insert(kernel.layer);
    row.algorithms.merge(algorithms_of(kernel.schedule));
    // Only their number is of interest, and there may be a hundred thousand.
    const std::string kernel_key = std::string(kernel.layer) + "\n" + kernel.schedule + "\n" + kernel.target;
    row.kernels.insert(std::to_string(std::hash<std::string>()(kernel_key)));
    row.targets.insert(kernel.target);
    row.layouts.insert(kernel.inputs[0].layout);
    row.outputs++;
}

void Tally::refused(const std::string &why) {
    const std::lock_guard lock(mutex_);
    refused_[why]++;
}

std::string Tally::json() const {
    const std::lock_guard lock(mutex_);
    if (rows_.empty() && refused_.empty()) return {};
    nlohmann::json compared = nlohmann::json::object();
    for (const auto &[oracle, row] : rows_) {
        compared[oracle] = {{"layers", row.layers},   {"algorithms", row.algorithms}, {"kernels", row.kernels},
                            {"targets", row.targets}, {"layouts", row.layouts},       {"outputs", row.outputs}};
    }
    return nlohmann::json{{"compared", compared}, {"refused", refused_}}.dump();
}

Tally &tally() {
    static WrittenAtExit process;
    return process;
}

}  // namespace convc::test
