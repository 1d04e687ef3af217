#include "compiler/measure/round_trip.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>

#include "compiler/measure/all_cpus.h"

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int batches = 10, trips = 50;

// Between threads 0 and `partner`; the others find nothing to do.
double nanoseconds_to(int partner) {
    std::atomic<int> ball = 0;
    double best = std::numeric_limits<double>::max();
    const auto await = [&](int value) {
        while (ball.load(std::memory_order_acquire) != value) {
        }
    };
    on_all_cpus(partner + 1, [&](int thread) {
        if (thread == partner) {
            for (int i = 0; i < batches * trips; i++) {
                await(2 * i + 1);
                ball.store(2 * i + 2, std::memory_order_release);
            }
        }
        if (thread != 0) return;
        for (int batch = 0; batch < batches; batch++) {
            const Clock::time_point begin = Clock::now();
            for (int i = batch * trips; i < (batch + 1) * trips; i++) {
                ball.store(2 * i + 1, std::memory_order_release);
                await(2 * i + 2);
            }
            const std::chrono::duration<double, std::nano> elapsed = Clock::now() - begin;
            best = std::min(best, elapsed.count() / trips);
        }
    });
    return best;
}

}  // namespace

double measure_round_trip(int threads) {
    double furthest = 0;
    for (int partner = 1; partner < useful_threads(threads); partner++) {
        furthest = std::max(furthest, nanoseconds_to(partner));
    }
    return furthest;
}

}  // namespace convc
