#include "compiler/tune/tune_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "compiler/tune/kernel_ranges.h"
#include "compiler/tune/schedule_search.h"
#include "compiler/tune/stages_of_layer.h"

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double least_gain = 1.02;    // a schedule has to be so much faster than the one there is
constexpr double worth_repeats = 1.3;  // to the best, or a trial is cut short

// Consecutive stages that may be one kernel, and the best that is known of them.
struct Segment {
    int first = 0, count = 1;
    double seconds = infinity;
    std::vector<Schedule> schedules;
};

class LayerTuner {
public:
    LayerTuner(const Layer &layer, const Target &target, TrialRunner &runner, TrialDatabase &database,
               const TuneOptions &options, const std::function<void(const TuneProgress &)> &progress)
        : layer_(layer),
          target_(target),
          runner_(runner),
          database_(database),
          options_(options),
          progress_(progress) {}

    Result<TunedLayer> tune() {
        const Result<Plan> standard = make_plan(layer_, target_);
        if (!standard) return standard.error();
        std::vector<Segment> segments = possible_segments();
        for (size_t i = 0; i < segments.size(); i++) {
            const auto left = static_cast<int>(segments.size() - i);
            if (Status status = search(segments[i], (options_.trials - tuned_.trials) / left); !status) {
                return status.error();
            }
        }
        return compare(*standard, best_division(segments));
    }

private:
    std::vector<Segment> possible_segments() const {
        std::vector<Segment> all;
        for (const StageRange &range : kernel_ranges(layer_, target_)) {
            all.push_back({range.first, range.count, infinity, {}});
        }
        return all;
    }

    // The default of the segment; of several kernels where that is what the planner makes of it.
    Status search(Segment &segment, int trials) {
        const Layer part = stages_of_layer(layer_, segment.first, segment.count);
        const Result<Plan> standard = make_plan(part, target_);
        if (!standard) return {};
        const std::string baseline = print_schedules(standard->schedules());
        runner_.prepare(part, target_, baseline);
        const StageGroup group{&part, 0, segment.count};
        std::vector<Schedule> seeds;
        if (standard->groups.size() == 1) seeds = standard->schedules();
        ScheduleSearch search(group, target_, seeds, options_.random);
        Result<double> baseline_seconds = time_baseline(part, baseline);
        if (!baseline_seconds) return baseline_seconds.error();
        if (Status status = tell_known(part, search); !status) return status;
        best_relative_ = 1;
        for (int done = 0; done < trials && !is_over();) {
            const Result<int> made = try_some(part, search, std::min(trials - done, most_batch));
            if (!made) return made.error();
            if (*made == 0) break;
            done += *made;
        }
        if (const auto best = search.best()) {
            segment.schedules = {*best};
            segment.seconds = *baseline_seconds * costs_[print_schedule(*best)];
        }
        return {};
    }

    TrialKey key_of(const Layer &part, const std::string &schedule) const {
        return {part.canonical_line(), target_.full_name(), options_.machine, options_.build, schedule};
    }

    Result<double> time_baseline(const Layer &part, const std::string &baseline) {
        Trial trial = runner_.measure(baseline, infinity);
        if (trial.outcome != TrialOutcome::measured) {
            return Error{Failure::internal,
                         fmt::format("the default schedule {} of {} {}: {}", baseline, part.canonical_line(),
                                     outcome_name(trial.outcome), trial.reason)};
        }
        tuned_.noise = std::max(tuned_.noise, std::abs(trial.relative - 1));
        return trial.seconds;
    }

    Status tell_known(const Layer &part, ScheduleSearch &search) {
        costs_.clear();
        const Result<std::vector<Trial>> known =
            database_.trials({part.canonical_line(), target_.full_name(), options_.machine, options_.build});
        if (!known) return known.error();
        for (const Trial &trial : *known) {
            const Result<Schedule> schedule = parse_schedule(trial.key.schedule);
            if (!schedule) continue;
            tuned_.known++;
            tell(search, *schedule, trial);
        }
        return {};
    }

    void tell(ScheduleSearch &search, const Schedule &schedule, const Trial &trial) {
        const double cost = trial.outcome == TrialOutcome::measured ? trial.relative : infinity;
        costs_[print_schedule(schedule)] = cost;
        best_relative_ = std::min(best_relative_, cost);
        search.tell(schedule, cost);
    }

