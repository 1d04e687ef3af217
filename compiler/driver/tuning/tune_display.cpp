#include "compiler/driver/tuning/tune_display.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "compiler/driver/verbs/speed_table.h"

namespace convc {
namespace {

constexpr const char *wipe_line = "\r\033[K";

std::string percent_of_roof(double roof_seconds, double seconds) {
    return roof_seconds > 0 && seconds > 0 ? fmt::format("{:.0f}", 100 * roof_seconds / seconds) : "?";
}

// 4:07, 1:02:03
std::string clock_time(double seconds) {
    const auto all = static_cast<long>(std::max(seconds, 0.0));
    const long hours = all / 3600, minutes = all / 60 % 60;
    return hours ? fmt::format("{}:{:02}:{:02}", hours, minutes, all % 60) : fmt::format("{}:{:02}", minutes, all % 60);
}

}  // namespace

TuneBar::TuneBar(const Console &console, std::string layer, const MachineRoofs &roofs, double seconds)
    : enabled_(console.error_is_terminal() && console.diagnostic_format == DiagnosticFormat::text),
      layer_(std::move(layer)),
      roofs_(roofs),
      seconds_(seconds) {}

TuneBar::~TuneBar() {
    if (enabled_) std::fputs(wipe_line, stderr);
}

// What ends the search first, the trials at the pace so far or the time, says what is left.
void TuneBar::show(const TuneProgress &progress) const {
    if (!enabled_ || progress.trials == 0) return;
    constexpr size_t width = 20, longest = 24;
    constexpr double day = 86400;
    const auto part_of = [](double part, double whole) { return whole > 0 ? std::clamp(part / whole, 0.0, 1.0) : 0; };
    const double by_trials = part_of(progress.trials, progress.most_trials);
    const double done = std::max(by_trials, part_of(progress.seconds, seconds_));
    const double left = std::min(seconds_ - progress.seconds, progress.seconds * (1 / std::max(by_trials, 1e-9) - 1));
    const auto filled = static_cast<size_t>(static_cast<double>(width) * done);
    const double best_seconds = progress.default_seconds * progress.relative;
    fmt::print(stderr, "{}{} [{:=<{}}{: <{}}] {} trials, {} failed, best {:.3f} x default, {} % of the roofline{}",
               wipe_line, layer_.substr(0, longest), "", filled, "", width - filled, progress.trials, progress.failures,
               progress.relative, percent_of_roof(roofline_seconds(*progress.part, roofs_), best_seconds),
               left < day ? fmt::format(", {} left", clock_time(left)) : "");
    std::fflush(stderr);
}

std::string tune_head() {
    return fmt::format("{:<32} {:>10} {:>10} {:>7} {:>7} {:>10} {:>7} {:>7} {:>8}  {}\n", "layer", "default ms",
                       "tuned ms", "gain", "noise %", "% roofline", "trials", "known", "failures", "schedule");
}

std::string tune_row(const TuneJob &job, const TunedLayer &tuned) {
    return fmt::format("{:<32} {:>10} {:>10} {:>7.3f} {:>7.1f} {:>10} {:>7} {:>7} {:>8}  {}\n", job.layer().name,
                       milliseconds(tuned.default_seconds), milliseconds(tuned.seconds),
                       tuned.default_seconds / tuned.seconds, 100 * tuned.noise,
                       percent_of_roof(job.roof_seconds, tuned.seconds), tuned.trials, tuned.known, tuned.failures,
                       tuned.improved ? print_schedules(tuned.schedules) : "default");
}

std::string tune_summary(const std::vector<TunedLayer> &all, double seconds) {
    if (all.empty()) return "";
    double logarithms = 0, noise = 0;
    int improved = 0, trials = 0;
    for (const TunedLayer &each : all) {
        logarithms += std::log(each.default_seconds / each.seconds);
        noise = std::max(noise, each.noise);
        improved += each.improved ? 1 : 0;
        trials += each.trials;
    }
    return fmt::format(
        "\n{} layer{}, {} faster than the default, geometric mean of the gains {:.3f}; {} trials in {}. Two timings "
        "of\n"
        "one kernel in turns lay up to {:.1f} % apart; a winner is 2 % faster or more.\n",
        all.size(), all.size() == 1 ? "" : "s", improved, std::exp(logarithms / static_cast<double>(all.size())),
        trials, clock_time(seconds), 100 * noise);
}

}  // namespace convc
