// How good the tuner's search is: it is replayed against trials that an exhaustive run has measured, without measuring
// anything again, with a tenth of the trials and many seeds of its random numbers.
//
//     convc tune net.conv --effort exhaustive --database all.db     # once; hours
//     convc_bench_search all.db
//
// A row a layer: the candidates of its space and how many of them were measured; the default's time by the best one's;
// and the time of what the search finds by the best one's, the median and the worst over the seeds. For ranking alone,
// without a measurement, the same of the model's first choice of any space.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>

#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "compiler/tune/schedule_search.h"
#include "compiler/tune/trial_database.h"
#include "convc/convc.hpp"

namespace convc {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int seeds = 20;
constexpr int share_of_trials = 10;  // one of so many candidates

// What one layer's schedules cost: their time by the default's.
struct MeasuredLayer {
    Layer layer;
    Target target;
    std::map<Schedule, double> costs;

    StageGroup group() const { return {&layer, 0, static_cast<int>(layer.stages.size())}; }

    double best() const {
        double least = infinity;
        for (const auto &[schedule, cost] : costs) least = std::min(least, cost);
        return least;
    }

    double cost(const Schedule &schedule) const {
        const auto found = costs.find(schedule);
        return found == costs.end() ? infinity : found->second;
    }
};

std::vector<MeasuredLayer> measured_layers(const std::vector<Trial> &trials) {
    std::map<std::pair<std::string, std::string>, MeasuredLayer> layers;
    for (const Trial &trial : trials) {
        const Result<Layer> layer = parse_layer(trial.key.layer);
        const Result<Target> target = parse_target(trial.key.target);
        const Result<Schedule> schedule = parse_schedule(trial.key.schedule);
        if (!layer || !target || !schedule) continue;
        MeasuredLayer &measured = layers[{trial.key.layer, trial.key.target}];
        measured.layer = *layer;
        // A name says nothing of the caches.
        measured.target = target->full_name() == host_target().full_name() ? host_target() : *target;
        measured.costs[*schedule] = trial.outcome == TrialOutcome::measured ? trial.relative : infinity;
    }
    std::vector<MeasuredLayer> all;
    for (auto &[key, measured] : layers) all.push_back(std::move(measured));
    return all;
}

std::vector<Schedule> default_of(const MeasuredLayer &measured) {
    const Result<Plan> plan = make_plan(measured.layer, measured.target);
    return plan && plan->groups.size() == 1 ? plan->schedules() : std::vector<Schedule>{};
}

// The least cost that a search sees within so many trials.
double replay(const MeasuredLayer &measured, int64_t trials, uint64_t seed) {
    ScheduleSearch search(measured.group(), measured.target, default_of(measured), seed);
    double least = infinity;
    for (int64_t trial = 0; trial < trials; trial++) {
        const auto schedule = search.next();
        if (!schedule) break;
        const double cost = measured.cost(*schedule);
        search.tell(*schedule, cost);
        least = std::min(least, cost);
    }
    return least;
}

struct Row {
    int64_t candidates = 0, measured = 0, trials = 0;
    double by_default = infinity, by_model = infinity, median = infinity, worst = infinity;  // by the best
};

Row row_of(const MeasuredLayer &measured) {
    const ScheduleSearch search(measured.group(), measured.target, {}, 1);
    Row row{search.size(), 0, std::max<int64_t>(search.size() / share_of_trials, 1)};
    const double best = measured.best();
    for (const AlgorithmSpace &space : search.spaces()) {
        for (const Candidate &each : space.candidates) row.measured += measured.costs.contains(each.schedule) ? 1 : 0;
        if (space.candidates.empty()) continue;
        row.by_model = std::min(row.by_model, measured.cost(space.candidates.front().schedule) / best);
    }
    for (const Schedule &schedule : default_of(measured)) row.by_default = measured.cost(schedule) / best;
    std::vector<double> found;
    for (uint64_t seed = 1; seed <= seeds; seed++) found.push_back(replay(measured, row.trials, seed) / best);
    std::sort(found.begin(), found.end());
    row.median = found[found.size() / 2];
    row.worst = found.back();
    return row;
}

int run(const char *file) {
    const Result<TrialDatabase> database = TrialDatabase::open(file, TrialDatabase::Missing::refused);
    const Result<std::vector<Trial>> trials =
        database ? database->trials() : Result<std::vector<Trial>>(database.error());
    if (!trials) {
        fmt::print(stderr, "{}\n", trials.error().message);
        return 1;
    }
    fmt::print("{:>10} {:>8} {:>7} {:>8} {:>6} {:>7} {:>6}  {}\n", "candidates", "measured", "trials", "default",
               "model", "median", "worst", "layer");
    for (const MeasuredLayer &measured : measured_layers(*trials)) {
        const Row row = row_of(measured);
        fmt::print("{:>10} {:>8} {:>7} {:>8.3f} {:>6.3f} {:>7.3f} {:>6.3f}  {}\n", row.candidates, row.measured,
                   row.trials, row.by_default, row.by_model, row.median, row.worst, measured.layer.canonical_line());
    }
    return 0;
}

}  // namespace
}  // namespace convc

int main(int argc, char **argv) {
    if (argc == 2) return convc::run(argv[1]);
    fmt::print(stderr, "usage: convc_bench_search DATABASE\n");
    return 2;
}
