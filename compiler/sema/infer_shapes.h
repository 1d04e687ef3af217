// Convolution arithmetic: a drafted stage and the tensor it reads to the Stage with its output's extents. What is not
// known of either stays unknown in the output, without a report.
#pragma once

#include "compiler/sema/draft.h"
#include "compiler/sema/reporter.h"
#include "convc/layer.h"

namespace convc::sema {

struct InferredStage {
    Stage stage;  // without epilogues; complete only where nothing was reported
    PartialTensor output;
};

InferredStage infer_stage(const StageDraft &draft, const PartialTensor &input, Reporter &reporter);

// Elements of a tensor or of weights, times 4 bytes, below 2^63; unknown and run-time factors count as 1.
bool fits_in_memory(const std::vector<Value> &factors);

}  // namespace convc::sema
