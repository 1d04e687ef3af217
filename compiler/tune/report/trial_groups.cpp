#include "compiler/tune/report/trial_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>

#include "schedules/vector_width.h"

namespace convc {
namespace {

bool is_measured(const Trial &trial) {
    const bool times = std::isfinite(trial.relative) && trial.relative > 0 && std::isfinite(trial.seconds);
    return trial.outcome == TrialOutcome::measured && times;
}

std::optional<Schedule> one_schedule(const std::string &text) {
    const Result<Schedule> schedule = parse_schedule(text);
    return schedule ? std::optional(*schedule) : std::nullopt;
}

void find_best(TrialGroup &group) {
    for (size_t i = 0; i < group.trials.size(); i++) {
        if (!group.trials[i].measured) continue;
        const bool first = !group.best;
        if (first || group.trials[i].trial->relative < group.trials[*group.best].trial->relative) group.best = i;
    }
}

// Whether the layer's schedules, joined by arrows, have this one.
bool has_schedule(const std::string &schedules, const std::string &one) {
    return (" -> " + schedules + " -> ").find(" -> " + one + " -> ") != std::string::npos;
}

}  // namespace

std::vector<TrialGroup> trial_groups(const ReportedLayer &layer) {
    std::vector<TrialGroup> groups;
    for (const MadeTrial &reported : layer.trials) {
        const std::string &line = reported.trial.key.layer;
        auto group = std::find_if(groups.begin(), groups.end(), [&](const auto &one) { return one.line == line; });
        if (group == groups.end()) group = groups.insert(group, TrialGroup{.line = line});
        group->trials.push_back({group->trials.size() + 1, &reported.trial, reported.known, is_measured(reported.trial),
                                 one_schedule(reported.trial.key.schedule)});
    }
    if (groups.empty()) groups.push_back({.line = layer.line});
    for (TrialGroup &group : groups) {
        find_best(group);
        const NumberedTrial *best = group.best ? &group.trials[*group.best] : nullptr;
        if (groups.size() == 1) {
            group.winner = one_schedule(layer.schedule);
        } else {
            group.used = best && has_schedule(layer.schedule, best->trial->key.schedule);
        }
        if (!group.winner && best) group.winner = best->schedule;
    }
    return groups;
}

std::vector<NumberedTrial> measured_trials(const TrialGroup &group) {
    std::vector<NumberedTrial> measured;
    std::copy_if(group.trials.begin(), group.trials.end(), std::back_inserter(measured),
                 [](const NumberedTrial &one) { return one.measured; });
    return measured;
}

std::string failures_markup(const std::vector<MadeTrial> &trials) {
    std::map<TrialOutcome, size_t> counts;
    for (const MadeTrial &reported : trials) counts[reported.trial.outcome]++;
    std::string text;
    for (const auto &[outcome, count] : counts) {
        if (outcome == TrialOutcome::measured) continue;
        text +=
            fmt::format("{}<span class=\"whole\">{} {}</span>", text.empty() ? "" : ", ", count, outcome_name(outcome));
    }
    return text;
}

std::string algorithm_text(const Schedule &schedule) {
    return schedule.algorithm + (uses_half_vectors(schedule) ? ", half vectors" : "");
}

std::vector<NumberedTrial> thinned(const std::vector<NumberedTrial> &trials, size_t most) {
    if (trials.size() <= most) return trials;
    std::vector<size_t> order(trials.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto cost = [&](size_t i) { return trials[i].measured ? trials[i].trial->relative : INFINITY; };
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return cost(a) < cost(b); });
    const size_t fastest = most / 2, others = most - fastest, rest = order.size() - fastest;
    std::vector<size_t> kept(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(fastest));
    for (size_t i = 0; i < others; i++) kept.push_back(order[fastest + i * rest / others]);
    std::sort(kept.begin(), kept.end());
    std::vector<NumberedTrial> few;
    few.reserve(kept.size());
    for (const size_t i : kept) few.push_back(trials[i]);
    return few;
}

}  // namespace convc
