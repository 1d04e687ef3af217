// One thread a CPU, for what measures the machine itself.
#pragma once

#include <functional>

namespace convc {

// More threads than CPUs add nothing to what a machine can do, and wait for one another.
int useful_threads(int threads);

// Calls `work` with 0 ... threads - 1, each on a thread of its own that is kept on a CPU of its own: new threads often
// start on their creator's, and take longer than a short measurement to spread.
void on_all_cpus(int threads, const std::function<void(int)> &work);

// Keeps each thread that this process has now on a CPU of its own, as far as there are enough: the scheduler moves
// threads between CPUs, and a kernel's part then waits for its data. Where that is not allowed, nothing happens.
void keep_threads_apart();

}  // namespace convc
