// weights=[...]: constants nested in the kernel's shape, or flat where at most one axis of the kernel exceeds 1.
#pragma once

#include <optional>
#include <vector>

#include "compiler/sema/evaluate.h"
#include "compiler/sema/reporter.h"

namespace convc::sema {

// Row-major. Every number is checked, also where the shape is wrong. A kernel extent that is not known fits anything.
std::optional<std::vector<double>> read_weights(const ast::ConstantList &list, const std::vector<Value> &kernel,
                                                Evaluator &evaluator, Reporter &reporter);

}  // namespace convc::sema
