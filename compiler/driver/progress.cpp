#include "compiler/driver/progress.h"

#include <fmt/format.h>

#include <cstdio>

namespace convc {
namespace {

constexpr auto patience = std::chrono::seconds(1);
constexpr const char *wipe_line = "\r\033[K";

}  // namespace

Progress::Progress(Console &console, std::string doing, size_t total)
    : enabled_(console.error_is_terminal() && console.diagnostic_format == DiagnosticFormat::text),
      doing_(std::move(doing)),
      total_(total) {}

Progress::~Progress() {
    if (drawn_) std::fputs(wipe_line, stderr);
}

void Progress::advance(const std::string &what) {
    constexpr size_t width = 30;
    constexpr size_t longest = 30;
    const std::lock_guard lock(mutex_);
    done_++;
    if (!enabled_ || std::chrono::steady_clock::now() - start_ < patience) return;
    const size_t filled = total_ ? width * done_ / total_ : width;
    std::fputs(fmt::format("{}{} [{:=<{}}{: <{}}] {}/{} {}", wipe_line, doing_, "", filled, "", width - filled, done_,
                           total_, what.substr(0, longest))
                   .c_str(),
               stderr);
    drawn_ = true;
}

}  // namespace convc
