// Layer to Plan: which stages become one kernel, by which algorithm, with which knobs. Pinned schedules win over tuned
// ones, those over what comes with convc, and that over default_schedule(). No Halide here.
#pragma once

#include <string>
#include <vector>

#include "compiler/sema/sema.h"
#include "convc/layer.h"
#include "convc/schedule.h"
#include "convc/status.h"
#include "convc/target.h"

namespace convc {

struct Refusal {
    std::string algorithm;
    std::string reason;
};

struct PlannedGroup {
    int first_stage = 0;
    int stage_count = 1;
    Schedule schedule;
    std::vector<Refusal> refusals;  // the algorithms that were considered before the one taken
};

struct Plan {
    enum class Origin { pinned, tuned, shipped, standard };
    Layer layer;
    Target target;
    std::vector<PlannedGroup> groups;
    Origin origin = Origin::standard;

    std::vector<Schedule> schedules() const;
    const char *origin_name() const;  // "pinned", "tuned", "shipped", "default"
};

// What users get without a schedule of their own: the shipped schedule of this layer and target, or the default.
Result<Plan> make_best_plan(const Layer &layer, const Target &target);

// Of default_schedule() alone. The error's message names the stage for which there is no kernel yet and what each
// algorithm said.
Result<Plan> make_plan(const Layer &layer, const Target &target);

// A plan with these groups' schedules: of a `schedule` statement, or of a tuner. An unknown algorithm, an unknown,
// missing or out-of-range knob, or an algorithm that refuses the stages is an error that names it.
Result<Plan> make_pinned_plan(const Layer &layer, const Target &target, const std::vector<Schedule> &groups);

// How well the target that a schedule was made for fits the one at hand: 0 not at all, up to 4 with the same CPU model
// and as many threads.
int target_fit(const std::string &made_for, const Target &target);

// Picks among a module's statements the one for this layer and target (exact target string; CPU model and threads break
// ties); nullptr when there is none.
const PinnedSchedule *find_pinned(const CheckedModule &module, const Layer &layer, const Target &target);

}  // namespace convc
