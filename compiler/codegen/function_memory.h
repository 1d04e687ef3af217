// How much of the workspace a lowered Halide function takes at most: read off its statements, before LLVM sees them.
#pragma once

#include <Halide.h>

#include "compiler/codegen/halide_build.h"
#include "convc/status.h"

namespace convc {

// With at most so many tasks of a parallel loop at once. Fails, naming the allocation, when a size is not a constant: a
// bug of the schedule's.
Result<FunctionMemory> function_memory(const Halide::Module &module, const std::string &function, int tasks_at_once);

}  // namespace convc
