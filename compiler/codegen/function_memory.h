// How much of the workspace a lowered Halide function takes at most: read off its statements, before LLVM sees them.
#pragma once

#include <Halide.h>

#include "compiler/codegen/halide_build.h"
#include "convc/status.h"

namespace convc {

// Fails, naming the allocation, when a size or a number of tasks is not a constant: a bug of the schedule's.
Result<FunctionMemory> function_memory(const Halide::Module &module, const std::string &function);

}  // namespace convc
