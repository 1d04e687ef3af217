#include "schedules/knob_values.h"

#include <algorithm>

#include "schedules/machine_model.h"

namespace convc {
namespace {

// One part, and multiples of the threads, which then have equal shares; of two such knobs, the product. A single part
// altogether stays: it is the fastest for what takes a microsecond.
std::vector<int64_t> parallel_values(const KernelRequest &so_far, const Knob &knob) {
    constexpr int64_t most_a_thread = 4;
    const int64_t threads = planned_threads(so_far.target);
    const int64_t others = knob.name == "channel_parts" ? so_far.schedule.knob("parts").value_or(1) : 1;
    std::vector<int64_t> values;
    if (knob.low <= 1) values.push_back(1);
    for (int64_t parts = threads; parts <= knob.high && parts * others <= most_a_thread * threads; parts *= 2) {
        if (parts > 1) values.push_back(parts);
    }
    return values;
}

// One input channel, and what divides those of a group of the most up to 4: what lies between was never the best by 1
// %.
std::vector<int64_t> unroll_values(const StageGroup &group) {
    int first = 0;
    while (first + 1 < group.count && group.stage(first).kind == StageKind::shuffle) first++;
    const Stage &stage = group.stage(first);
    for (const int64_t unroll : {4, 3, 2}) {
        if (stage.in_channels / stage.groups % unroll == 0) return {1, unroll};
    }
    return {1};
}

}  // namespace

std::vector<int64_t> usual_values(const KernelRequest &so_far, const Knob &knob) {
    constexpr int64_t short_range = 16, small = 8;
    if (knob.name == "parts" || knob.name == "channel_parts") return parallel_values(so_far, knob);
    if (knob.name == "unroll") return unroll_values(so_far.group);
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
    return algorithm.worthwhile ? algorithm.worthwhile(so_far, knob) : usual_values(so_far, knob);
}

void set_knob(Schedule &schedule, std::string_view name, int64_t value) {
    for (auto &[knob, old] : schedule.knobs) {
        if (knob == name) old = value;
    }
}

void try_all(Schedule &schedule, std::span<const KnobValues> knobs, const std::function<void()> &consider) {
    if (knobs.empty()) return consider();
    for (const int64_t value : knobs.front().values) {
        set_knob(schedule, knobs.front().name, value);
        try_all(schedule, knobs.subspan(1), consider);
    }
}

}  // namespace convc
