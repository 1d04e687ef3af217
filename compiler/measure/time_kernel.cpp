#include "compiler/measure/time_kernel.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double sample_seconds = 5e-6;  // a batch of calls takes at least this long: 200 times a clock reading
constexpr double slice_seconds = 25e-3;  // between two calls of `between`, at most
constexpr int fewest_slices = 4;         // so that one bad moment of a busy machine does not spoil all runs
constexpr int fewest_repeats = 5;
constexpr int most_repeats = 20'000;

double since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

double time_batch(const std::function<void()> &call, int batch) {
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < batch; i++) call();
    return since(begin) / batch;
}

// The seconds of one call once caches, threads and clock are warm.
double warm_up(const std::function<void()> &call) {
    constexpr double warm_seconds = 10e-3;
    const Clock::time_point begin = Clock::now();
    double fastest = time_batch(call, 1);
    for (int i = 0; i < 1000 && since(begin) < warm_seconds; i++) fastest = std::min(fastest, time_batch(call, 1));
    return std::max(fastest, 1e-9);
}

int repeats_within(double budget, double seconds) {
    return static_cast<int>(std::clamp(budget / seconds, double{fewest_repeats}, double{most_repeats}));
}

double median_of(std::vector<double> samples) {
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    if (samples.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(samples.begin(), middle)) / 2;
}

}  // namespace

Timing time_kernel(const std::function<void()> &call, const TimingOptions &options,
                   const std::function<void()> &between) {
    const double estimate = warm_up(call);
    const int batch = static_cast<int>(std::ceil(std::min(sample_seconds / estimate, 1e4)));
    const int repeats =
        options.repeats > 0 ? options.repeats : repeats_within(options.budget_seconds, estimate * batch);
    std::vector<double> samples;
    samples.reserve(static_cast<size_t>(repeats));
    const auto missing = [&] { return static_cast<size_t>(repeats) - samples.size(); };
    const size_t most_in_slice = static_cast<size_t>((repeats + fewest_slices - 1) / fewest_slices);
    while (missing() > 0) {
        if (between) {
            between();
            call();  // takes its data back into the caches and wakes the threads again
        }
        const Clock::time_point slice = Clock::now();
        const size_t end = samples.size() + std::min(missing(), most_in_slice);
        do {
            samples.push_back(time_batch(call, batch));
        } while (samples.size() < end && since(slice) < slice_seconds);
    }
    return {*std::min_element(samples.begin(), samples.end()), median_of(samples), repeats};
}

}  // namespace convc
