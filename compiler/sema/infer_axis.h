// The arithmetic along one spatial axis (Dumoulin & Visin, arXiv 1603.07285), with every overflow and impossible size
// diagnosed.
#pragma once

#include <optional>

#include "compiler/sema/draft.h"
#include "compiler/sema/reporter.h"

namespace convc::sema {

struct InferredAxis {
    Axis axis;
    Value padded;                   // a conv's input with its padding; may be runtime_extent
    Value output;                   // may be runtime_extent
    std::optional<int64_t> growth;  // output - input, where that is the same for every input
    bool kernel_too_large = false;
};

// A kernel that is too large along one axis is often so along every one: it is reported once, unless
// `already_reported`.
InferredAxis infer_axis(const StageDraft &stage, size_t axis, Value input, bool already_reported, Reporter &reporter);

}  // namespace convc::sema
