// --target A,B,...: the targets of one library.
#pragma once

#include <string>
#include <vector>

#include "convc/status.h"
#include "convc/target.h"

namespace convc {

// Each `host` or a target's name; the result is ordered, best first. An error of usage when they do not fit into one
// library: one instruction set twice, or two architectures.
//
// Of a GPU, `cuda` is CUDA of this machine's device, or of compute capability 8.0 where there is none.
Result<std::vector<Target>> read_targets(const std::vector<std::string> &names);

// One of them.
Result<Target> read_target(const std::string &name);

// Whether this machine has what kernels for a GPU run on; CPUs are asked when a kernel is loaded. Failure::environment
// where there is no driver, no device, or an older one.
Status check_device(const Target &target);

}  // namespace convc
