// What an algorithm is: one row of schedule_table.h. See docs/adding-an-algorithm.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convc/layer.h"
#include "convc/schedule.h"
#include "convc/target.h"

namespace convc {

// Consecutive stages of a layer that become one kernel.
struct StageGroup {
    const Layer *layer = nullptr;
    int first = 0;
    int count = 1;

    const Stage &stage(int i) const { return layer->stages[first + i]; }
    const TensorType &input() const { return layer->stage_input(first); }
    const TensorType &output() const { return layer->stages[first + count - 1].output; }
};

// One integer of a schedule, and the values it may take for a given group and target.
struct KnobRange {
    std::string name;
    std::string meaning;  // for `explain --plan`
    int64_t low = 1;
    int64_t high = 1;
    int64_t step = 1;     // low, low + step, ... high
};

// Where one parameter tensor stands in packed memory, in f32 elements, as the kernel reads it: extents innermost first.
struct PackedParameter {
    Parameter parameter;
    std::vector<int64_t> extents;
    int64_t elements() const;
};

struct Algorithm {
    std::string_view name;  // the schedule's, and the Halide generator's registered name
    std::string_view summary;
    // nullopt when the algorithm computes this group; else the reason it does not.
    std::optional<std::string> (*refusal)(const StageGroup &group, const Target &target);
    std::vector<KnobRange> (*knobs)(const StageGroup &group, const Target &target);
    // nullopt when these knob values, each in its range, fit together (registers, L1, L2); else the reason they do not.
    std::optional<std::string> (*knob_conflict)(const StageGroup &group, const Schedule &schedule, const Target &target);
    Schedule (*default_schedule)(const StageGroup &group, const Target &target);
    std::vector<PackedParameter> (*packed_parameters)(const StageGroup &group, const Schedule &schedule,
                                                      const Target &target);
};

}  // namespace convc
