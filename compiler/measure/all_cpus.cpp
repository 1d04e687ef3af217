#include "compiler/measure/all_cpus.h"

#include <sched.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace convc {
namespace {

// The CPUs that the process may run on.
std::vector<int> allowed_cpus() {
    std::vector<int> cpus;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

void stay_on(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof(set),
                            &set);  // where it is not allowed the measurement is merely less steady
}

}  // namespace

int useful_threads(int threads) {
    const auto cpus = static_cast<int>(allowed_cpus().size());
    return std::max(1, cpus > 0 ? std::min(threads, cpus) : threads);
}

void on_all_cpus(int threads, const std::function<void(int)> &work) {
    const std::vector<int> cpus = allowed_cpus();
    std::vector<std::thread> workers;
    workers.reserve(static_cast<size_t>(threads));
    for (int i = 0; i < threads; i++) {
        workers.emplace_back([&, i] {
            if (!cpus.empty()) stay_on(cpus[static_cast<size_t>(i) % cpus.size()]);
            work(i);
        });
    }
    for (std::thread &worker : workers) worker.join();
}

}  // namespace convc
