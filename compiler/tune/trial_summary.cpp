#include "compiler/tune/trial_summary.h"

#include <algorithm>
#include <tuple>

namespace convc {
namespace {

void add(const Trial &trial, TrialSummary &summary) {
    summary.layer = trial.key.layer;
    summary.target = trial.key.target;
    summary.machine = trial.key.machine;
    summary.build = trial.key.build;
    summary.trials++;
    summary.newest = std::max(summary.newest, trial.finished);
    if (trial.outcome != TrialOutcome::measured) {
        summary.failures[trial.outcome]++;
    } else if (!summary.best || trial.relative < summary.best->relative) {
        summary.best = trial;
    }
}

}  // namespace

std::vector<TrialSummary> summarise(const std::vector<Trial> &trials, SummaryOrder order) {
    std::map<TrialKey, TrialSummary> groups;
    std::map<std::string, int64_t> newest;  // of a layer
    for (const Trial &trial : trials) {
        TrialKey key = trial.key;
        key.schedule.clear();
        add(trial, groups[key]);
        newest[key.layer] = std::max(newest[key.layer], trial.finished);
    }
    std::vector<TrialSummary> all;
    all.reserve(groups.size());
    for (auto &[key, summary] : groups) all.push_back(std::move(summary));
    if (order == SummaryOrder::by_layer) return all;
    // Stable: what is equally new stays in the order of its keys.
    std::stable_sort(all.begin(), all.end(), [&](const TrialSummary &a, const TrialSummary &b) {
        return std::tuple(newest[b.layer], a.layer, b.newest) < std::tuple(newest[a.layer], b.layer, a.newest);
    });
    return all;
}

}  // namespace convc
