// Compiling through the kernel cache: what load_layer() and the command line share.
#pragma once

#include <string>

#include "compiler/plan/plan.h"
#include "convc/kernel.h"
#include "convc/status.h"
#include "runtime/kernel_cache.h"

namespace convc {

// Takes the kernel from the cache, or compiles it and keeps it there. Without a cache (an Error) it just compiles. A
// kernel that cannot be kept is still returned.
Result<Kernel> compile_or_find(const Plan &plan, const std::string &symbol, const Result<KernelCache> &cache);

}  // namespace convc
