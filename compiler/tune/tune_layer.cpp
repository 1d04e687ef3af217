#include "compiler/tune/tune_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "compiler/plan/shipped_schedules.h"
#include "compiler/tune/kernel_ranges.h"
#include "compiler/tune/near_layers.h"
#include "compiler/tune/schedule_search.h"
#include "compiler/tune/stages_of_layer.h"

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr size_t most_finalists = 5;
constexpr size_t comparisons = 3;  // of the winner with the default, each in another process
constexpr double as_good = 1.01;
constexpr double for_trials = 0.85;  // of the time; the rest is for the finals

// Consecutive stages that may be one kernel, and the best that is known of them.
struct Segment {
    int first = 0, count = 1;
    double default_seconds = 0, seconds = infinity;
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
            deadline_ = seconds_spent() + (options_.seconds - seconds_spent()) * for_trials / left;
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
            all.push_back({range.first, range.count, 0, infinity, {}});
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
        if (options_.stopped()) return take_default(segment, *standard, runner_.time_baseline());
        const Result<std::vector<Schedule>> seeds = seeds_of(part, *standard);
        if (!seeds) return seeds.error();
        ScheduleSearch search({&part, 0, segment.count}, target_, *seeds, options_.random);
        if (Status status = take_default(segment, *standard, time_baseline(part, baseline)); !status) return status;
        best_relative_ = 1;
        known_.clear();
        others_.clear();
        if (Status status = tell_known(part, search); !status) return status;
        for (int done = 0; done < trials && !is_over();) {
            const Result<int> made = try_some(part, search, std::min(trials - done, most_batch));
            if (!made) return made.error();
            if (*made == 0) break;
            done += *made;
        }
        // What another tuner has found meanwhile.
        if (Status status = tell_known(part, search); !status) return status;
        return choose(part, search, segment);
    }

    static Status take_default(Segment &segment, const Plan &standard, const Result<double> &seconds) {
        if (!seconds) return seconds.error();
        segment.seconds = segment.default_seconds = *seconds;
        segment.schedules = standard.schedules();
        return {};
    }

    // The default, what counts now, then what was best for this layer elsewhere, and for layers like it.
    Result<std::vector<Schedule>> seeds_of(const Layer &part, const Plan &standard) {
        std::vector<Schedule> seeds;
        if (standard.groups.size() == 1) seeds = standard.schedules();
        const bool is_whole = part.stages.size() == layer_.stages.size();
        if (is_whole && options_.incumbent.size() == 1) seeds.push_back(options_.incumbent.front());
        Result<std::vector<Trial>> best = database_.best_trials();
        if (!best) return best.error();
        std::erase_if(*best, [&](const Trial &trial) {
            return trial.key.layer == part.canonical_line() && trial.key.target == target_.full_name() &&
                   trial.key.machine == options_.machine && trial.key.build == options_.build;
        });
        for (const ShippedSchedule &shipped : shipped_schedules()) {
            Trial &trial = best->emplace_back();
            trial.key.layer = shipped.layer;
            trial.key.target = shipped.target;
            trial.key.schedule = print_schedules(shipped.groups);
        }
        const std::vector<Schedule> near = schedules_of_near_layers(part, target_, *best);
        tuned_.seeds += static_cast<int>(near.size());
        seeds.insert(seeds.end(), near.begin(), near.end());
        return seeds;
    }

    // Of the best few, timed once more, the fastest; of those as good as equal with warm caches, the fastest with cold
    // ones: in a network, a layer's weights seldom wait in a cache.
    Status choose(const Layer &part, ScheduleSearch &search, Segment &segment) {
        std::vector<Finalist> finalists;
        for (const Schedule &schedule : search.best(most_finalists)) {
            if (options_.stopped() || (!finalists.empty() && seconds_spent() > options_.seconds)) break;
            const std::string text = print_schedule(schedule);
            Final final = runner_.measure_again(text);
            final.trial.key = key_of(part, text);
            if (Status status = database_.record(final.trial); !status) return status;
            tell(search, schedule, final.trial);
            if (final.trial.outcome != TrialOutcome::measured) continue;
            finalists.push_back({part.canonical_line(), text, final.trial.relative, final.cold});
        }
        if (finalists.empty()) {
            const std::vector<Schedule> best = search.best(1);  // as far as the search came
            if (best.empty() || best_relative_ > 1) return {};
            segment.schedules = best;
            segment.seconds = segment.default_seconds * best_relative_;
            return {};
        }
        const Finalist &chosen = warm_and_cold(finalists);
        const Result<Schedule> schedule = parse_schedule(chosen.schedule);
        if (!schedule) return schedule.error();
        segment.schedules = {*schedule};
        segment.seconds = segment.default_seconds * chosen.warm;
        tuned_.finalists.insert(tuned_.finalists.end(), finalists.begin(), finalists.end());
        return {};
    }

    static const Finalist &warm_and_cold(const std::vector<Finalist> &finalists) {
        const auto warmest = std::min_element(finalists.begin(), finalists.end(),
                                              [](const auto &a, const auto &b) { return a.warm < b.warm; });
        const Finalist *chosen = &*warmest;
        for (const Finalist &each : finalists) {
            if (each.warm <= warmest->warm * as_good && each.cold < chosen->cold) chosen = &each;
        }
        return *chosen;
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
        part_seconds_ = trial.seconds;
        return trial.seconds;
    }

    // What is in the database and has not been told yet.
    Status tell_known(const Layer &part, ScheduleSearch &search) {
        const Result<std::vector<Trial>> known =
            database_.trials({part.canonical_line(), target_.full_name(), options_.machine, options_.build});
        if (!known) return known.error();
        for (const Trial &trial : *known) {
            const Result<Schedule> schedule = parse_schedule(trial.key.schedule);
            // Of several kernels, or no schedule of this layer, whoever wrote it there.
            if (!schedule || !make_pinned_plan(part, target_, {*schedule})) continue;
            if (!known_.insert(trial.key.schedule).second) continue;
            tuned_.known++;
            tuned_.made.push_back({trial, true});
            tell(search, *schedule, trial);
        }
        return {};
    }

    void tell(ScheduleSearch &search, const Schedule &schedule, const Trial &trial) {
        const double cost = trial.outcome == TrialOutcome::measured ? trial.relative : infinity;
        best_relative_ = std::min(best_relative_, cost);
        search.tell(schedule, cost);
    }

    // Compiles a few side by side, then measures them one after the other. How many were tried.
    Result<int> try_some(const Layer &part, ScheduleSearch &search, int most) {
        const Result<std::vector<Schedule>> claimed = claim_some(part, search, most);
        if (!claimed) return claimed.error();
        const std::vector<Schedule> &schedules = *claimed;
        std::vector<std::string> texts;
        texts.reserve(schedules.size());
        for (const Schedule &schedule : schedules) texts.push_back(print_schedule(schedule));
        const std::vector<std::optional<Trial>> failures = runner_.compile(texts);
        for (size_t i = 0; i < schedules.size(); i++) {
            if (is_over()) return release(part, texts, i);
            Trial trial = failures[i] ? *failures[i] : runner_.measure(texts[i], best_relative_);
            trial.key = key_of(part, texts[i]);
            if (Status status = database_.record(trial); !status) return status.error();
            known_.insert(texts[i]);
            tell(search, schedules[i], trial);
            report(part, trial);
        }
        return static_cast<int>(schedules.size());
    }

    // First those that another tuner was at: it may have died since.
    Result<std::vector<Schedule>> claim_some(const Layer &part, ScheduleSearch &search, int most) {
        std::vector<Schedule> ours, again = std::exchange(others_, {});
        while (static_cast<int>(ours.size()) < most) {
            const auto schedule = again.empty() ? search.next() : std::optional(again.back());
            if (!again.empty()) again.pop_back();
            if (!schedule) break;
            const Result<TrialDatabase::Claim> claim = database_.claim(key_of(part, print_schedule(*schedule)));
            if (!claim) return claim.error();
            if (*claim == TrialDatabase::Claim::ours) ours.push_back(*schedule);
            if (*claim == TrialDatabase::Claim::theirs) others_.push_back(*schedule);
        }
        others_.insert(others_.end(), again.begin(), again.end());
        return ours;
    }

    // Of trials that will not be made.
    Result<int> release(const Layer &part, const std::vector<std::string> &texts, size_t first) {
        for (size_t i = first; i < texts.size(); i++) {
            if (Status status = database_.release(key_of(part, texts[i])); !status) return status.error();
        }
        return static_cast<int>(first);
    }

    bool is_over() const { return options_.stopped() || seconds_spent() > deadline_; }

    double seconds_spent() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

    void report(const Layer &part, const Trial &trial) {
        tuned_.trials++;
        if (trial.outcome != TrialOutcome::measured) tuned_.failures++;
        tuned_.made.push_back({trial, false});
        if (!progress_) return;
        progress_(
            {tuned_.trials, options_.trials, tuned_.failures, best_relative_, seconds_spent(), part_seconds_, &part});
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

    // What was found and what counted before against the default, as one layer. Whatever is there stays unless it is
    // beaten by more than the noise: the default by the incumbent, either by what was found.
    Result<TunedLayer> compare(const Plan &standard, const std::vector<Schedule> &found) {
        const std::vector<Schedule> by_default = standard.schedules();
        runner_.prepare(layer_, target_, print_schedules(by_default));
        Result<Trial> best = compare_one(by_default);
        if (!best) return best.error();
        if (best->outcome != TrialOutcome::measured) {
            return Error{Failure::internal,
                         fmt::format("the default schedule {} of {} {}: {}", best->key.schedule,
                                     layer_.canonical_line(), outcome_name(best->outcome), best->reason)};
        }
        tuned_.default_seconds = best->seconds / best->relative;
        best->relative = 1;
        tuned_.schedules = by_default;
        const std::vector<Schedule> &incumbent = options_.incumbent;
        for (const std::vector<Schedule> *other : {&incumbent, &found}) {
            const bool is_incumbent = other == &incumbent;
            if (other->empty() || *other == by_default || (!is_incumbent && *other == incumbent)) continue;
            const Result<Trial> trial = compare_one(*other);
            if (!trial) return trial.error();
            if (trial->outcome != TrialOutcome::measured) continue;
            // The incumbent has been the faster one before.
            const bool is_better =
                is_incumbent ? trial->relative < least_gain : trial->relative * least_gain <= best->relative;
            if (!is_better) continue;
            best = trial;
            tuned_.schedules = *other;
        }
        tuned_.seconds = tuned_.default_seconds * best->relative;
        tuned_.improved = tuned_.schedules != by_default;
        return tuned_;
    }

    // With the default, in several processes: the median of its times to the default's, or a failure. The database
    // keeps it, in place of what the search saw.
    Result<Trial> compare_one(const std::vector<Schedule> &schedules) {
        const std::string text = print_schedules(schedules);
        std::vector<Trial> trials{runner_.measure(text, infinity)};
        const size_t times = text == runner_.baseline() ? 1 : comparisons;
        while (trials.size() < times && trials.back().outcome == TrialOutcome::measured) {
            trials.push_back(runner_.measure_elsewhere(text));
        }
        if (trials.back().outcome == TrialOutcome::measured) {
            std::sort(trials.begin(), trials.end(),
                      [](const Trial &a, const Trial &b) { return a.relative < b.relative; });
            std::swap(trials[trials.size() / 2], trials.back());
        }
        Trial trial = trials.back();
        trial.key = key_of(layer_, text);
        if (Status status = database_.record(trial); !status) return status.error();
        return trial;
    }

    static constexpr int most_batch = 4;  // compiled before the first of them is timed
    const Layer &layer_;
    const Target &target_;
    TrialRunner &runner_;
    TrialDatabase &database_;
    const TuneOptions &options_;
    const std::function<void(const TuneProgress &)> &progress_;
    Clock::time_point begin_ = Clock::now();
    double deadline_ = infinity;  // of the trials of the segment under way, in seconds since the search began
    double best_relative_ = 1;
    double part_seconds_ = 0;
    std::vector<Schedule> others_;  // schedules of the segment under way that another tuner is at
    std::set<std::string> known_;   // schedules of the segment under way that the search has been told of
    TunedLayer tuned_;
};

}  // namespace

Result<TunedLayer> tune_layer(const Layer &layer, const Target &target, TrialRunner &runner, TrialDatabase &database,
                              const TuneOptions &options, const std::function<void(const TuneProgress &)> &progress) {
    return LayerTuner(layer, target, runner, database, options, progress).tune();
}

}  // namespace convc
