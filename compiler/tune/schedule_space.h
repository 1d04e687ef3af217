// The schedules that are worth a trial: for a group of stages, every algorithm that computes it, every width of
// vectors, and the values of their knobs that the machine model does not rule out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "convc/target.h"
#include "schedules/algorithm.h"

namespace convc {

struct Candidate {
    Schedule schedule;     // as users write it
    double predicted = 0;  // cycles, by the algorithm's model; 0 where it has none
};

// The candidates of one algorithm with vectors of one width.
struct AlgorithmSpace {
    std::string algorithm;
    bool half_vectors = false;
    std::vector<Knob> knobs;
    std::vector<std::set<int64_t>> values;      // of each knob, those that are worth a trial under some of the others
    double written = 0;                         // schedules that the knobs' ranges allow to write
    int64_t worthwhile = 0;                     // those of values that are worth a trial
    std::map<ConflictKind, int64_t> conflicts;  // of them: how many each kind removed
    int64_t slow = 0;                           // of them: predicted to be far from the best of all spaces
    std::vector<Candidate> candidates;          // what is left, by what is predicted, the fastest first
};

// A space for each algorithm that computes the group, and one for each width where vectors have two.
std::vector<AlgorithmSpace> schedule_spaces(const StageGroup &group, const Target &target);

// The schedules that differ from this one in one knob, or in two that are a register tile's, each by a step to the next
// value worth a trial.
std::vector<Schedule> neighbours(const StageGroup &group, const Target &target, const Schedule &schedule);

// Another group's schedule for this one: its knobs moved into the ranges that they have here, and one more where they
// would not fit together. Nothing where the algorithm does not compute this group, or more than that is in the way.
std::optional<Schedule> fitted_schedule(const StageGroup &group, const Target &target, const Schedule &schedule);

}  // namespace convc
