// Which consecutive stages of a layer can be one kernel: what is tuned on its own where a chain may be divided.
#pragma once

#include <vector>

#include "convc/layer.h"
#include "convc/target.h"

namespace convc {

struct StageRange {
    int first = 0, count = 1;
};

// By their first stage, the shorter ones first.
std::vector<StageRange> kernel_ranges(const Layer &layer, const Target &target);

}  // namespace convc
