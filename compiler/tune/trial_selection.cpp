#include "compiler/tune/trial_selection.h"

namespace convc {

bool TrialSelection::selects_all() const {
    return !layer && !target && !machine && !build && !other_build && !finished_before && !failures;
}

bool TrialSelection::selects(const Trial &trial) const {
    const TrialKey &key = trial.key;
    if (layer && !std::regex_search(key.layer, *layer)) return false;
    if (target && key.target != *target && !key.target.starts_with(*target + " ")) return false;
    if (machine && key.machine != *machine) return false;
    if (build && key.build.find(*build) == std::string::npos) return false;
    if (other_build && key.build == *other_build) return false;
    if (finished_before && trial.finished >= *finished_before) return false;
    return !failures || trial.outcome != TrialOutcome::measured;
}

std::vector<Trial> selected_of(std::vector<Trial> trials, const TrialSelection &selection) {
    std::erase_if(trials, [&](const Trial &trial) { return !selection.selects(trial); });
    return trials;
}

}  // namespace convc
