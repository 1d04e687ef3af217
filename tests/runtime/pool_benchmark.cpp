// What a parallel loop costs: nanoseconds for loops of empty tasks, minimum and median of many, hot and after a pause.
// `rendezvous` has tasks that wait for one another, so that both threads really take part; with the others the caller
// may have taken every task before a worker has seen the first.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "convc/convc.h"
#include "runtime/kernel_runtime/kernel_runtime.h"

namespace {

std::atomic<int> arrived;

int empty_task(void *, int, uint8_t *) {
    return 0;
}

int rendezvous_task(void *, int, uint8_t *) {
    arrived.fetch_add(1);
    while (arrived.load() < 2) {
    }
    return 0;
}

void measure(const char *name, int threads, int tasks, convc_kernel_task task, std::chrono::microseconds pause) {
    using Clock = std::chrono::steady_clock;
    convc_set_threads(threads);
    const int rounds = pause.count() > 0 ? 300 : 20000;
    std::vector<double> times;
    for (int round = 0; round < rounds; ++round) {
        if (pause.count() > 0) std::this_thread::sleep_for(pause);
        convc_kernel_context context = {nullptr, 0, 0, 0};
        arrived = 0;
        const auto start = Clock::now();
        convc_kernel_parallel_for_v1(&context, task, 0, tasks, nullptr);
        times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
    }
    std::sort(times.begin(), times.end());
    std::printf("%-28s %2d threads %3d tasks   min %8.0f ns   median %8.0f ns\n", name, threads, tasks, times.front(),
                times[times.size() / 2]);
}

}  // namespace

int main() {
    using std::chrono::microseconds;
    measure("serial", 1, 2, empty_task, microseconds(0));
    measure("empty, hot", 2, 2, empty_task, microseconds(0));
    measure("rendezvous, hot", 2, 2, rendezvous_task, microseconds(0));
    measure("empty, hot", 2, 64, empty_task, microseconds(0));
    measure("rendezvous, after 40 us", 2, 2, rendezvous_task, microseconds(40));
    measure("rendezvous, after 1 ms", 2, 2, rendezvous_task, microseconds(1000));
    measure("empty, oversubscribed", 16, 64, empty_task, microseconds(0));
}
