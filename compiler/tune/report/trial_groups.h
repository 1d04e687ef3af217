// A layer's trials as its pictures need them: by what was timed, which for a chain is every run of its stages.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/tune/tune_report.h"
#include "convc/schedule.h"

namespace convc {

struct NumberedTrial {
    size_t number = 1;  // within its group
    const Trial *trial = nullptr;
    bool known = false;
    bool measured = false;             // and its times are numbers
    std::optional<Schedule> schedule;  // none where the text is not that of one kernel
};

struct TrialGroup {
    std::string line;
    std::vector<NumberedTrial> trials{};
    std::optional<size_t> best{};      // the fastest, if any was measured
    std::optional<Schedule> winner{};  // the layer's schedule where it is one kernel, else the best
    bool used = true;                  // the layer's schedule has the best of this group
};

// At least one, which may be empty. They point into the layer.
std::vector<TrialGroup> trial_groups(const ReportedLayer &layer);

std::vector<NumberedTrial> measured_trials(const TrialGroup &group);

// "12 refused, 3 crashed", that breaks at commas alone; empty where nothing failed.
std::string failures_markup(const std::vector<MadeTrial> &trials);

// The algorithm, with what width of vectors: "direct", "direct, half vectors".
std::string algorithm_text(const Schedule &schedule);

// So many of them at most: the fastest half, and of the others some all along. They stay in their order.
std::vector<NumberedTrial> thinned(const std::vector<NumberedTrial> &trials, size_t most);

}  // namespace convc
