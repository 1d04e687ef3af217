// The winners of searches as a file of layers and schedules: what schedules/tuned/ holds.
#pragma once

#include <string>
#include <vector>

#include "compiler/tune/trial_summary.h"
#include "convc/layer.h"

namespace convc {

// For each layer of which some summary has a best trial that is 2 % faster than the default or more, its declaration
// and a `schedule` statement for each target. Layers with one canonical line are written once; a name that is taken
// gets a number.
std::string print_winners(const std::vector<const Layer *> &layers, const std::vector<TrialSummary> &summaries);

}  // namespace convc
