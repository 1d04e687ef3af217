// A tensor's declaration: dtype, layout, extents.
#pragma once

#include <string_view>

#include "compiler/sema/draft.h"
#include "compiler/sema/evaluate.h"
#include "compiler/sema/reporter.h"

namespace convc::sema {

// broken: a syntax error may hide extents.
PartialTensor check_tensor(const ast::Tensor &tensor, bool broken, std::string_view name, Evaluator &evaluator,
                           Reporter &reporter);

// What a fully known PartialTensor says; unknown values become 1.
TensorType tensor_type(const PartialTensor &tensor);

}  // namespace convc::sema
