// `schedule LAYER on "TARGET" = ...` statements: that the layer exists and the target can be read. Algorithms and knobs
// are the planner's business.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/sema/evaluate.h"
#include "compiler/sema/family.h"
#include "compiler/sema/reporter.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/ast.h"

namespace convc::sema {

struct DeclaredLayer {
    SourceRange range;
    std::vector<FamilyVariable> family;
    size_t members = 1;
};

// By the name before the family's values; layers with mistakes included.
using DeclaredLayers = std::map<std::string_view, DeclaredLayer>;

// Where each layer and target has been pinned.
using PinnedPlaces = std::map<std::pair<std::string, std::string>, SourceRange>;

std::optional<PinnedSchedule> check_schedule(const ast::ScheduleStatement &statement, const DeclaredLayers &declared,
                                             PinnedPlaces &pinned, const Scope &scope, Reporter &reporter);

}  // namespace convc::sema
