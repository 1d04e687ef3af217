// The epilogues of one stage, and the tensors that add and mul read.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "compiler/sema/draft.h"
#include "compiler/sema/evaluate.h"
#include "compiler/sema/reporter.h"
#include "convc/layer.h"

namespace convc::sema {

// A tensor that the layer declares, and what its uses have shown.
struct InputDraft {
    std::string_view name;
    SourceRange range;
    PartialTensor type;
    const ast::Stage *first_use = nullptr;
    // The growth of the output it was first added to: its run-time extents can have only one value.
    std::vector<std::optional<int64_t>> growth;
};

// output: of the stage. Reads what is in order, reports the rest.
std::vector<Epilogue> read_epilogues(const ast::Stage &stage, const PartialTensor &output,
                                     std::vector<InputDraft> &inputs, Evaluator &evaluator, Reporter &reporter);

bool is_epilogue_name(std::string_view name);

}  // namespace convc::sema
