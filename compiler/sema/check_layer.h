// One layer, or one member of a family: tensors, then stage after stage with its shapes.
#pragma once

#include <optional>
#include <string>

#include "compiler/sema/evaluate.h"
#include "compiler/sema/reporter.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/ast.h"

namespace convc::sema {

// Nothing when it has mistakes; they have been reported, be it here or where a name it uses is defined. `broken`: a
// syntax error hides part of it.
std::optional<CheckedLayer> check_layer(const ast::Layer &layer, bool broken, std::string name, const Scope &scope,
                                        Reporter &reporter);

}  // namespace convc::sema
