// The diagnostics about layers that are right but cannot be compiled, or not be split, or have not been tuned. Those
// about text and meaning are in compiler/syntax/diagnostic_kinds.h and compiler/sema/sema_diagnostics.h.
#pragma once

#include <string>

#include "compiler/syntax/diagnostics.h"

namespace convc::diagnostic {

inline constexpr DiagnosticKind<std::string> no_kernel{"no-kernel", Severity::error, "{}"};
inline constexpr DiagnosticKind<std::string> not_splittable{"not-splittable", Severity::error, "{}"};
inline constexpr DiagnosticKind<std::string, std::string> not_tuned{"not-tuned", Severity::error,
                                                                    "{} has no tuned or pinned schedule for {}"};
inline constexpr DiagnosticKind<std::string> unusable_schedule{"unusable-schedule", Severity::error, "{}"};

}  // namespace convc::diagnostic
