// Many plans to kernels at once, on several threads.
#pragma once

#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/driver/progress.h"
#include "compiler/driver/tensor_io/weights.h"
#include "compiler/plan/plan.h"
#include "convc/kernel.h"
#include "convc/status.h"

namespace convc {

struct CompileJob {
    const Plan *plan = nullptr;
    std::string symbol;                        // of the kernel
    const ParameterValues *weights = nullptr;  // baked in; nullptr: none
    Listings listings;                         // asked for on the way in, filled on the way out
};

// The kernels in the order of the jobs, or the first job's error. Goes through the
// kernel cache where neither weights nor listings are asked for.
Result<std::vector<Kernel>> compile_all(std::vector<CompileJob> &jobs, int threads, Progress &progress);

}  // namespace convc
