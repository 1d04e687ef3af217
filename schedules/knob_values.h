// Values of knobs: which are worth a tuner's trial, and how a default tries and sets them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/algorithm.h"

namespace convc {

// Where an algorithm has nothing else to say: of parallel parts, what threads can share, and of parts along channels
// what they can share beside the parts that stand in the request's schedule; of `unroll`, 1 and a small divisor of the
// input channels; all of a short range; of a longer one small numbers, ever larger steps, and its end.
std::vector<int64_t> usual_values(const KernelRequest &so_far, const Knob &knob);

// The columns of register tiles with so many vectors that are not much slower than the best tile for these channels and
// pixels, by the machine model. None where no tile of so many vectors is.
std::vector<int64_t> good_columns(int64_t vectors, const Knob &columns, int64_t channels, int64_t pixels,
                                  const Target &target);

// The algorithm's own choice, under the values of the knobs before this one, or the usual ones; in order.
std::vector<int64_t> values_worth_trying(const Algorithm &algorithm, const KernelRequest &so_far, const Knob &knob);

// Gives a knob of the schedule another value; one that it does not have stays away.
void set_knob(Schedule &schedule, std::string_view name, int64_t value);

// Calls `consider` with every combination of these values in `schedule`, the last knob's fastest.
struct KnobValues {
    std::string name;
    std::vector<int64_t> values;
};
void try_all(Schedule &schedule, std::span<const KnobValues> knobs, const std::function<void()> &consider);

}  // namespace convc
