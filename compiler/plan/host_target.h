// The machine at hand as a Target: instruction set, LLVM's CPU model, caches, CPUs that this process may run on; and
// its name.
#pragma once

#include <string>

#include "convc/status.h"
#include "convc/target.h"

namespace convc {

Target host_target();

// In its network: it tells machines of one target apart.
std::string machine_name();

// `host`, or a target's name.
Result<Target> resolve_target(std::string_view text);

}  // namespace convc
