// One written stage to drafts: its arguments checked, defaults filled in, sugar expanded.
#pragma once

#include <optional>
#include <vector>

#include "compiler/sema/draft.h"
#include "compiler/sema/evaluate.h"
#include "compiler/sema/reporter.h"

namespace convc::sema {

// rank: of the tensor's space, where known. Empty when the stage's name is not known; that has been reported.
std::vector<StageDraft> read_stage(const ast::Stage &stage, std::optional<size_t> rank, Evaluator &evaluator,
                                   Reporter &reporter);

}  // namespace convc::sema
