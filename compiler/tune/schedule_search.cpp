#include "compiler/tune/schedule_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace convc {
namespace {

constexpr size_t most_starts = 3;  // schedules that steps are taken from
constexpr double near_best = 1.3;  // of another algorithm's best, to be worth steps of its own

}  // namespace

ScheduleSearch::ScheduleSearch(const StageGroup &group, const Target &target, const std::vector<Schedule> &seeds,
                               uint64_t random)
    : group_(group), target_(target), spaces_(schedule_spaces(group, target)), random_(random) {
    // The model's first choice of every space comes behind the seeds.
    for (auto space = spaces_.rbegin(); space != spaces_.rend(); ++space) {
        if (!space->candidates.empty()) queue_.push_back(space->candidates.front().schedule);
    }
    for (auto seed = seeds.rbegin(); seed != seeds.rend(); ++seed) queue_.push_back(*seed);
}

int64_t ScheduleSearch::size() const {
    int64_t size = 0;
    for (const AlgorithmSpace &space : spaces_) size += static_cast<int64_t>(space.candidates.size());
    return size;
}

// Equal costs in the schedules' order, so that searches repeat.
std::vector<Schedule> ScheduleSearch::best(size_t most) const {
    std::vector<std::pair<double, Schedule>> all;
    for (const auto &[schedule, cost] : costs_) {
        if (!std::isinf(cost)) all.emplace_back(cost, schedule);
    }
    most = std::min(most, all.size());
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(most), all.end());
    std::vector<Schedule> schedules;
    for (size_t i = 0; i < most; i++) schedules.push_back(std::move(all[i].second));
    return schedules;
}

void ScheduleSearch::tell(const Schedule &schedule, double cost) {
    asked_.erase(schedule);
    costs_[schedule] = cost;
}

Schedule ScheduleSearch::ask(const Schedule &schedule) {
    asked_[schedule] = true;
    return schedule;
}

std::optional<Schedule> ScheduleSearch::next() {
    if (auto queued = first_of_queue()) return ask(*queued);
    // As many as there are spaces with candidates, of those ranked high: more of them find less than the steps do.
    if (samples_ < std::ranges::count_if(spaces_, [](const auto &space) { return !space.candidates.empty(); })) {
        samples_++;
        if (auto sample = ranked_sample()) return ask(*sample);
    }
    if (auto step = step_from_best()) return ask(*step);
    if (auto sample = ranked_sample()) return ask(*sample);
    return std::nullopt;
}

std::optional<Schedule> ScheduleSearch::first_of_queue() {
    while (!queue_.empty()) {
        Schedule schedule = std::move(queue_.back());
        queue_.pop_back();
        if (is_new(schedule)) return schedule;
    }
    return std::nullopt;
}

// A space at random, and in it one of those ranked high: the density falls with the square root of the rank.
std::optional<Schedule> ScheduleSearch::ranked_sample() {
    constexpr int patience = 64;
    std::uniform_real_distribution<double> uniform(0, 1);
    for (int i = 0; i < patience; i++) {
        const auto &space = spaces_[static_cast<size_t>(uniform(random_) * static_cast<double>(spaces_.size()))];
        if (space.candidates.empty()) continue;
        const double share = uniform(random_);
        const auto rank = static_cast<size_t>(share * share * static_cast<double>(space.candidates.size()));
        const Schedule &schedule = space.candidates[rank].schedule;
        if (is_new(schedule)) return schedule;
    }
    for (const AlgorithmSpace &space : spaces_) {
        for (const Candidate &candidate : space.candidates) {
            if (is_new(candidate.schedule)) return candidate.schedule;
        }
    }
    return std::nullopt;
}

std::optional<Schedule> ScheduleSearch::step_from_best() {
    const std::vector<Schedule> starts = best(most_starts);
    for (const Schedule &start : starts) {
        if (costs_.at(start) > near_best * costs_.at(starts.front())) break;
        const auto [found, is_first] = steps_.try_emplace(start);
        std::vector<Schedule> &steps = found->second;
        if (is_first) {
            steps = neighbours(group_, target_, start);
            std::shuffle(steps.begin(), steps.end(), random_);
        }
        while (!steps.empty()) {
            Schedule step = std::move(steps.back());
            steps.pop_back();
            if (is_new(step)) return step;
        }
    }
    return std::nullopt;
}

}  // namespace convc
