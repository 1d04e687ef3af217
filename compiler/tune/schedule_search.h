// Which schedule to try next: the seeds, then candidates that the model ranks high, at random, then steps away from the
// best found so far.
//
//     ScheduleSearch search(group, target, seeds, seed);
//     while (const auto schedule = search.next()) search.tell(*schedule, measure(*schedule));
//     use(search.best(1));
//
// The steps are coordinate descent, which needs a good start; the default and the model give one: Canesche et al., "The
// Droplet Search Algorithm for Kernel Scheduling", ACM TACO 21(2), 2024.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "compiler/tune/schedule_space.h"

namespace convc {

class ScheduleSearch {
public:
    // `seeds` are tried first, in their order. Equal seeds of the random numbers make equal searches.
    ScheduleSearch(const StageGroup &group, const Target &target, const std::vector<Schedule> &seeds, uint64_t random);

    // Nothing where every candidate and every neighbour of the best has been tried.
    std::optional<Schedule> next();

    // What a schedule costs, infinity where it failed. It need not have been asked for: an earlier run may have tried
    // it.
    void tell(const Schedule &schedule, double cost);

    const std::vector<AlgorithmSpace> &spaces() const { return spaces_; }
    int64_t size() const;                           // candidates of all spaces
    std::vector<Schedule> best(size_t most) const;  // of those that did not fail, the least cost first

private:
    bool is_new(const Schedule &schedule) const { return !costs_.contains(schedule) && !asked_.contains(schedule); }
    Schedule ask(const Schedule &schedule);
    std::optional<Schedule> first_of_queue();
    std::optional<Schedule> ranked_sample();
    std::optional<Schedule> step_from_best();

    StageGroup group_;
    Target target_;
    std::vector<AlgorithmSpace> spaces_;
    std::vector<Schedule> queue_;  // the next at its end
    std::map<Schedule, double> costs_;
    std::map<Schedule, bool> asked_;
    std::map<Schedule, std::vector<Schedule>> steps_;  // of schedules that were among the best, those not yet asked
    std::mt19937_64 random_;
    int samples_ = 0;
};

}  // namespace convc
