// What `explain --plan` says: for each group of stages the algorithms considered, the one taken, and why not each
// other.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "compiler/plan/plan.h"
#include "convc/status.h"

namespace convc {

// How reports name a group: "stage 0", "stages 1 to 2"; [0], [1, 2].
std::string stages_text(int first, int count);
nlohmann::ordered_json stages_json(int first, int count);

// `plan` is what the planner said of the layer for this target: a plan, or why there is none. What its code takes of a
// GPU is compiled for it.
std::string plan_text(const Result<Plan> &plan, const Target &target);

// {target, origin, groups [{stages, schedule, knobs [{name, value, low, high, meaning}], notes
// [text], considered [{algorithm, taken, reason}]}]}; or {target, refusal}. For CUDA, where ptxas is installed, a group
// has `device` [{function, threads, registers, shared_bytes, spilled_bytes, resident_blocks, occupancy}] too.
nlohmann::ordered_json plan_json(const Result<Plan> &plan, const Target &target);

}  // namespace convc
