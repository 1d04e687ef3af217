// Small layers of which every algorithm of schedule_table() computes at least one, and the schedules to pin for them:
// what the tests of each algorithm share. A new algorithm is covered as soon as it stands in the table.
#pragma once

#include <string>
#include <vector>

#include "schedules/schedule_table.h"
#include "tests/support/build_layer.h"
#include "tests/support/random.h"

namespace convc {

// A layer whose output has this height and width, except where a stage only makes even ones.
struct Specimen {
    const char *name;
    test::LayerBuilder (*of)(int64_t height, int64_t width);
};
const std::vector<Specimen> &specimens();

// What they are compiled for: the machine at hand with one thread, because on more of them chains of so small layers
// are not fused. Kernels run on any number.
Target specimen_target();

// The whole layer as one group.
inline StageGroup whole(const Layer &layer) {
    return {&layer, 0, static_cast<int>(layer.stages.size())};
}

// Whether its kernels are exact on integers, and keep NaN and infinity where they belong: not Winograd's.
inline bool sums_as_written(const Algorithm &algorithm) {
    return sums_as_written(print_schedule({std::string(algorithm.name), {}}));
}

// The algorithms that compute the whole layer in one kernel.
std::vector<const Algorithm *> algorithms_for(const Layer &layer, const Target &target);

// The default schedule, all knobs low, all knobs high as far as they go together, and `random` others; each once.
std::vector<Schedule> schedules_of(const Algorithm &algorithm, const Layer &layer, const Target &target,
                                   test::Random &random, int random_count);

// A schedule made for a larger layer as far as it goes with this one: every knob within its range. nullopt where that
// leaves values that do not go together.
std::optional<Schedule> fitted(const Schedule &schedule, const Algorithm &algorithm, const Layer &layer,
                               const Target &target);

// One schedule a stage, each the default of the first algorithm that computes the stage by itself.
std::optional<std::vector<Schedule>> stage_by_stage(const Layer &layer, const Target &target);

}  // namespace convc