    // Compiles a few side by side, then measures them one after the other. How many were tried.
    Result<int> try_some(const Layer &part, ScheduleSearch &search, int most) {
        std::vector<Schedule> schedules;
        while (static_cast<int>(schedules.size()) < most) {
            const auto schedule = search.next();
            if (!schedule) break;
            const Result<bool> ours = database_.claim(key_of(part, print_schedule(*schedule)));
            if (!ours) return ours.error();
            if (*ours) schedules.push_back(*schedule);
        }
        std::vector<std::string> texts;
        texts.reserve(schedules.size());
        for (const Schedule &schedule : schedules) texts.push_back(print_schedule(schedule));
        const std::vector<std::optional<Trial>> failures = runner_.compile(texts);
        for (size_t i = 0; i < schedules.size(); i++) {
            if (is_over()) return release(part, texts, i);
            Trial trial = failures[i] ? *failures[i] : runner_.measure(texts[i], worth_repeats * best_relative_);
            trial.key = key_of(part, texts[i]);
            if (Status status = database_.record(trial); !status) return status.error();
            tell(search, schedules[i], trial);
            report(trial);
        }
        return static_cast<int>(schedules.size());
    }

    // Of trials that will not be made.
    Result<int> release(const Layer &part, const std::vector<std::string> &texts, size_t first) {
        for (size_t i = first; i < texts.size(); i++) {
            if (Status status = database_.release(key_of(part, texts[i])); !status) return status.error();
        }
        return static_cast<int>(first);
    }

    bool is_over() const {
        return options_.stopped() || std::chrono::duration<double>(Clock::now() - begin_).count() > options_.seconds;
    }

    void report(const Trial &trial) {
        tuned_.trials++;
        if (trial.outcome != TrialOutcome::measured) tuned_.failures++;
        if (progress_) progress_({tuned_.trials, options_.trials, tuned_.failures, best_relative_});
    }

    // The segments behind one another that take the least time together.
    std::vector<Schedule> best_division(const std::vector<Segment> &segments) const {
        const size_t stages = layer_.stages.size();
        std::vector<double> least(stages + 1, infinity);
        std::vector<const Segment *> last(stages + 1, nullptr);
        least[0] = 0;
        for (size_t end = 1; end <= stages; end++) {
            for (const Segment &segment : segments) {
                if (static_cast<size_t>(segment.first + segment.count) != end) continue;
                const double seconds = least[static_cast<size_t>(segment.first)] + segment.seconds;
                if (seconds < least[end]) least[end] = seconds, last[end] = &segment;
            }
        }
        std::vector<Schedule> schedules;
        for (size_t end = stages; end > 0 && last[end]; end = static_cast<size_t>(last[end]->first)) {
            schedules.insert(schedules.begin(), last[end]->schedules.begin(), last[end]->schedules.end());
        }
        return schedules;
    }

    // The winner against the default once more, as one layer.
    Result<TunedLayer> compare(const Plan &standard, const std::vector<Schedule> &found) {
        tuned_.schedules = standard.schedules();
        const std::string baseline = print_schedules(tuned_.schedules), winner = print_schedules(found);
        runner_.prepare(layer_, target_, baseline);
        Trial trial = runner_.measure(found.empty() ? baseline : winner, infinity);
        if (trial.outcome != TrialOutcome::measured) {
            return Error{Failure::internal,
                         fmt::format("{} {}: {}", trial.key.schedule, outcome_name(trial.outcome), trial.reason)};
        }
        tuned_.default_seconds = trial.seconds / trial.relative;
        tuned_.seconds = tuned_.default_seconds;
        if (found.empty() || trial.relative * least_gain > 1) return tuned_;
        tuned_.schedules = found;
        tuned_.seconds = trial.seconds;
        tuned_.improved = true;
        return tuned_;
    }

    static constexpr int most_batch = 8;
    const Layer &layer_;
    const Target &target_;
    TrialRunner &runner_;
    TrialDatabase &database_;
    const TuneOptions &options_;
    const std::function<void(const TuneProgress &)> &progress_;
    Clock::time_point begin_ = Clock::now();
    std::map<std::string, double> costs_;
    double best_relative_ = 1;
    TunedLayer tuned_;
};

}  // namespace

Result<TunedLayer> tune_layer(const Layer &layer, const Target &target, TrialRunner &runner, TrialDatabase &database,
                              const TuneOptions &options, const std::function<void(const TuneProgress &)> &progress) {
    return LayerTuner(layer, target, runner, database, options, progress).tune();
}

}  // namespace convc
