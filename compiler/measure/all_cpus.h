// One thread a CPU, for what measures the machine itself.
#pragma once

#include <functional>

namespace convc {

// More threads than CPUs add nothing to what a machine can do, and wait for one another.
int useful_threads(int threads);

// Calls `work` with 0 ... threads - 1, each on a thread of its own that is kept on a CPU of its own: new threads often
// start on their creator's, and take longer than a short measurement to spread.
void on_all_cpus(int threads, const std::function<void(int)> &work);

}  // namespace convc
