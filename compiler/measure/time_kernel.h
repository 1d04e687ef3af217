// Times a kernel, with something else in between: as a rule a burst of the FMA peak.
//
// The estimator is the minimum. What disturbs a run (interrupts, another process on the core, a cold cache or page)
// only ever adds time, and the kernel's own work is the same in every run, so the fastest run is the one closest to the
// kernel's cost; the more runs, the closer. A mean would measure the neighbours. The median is given beside it: where
// it is far from the minimum the machine was not quiet. The peak is, for the same reason, the best of its bursts. What
// changes slowly for both (clock, heat) cancels in their ratio because bursts and runs alternate every few
// milliseconds.
#pragma once

#include <functional>

namespace convc {

struct TimingOptions {
    int repeats = 0;  // 0: as many as fit the budget, between 5 and 20,000
    double budget_seconds = 0.4;
};

struct Timing {
    double minimum = 0;  // seconds
    double median = 0;
    int repeats = 0;
};

// Warms up, then times `call` repeatedly. A call shorter than some microseconds is timed in batches, so that reading
// the clock does not count. `between`, where there is one, runs every few milliseconds.
Timing time_kernel(const std::function<void()> &call, const TimingOptions &options,
                   const std::function<void()> &between = {});

}  // namespace convc
