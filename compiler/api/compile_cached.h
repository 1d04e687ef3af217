// Compiling through the kernel cache, and with weights baked in: what load_layer() and the command line share.
#pragma once

#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "convc/kernel.h"
#include "convc/status.h"
#include "runtime/kernel_cache.h"

namespace convc {

// Takes the kernel from the cache, or compiles it and keeps it there. Without a cache (an Error) it just compiles. A
// kernel that cannot be kept is still returned.
Result<Kernel> compile_or_find(const Plan &plan, const std::string &symbol, const Result<KernelCache> &cache);

// Compiles with the weights as constants: no NAME_weights, nothing to pack. `parameters` in the order of
// Layer::parameters(), each with its number of elements. Packs them with the kernel's own pack function, so the target
// must be one that this machine runs.
Result<Kernel> compile_with_weights(const Plan &plan, const std::string &symbol,
                                    const std::vector<std::vector<float>> &parameters);

}  // namespace convc
