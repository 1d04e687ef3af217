// The arithmetic along one spatial axis (Dumoulin & Visin, arXiv 1603.07285), with every overflow and impossible size
// diagnosed.
#pragma once

#include <optional>
#include <string_view>

#include "compiler/sema/draft.h"
#include "compiler/sema/reporter.h"

namespace convc::sema {

struct InferredAxis {
    Axis axis;
    Value padded;                   // a conv's input with its padding; may be runtime_extent
    Value output;                   // may be runtime_extent
    std::optional<int64_t> growth;  // output - input, where that is the same for every input
};

InferredAxis infer_axis(const StageDraft &stage, const AxisDraft &draft, Value input, std::string_view name,
                        Reporter &reporter);

}  // namespace convc::sema
