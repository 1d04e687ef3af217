// One layer compiled (or taken from the cache), loaded, timed and, on request, verified: what run, bench and the Google
// Benchmark binary have in common.
#pragma once

#include <optional>
#include <string>

#include "compiler/driver/kernel_call.h"
#include "compiler/measure/fma_peak.h"
#include "compiler/measure/time_kernel.h"
#include "compiler/plan/plan.h"
#include "compiler/reference/reference.h"
#include "convc/status.h"

namespace convc {

// From the plan to a kernel, through the kernel cache, and on into this process.
Result<Kernel> compile_plan(const Plan &plan);
Result<LoadedKernel> load_plan(const Plan &plan);

// Multiplications a call makes, without those in padding. The layer has no run-time extents.
double real_multiplications(const Layer &layer);

struct Speed {
    Timing timing;
    double gflops = 0;  // 2 * real_multiplications / minimum
    double peak = 0;    // GFLOP/s of multiply-adds, measured between the runs
    double share() const { return peak > 0 ? gflops / peak : 0; }
};

// Times the call with `peak`'s bursts in between. An error of the call is an error here.
Result<Speed> measure_call(KernelCall &call, const Layer &layer, const TimingOptions &options, FmaPeak &peak);

// Seconds of the fastest call of each, timed in turns: what slows the machine down for a while slows all of them down.
// An error of a call is an error here.
Result<std::vector<double>> time_in_turns(const std::vector<KernelCall *> &calls, int turns, double seconds_each);

// What the fp64 reference makes of the data: of these elements of the output, or of all. Slow.
Result<ReferenceResult> reference_of(const LayerData &data, const std::vector<int64_t> &elements = {});

struct Verification {
    bool ok = false;
    std::string message;  // how far the output is from the reference
};

// Compares the call's output with the fp64 reference's. Slow.
Result<Verification> verify(const KernelCall &call, const LayerData &data);

}  // namespace convc
