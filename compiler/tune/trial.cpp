#include "compiler/tune/trial.h"

#include <array>

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

}  // namespace convc
