// A Schedule: an algorithm's name and its integer knobs, for one group of fused stages. Plain data: printable,
// parseable, hashable, totally ordered. `direct(channels=16, columns=6, parts=8)`
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convc/status.h"

namespace convc {

struct Schedule {
    std::string algorithm;
    std::vector<std::pair<std::string, int64_t>> knobs;  // in the algorithm's own order

    std::optional<int64_t> knob(std::string_view name) const;
    auto operator<=>(const Schedule &) const = default;
};

std::string print_schedule(const Schedule &schedule);
std::string print_schedules(const std::vector<Schedule> &schedules);  // joined by " -> "

// Whether the kernels of such printed schedules make the products and sums of the definition, in whatever order: not
// Winograd's. Only then is a kernel exact on integers, and do NaN and infinity stay where they belong.
bool sums_as_written(std::string_view schedules);

// Reads what print_schedule writes. Knows no algorithm: names and values are checked where the schedule is used.
Result<Schedule> parse_schedule(std::string_view text);
Result<std::vector<Schedule>> parse_schedules(std::string_view text);  // as print_schedules() prints them

}  // namespace convc
