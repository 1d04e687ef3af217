// What `explain --space` says: for each group of stages that one kernel can compute, the schedules that a tuner may
// try, and what became of the others.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "convc/layer.h"
#include "convc/target.h"

namespace convc {

std::string space_text(const Layer &layer, const Target &target);

// {target, spaces [{stages, algorithm, half_vectors, knobs [{name, low, high, meaning, values}], written, worthwhile,
// conflicts {KIND: count}, slow, left, first [{schedule, predicted_cycles}]}]}
nlohmann::ordered_json space_json(const Layer &layer, const Target &target);

}  // namespace convc
