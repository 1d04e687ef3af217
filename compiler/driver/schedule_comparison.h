// Two schedules of one layer beside one another: what the model predicts, what the machine code says, what is measured.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/inspect/inspect.h"
#include "compiler/plan/plan.h"
#include "convc/status.h"

namespace convc {

// One group of a plan's stages.
struct GroupFacts {
    int first_stage = 0;
    int stage_count = 1;
    Schedule schedule;
    std::optional<double> predicted;           // cycles of the slowest thread, where the algorithm has a model
    std::optional<InnerLoop> loop;             // the hottest, where there is one
    std::optional<Result<LoopCycles>> cycles;  // of the loop
};

struct ScheduleFacts {
    std::string schedules;  // of all groups
    std::string origin;     // "pinned" where it was given
    double seconds = 0;     // of a call
    std::vector<GroupFacts> groups;
};

struct ScheduleComparison {
    ScheduleFacts first, second;
};

// Compiles both for the machine at hand, and times them in turns.
Result<ScheduleComparison> compare_schedules(const Plan &first, const Plan &second);

}  // namespace convc
