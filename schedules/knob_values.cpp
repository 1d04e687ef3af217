#include "schedules/knob_values.h"

#include <algorithm>

#include "schedules/machine_model.h"

namespace convc {
namespace {

// One part, and multiples of the threads, which then have equal shares.
std::vector<int64_t> parallel_values(const Knob &knob, const Target &target) {
    constexpr int64_t most_a_thread = 8;
    const int64_t threads = planned_threads(target);
    std::vector<int64_t> values;
    if (knob.low <= 1) values.push_back(1);
    for (int64_t parts = threads; parts <= std::min(knob.high, most_a_thread * threads); parts *= 2) {
        if (parts > 1) values.push_back(parts);
    }
    return values;
}

std::vector<int64_t> powers_of_two(const Knob &knob, int64_t most) {
    std::vector<int64_t> values;
    for (int64_t value = 1; value <= std::min(knob.high, most); value *= 2) {
        if (value >= knob.low) values.push_back(value);
    }
    return values;
}

}  // namespace

std::vector<int64_t> usual_values(const Knob &knob, const Target &target) {
    constexpr int64_t short_range = 16, small = 8, most_unrolled = 8;
    if (knob.name == "parts" || knob.name == "channel_parts") return parallel_values(knob, target);
    if (knob.name == "unroll") return powers_of_two(knob, most_unrolled);
    std::vector<int64_t> values;
    const bool is_short = knob.high - knob.low < short_range;
    for (int64_t value = knob.low; value <= knob.high;
         value = is_short || value < small ? value + 1 : value + value / 2) {
        values.push_back(value);
    }
    if (values.empty() || values.back() != knob.high) values.push_back(knob.high);
    return values;
}

std::vector<int64_t> good_columns(int64_t vectors, const Knob &columns, int64_t channels, int64_t pixels,
                                  const Target &target) {
    constexpr double most_cycles = 1.35;  // to the best tile's
    const double best =
        tile_cycles(best_register_tile(channels, pixels, target), channels, pixels, 1, target) * most_cycles;
    std::vector<int64_t> values;
    for (int64_t value = columns.low; value <= columns.high; value++) {
        const RegisterTile tile{vectors, value};
        if (!fits_registers(tile, target)) break;
        if (tile_cycles(tile, channels, pixels, 1, target) <= best) values.push_back(value);
    }
    return values;
}

std::vector<int64_t> values_worth_trying(const Algorithm &algorithm, const KernelRequest &so_far, const Knob &knob) {
    return algorithm.worthwhile ? algorithm.worthwhile(so_far, knob) : usual_values(knob, so_far.target);
}

}  // namespace convc
