// A run of the tuner that nobody made, with times, failures and schedules as real runs have them.
#pragma once

#include <cstdint>

#include "compiler/tune/tune_report.h"

namespace convc {

// Layers of some families, each with so many trials; some gain, some do not. Equal arguments make equal runs.
TuneReport made_up_run(size_t layers, size_t trials);

}  // namespace convc
