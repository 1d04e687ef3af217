// The one list of algorithms: those of CPUs, then those of GPUs, each best first. The first that accepts a group of
// stages is its default.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "schedules/algorithm.h"

namespace convc {

std::span<const Algorithm> schedule_table();

// Those of the target's kind.
inline std::span<const Algorithm> schedule_table(const Target &target) {
    const std::span<const Algorithm> all = schedule_table();
    const auto first = std::find_if(all.begin(), all.end(), [](const Algorithm &row) { return row.on_gpu; });
    return target.on_gpu() ? std::span(first, all.end()) : std::span(all.begin(), first);
}

const Algorithm *algorithm_named(std::string_view name);  // nullptr: there is none

}  // namespace convc
