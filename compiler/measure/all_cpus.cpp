#include "compiler/measure/all_cpus.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
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

// Of thread 0, the calling one.
void stay_on(int cpu, pid_t thread = 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(thread, sizeof(set),
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

void keep_threads_apart() {
    static const std::vector<int> cpus = allowed_cpus();  // before the first thread was kept on one of them
    if (cpus.empty()) return;
    std::vector<pid_t> threads;
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator("/proc/self/task", error)) {
        threads.push_back(static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10)));
    }
    std::sort(threads.begin(), threads.end());  // the first is the one that calls kernels
    for (size_t i = 0; i < threads.size(); i++) stay_on(cpus[i % cpus.size()], threads[i]);
}

}  // namespace convc
