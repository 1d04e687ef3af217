#include "compiler/tune/trial.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace convc {

const char *outcome_name(TrialOutcome outcome) {
    constexpr std::array names{"measured", "rejected", "refused", "wrong", "crashed", "timed-out", "no-memory"};
    return names.at(static_cast<size_t>(outcome));
}

std::optional<TrialOutcome> outcome_named(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(TrialOutcome::no_memory); i++) {
        if (name == outcome_name(static_cast<TrialOutcome>(i))) return static_cast<TrialOutcome>(i);
    }
    return std::nullopt;
}

std::string no_outcome(std::string_view name) {
    return fmt::format("no outcome is called '{}'", name);
}

std::optional<std::string> flaw_of(const Trial &trial) {
    constexpr int64_t end_of_9999 = 253'402'300'799;  // what calendars print
    const auto is_amount = [](double value) { return std::isfinite(value) && value >= 0; };
    const TrialKey &key = trial.key;
    if (key.layer.empty() || key.target.empty() || key.build.empty() || key.schedule.empty()) {
        return "layer, target, build and schedule must not be empty";
    }
    if (!is_amount(trial.seconds) || !is_amount(trial.relative)) return "seconds and relative must not be negative";
    if (trial.outcome == TrialOutcome::measured && (trial.seconds == 0 || trial.relative == 0)) {
        return "a measured trial takes more than 0 seconds, and more than 0 times the default's time";
    }
    if (trial.workspace < 0) return "workspace must not be negative";
    if (trial.finished < 0 || trial.finished > end_of_9999) return "finished is no time from 1970 to 9999";
    return std::nullopt;
}

}  // namespace convc
