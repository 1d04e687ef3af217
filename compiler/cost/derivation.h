// How a stage's output extents follow from its input's, written out in numbers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/cost/count.h"
#include "convc/layer.h"

namespace convc {

struct AxisDerivation {
    std::string name;   // depth, height or width
    int64_t input = 1;  // extents; runtime_extent where unknown
    int64_t output = 1;
    std::string kernel;            // k = 3
    std::string effective_kernel;  // k' = 3 + (3 - 1) * (2 - 1) = 5
    std::string extent;            // o = floor((7 + 0 + 0 - 3) / 1) + 1 = 5
};

// One a spatial axis; none for a shuffle.
std::vector<AxisDerivation> derive_axes(const Layer &layer, int stage);

const char *axis_name(int rank, size_t axis);

}  // namespace convc
