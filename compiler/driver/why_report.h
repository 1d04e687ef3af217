// What `explain --plan --why` says: two schedules side by side, and what their inner loops do.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "compiler/driver/schedule_comparison.h"

namespace convc {

std::string why_text(const ScheduleComparison &comparison);

// {first, second}, each {schedule, origin, seconds, groups [{stages, schedule, knobs {NAME: value}, predicted_cycles,
// loop {function, offset, depth, instructions, fmas, multiply_adds, loads, stores, bytes_loaded, spill_loads,
// spill_stores, calls, selects, code_bytes, model {cpu, cycles, fma_cycles, instructions_per_cycle, uops, pressure
// {RESOURCE: cycles}}}}]}. predicted_cycles and loop are null where there are none; model is {unknown} where LLVM's
// cannot tell, which says why.
nlohmann::ordered_json why_json(const ScheduleComparison &comparison);

}  // namespace convc
