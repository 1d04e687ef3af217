// A depthwise kernel's knobs, what limits them, and what the machine model chooses. Part of depthwise.cpp.
#pragma once

#include <optional>
#include <vector>

#include "schedules/algorithm.h"
#include "schedules/depthwise_shape.h"

namespace convc::depthwise {

std::vector<Knob> knobs(const StageGroup &group, const Target &target);
std::optional<Conflict> conflict(const KernelRequest &request);
Schedule default_schedule(const StageGroup &group, const Target &target);
double cycles(const KernelRequest &request);

}  // namespace convc::depthwise
