// The chain that sugar stands for. Axis by axis, padding and dilation go to every stage whose kernel is larger than 1
// there, stride to the first such stage, or to the first stage if none is; flip, pad_mode and precision to every
// convolution.
#pragma once

#include <vector>

#include "compiler/sema/draft.h"
#include "compiler/sema/reporter.h"
#include "compiler/sema/stage_arguments.h"

namespace convc::sema {

// `whole` holds the arguments as written. A stage that is no sugar expands to itself.
std::vector<StageDraft> expand_sugar(StageWord word, StageDraft whole, Reporter &reporter);

}  // namespace convc::sema
