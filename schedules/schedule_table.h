// The one list of algorithms, best first: the first that accepts a group of stages is its default.
#pragma once

#include <span>
#include <string_view>

#include "schedules/algorithm.h"

namespace convc {

std::span<const Algorithm> schedule_table();
const Algorithm *algorithm_named(std::string_view name);  // nullptr: there is none

}  // namespace convc
