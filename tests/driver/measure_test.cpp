// The FMA peak and the timing of kernels: that the figures are of the right size, not how fast the machine is.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "compiler/measure/all_cpus.h"
#include "compiler/measure/bandwidth.h"
#include "compiler/measure/fma_peak.h"
#include "compiler/measure/round_trip.h"
#include "compiler/measure/time_kernel.h"
#include "compiler/plan/host_target.h"

namespace convc {
namespace {

TEST(FmaPeak, IsBetweenOneAndATera) {
    FmaPeak peak(host_target().isa, 1);
    const double warm = peak.best();
    const double first = peak.burst();
    const double second = peak.burst();
    EXPECT_GT(first, 1);
    EXPECT_LT(first, 1000);
    EXPECT_EQ(peak.best(), std::max({warm, first, second}));
}

#if defined(__x86_64__)
// A core does at least as much with wider vectors; half the rate would mean that the loop waits for its own results.
TEST(FmaPeak, GrowsWithTheVectors) {
    double best[3] = {};
    const Isa isas[3] = {Isa::sse41, Isa::avx2, Isa::avx512};
    for (int i = 0; i < 3; i++) {
        if (static_cast<int>(isas[i]) > static_cast<int>(host_target().isa)) break;
        FmaPeak peak(isas[i], 1);
        for (int burst = 0; burst < 10; burst++) peak.burst();
        best[i] = peak.best();
        if (i > 0) {
            EXPECT_GT(best[i], 0.8 * best[i - 1]);
        }
    }
}
#endif

TEST(TimeKernel, FindsTheTimeOfACall) {
    constexpr auto nap = std::chrono::milliseconds(2);
    int calls = 0;
    const Timing timing = time_kernel(
        [&] {
            calls++;
            std::this_thread::sleep_for(nap);
        },
        {.repeats = 7});
    EXPECT_EQ(timing.repeats, 7);
    EXPECT_GE(calls, 8);
    EXPECT_GE(timing.minimum, 2e-3);
    EXPECT_GE(timing.median, timing.minimum);
    EXPECT_LT(timing.minimum, 50e-3);
}

TEST(TimeKernel, TimesShortCallsInBatches) {
    volatile int counter = 0;
    const Timing timing = time_kernel([&] { counter = counter + 1; }, {.repeats = 50});
    EXPECT_GT(timing.minimum, 0);
    EXPECT_LT(timing.minimum, 1e-6);
}

TEST(TimeKernel, RunsSomethingElseInBetween) {
    int between = 0;
    const Timing timing = time_kernel([] {}, {.repeats = 0, .budget_seconds = 0.01}, [&] { between++; });
    EXPECT_GE(between, 4);
    EXPECT_GE(timing.repeats, 5);
}

TEST(RoundTrip, IsSomeNanosecondsBetweenTwoThreadsAndNothingForOne) {
    EXPECT_EQ(measure_round_trip(1), 0);
    const double nanoseconds = measure_round_trip(2);
    EXPECT_LT(nanoseconds, 1e6);
    if (useful_threads(2) == 2) {
        EXPECT_GT(nanoseconds, 5);
    }
}

TEST(Bandwidth, FallsWithTheDistance) {
    const Bandwidth bandwidth = measure_bandwidth(host_target(), 1);
    EXPECT_GT(bandwidth.l2, 1);
    EXPECT_GT(bandwidth.l3, 1);
    EXPECT_GT(bandwidth.dram, 0.5);
    EXPECT_GT(bandwidth.l2, 1.2 * bandwidth.dram);
    EXPECT_LT(bandwidth.l2, 5000);
}

}  // namespace
}  // namespace convc
