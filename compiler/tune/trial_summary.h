// What a database knows of a layer: the trials of one target, machine and build together, and the best of them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/tune/trial.h"

namespace convc {

struct TrialSummary {
    std::string layer, target, machine, build;  // of the trials' keys
    int trials = 0;
    std::map<TrialOutcome, int> failures;  // how many there are of each
    int64_t newest = 0;                    // when the last of them finished
    std::optional<Trial> best;  // of those measured: in the least time to the default's, as the search has it
};

enum class SummaryOrder { newest_layer_first, by_layer };

// One for each layer, target, machine and build; all of a layer behind one another.
std::vector<TrialSummary> summarise(const std::vector<Trial> &trials, SummaryOrder order);

}  // namespace convc
