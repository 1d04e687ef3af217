// How good the tuner's search is: it is replayed against trials that an exhaustive run has measured, without measuring
// anything again, with a tenth of the trials and many seeds of its random numbers.
//
//     convc tune net.conv --effort exhaustive --database all.db     # once; hours
//     convc_bench_search all.db
//     convc_bench_search all.db --trials > trials.tsv               # for bench/learned_ranking.py
//
// A row a layer: the candidates of its space and how many of them were measured; the least time among them by that of
// all that was measured, which may have been without the models' limit; the default's time by the best one's; and the
// time of what the search finds by the best one's, the median and the worst over the seeds. For ranking alone, without
// a measurement: the same of the model's first choice, and the rank correlation (Spearman's) of what the models predict
// with what was measured.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>

#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "compiler/tune/schedule_search.h"
#include "compiler/tune/trial_database.h"
#include "convc/convc.hpp"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"

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

// What the models predict of schedules that ran, in the search's space or not, and what they cost.
struct Prediction {
    Schedule schedule;
    double predicted = 0, cost = 0;
};

std::vector<Prediction> predictions(const MeasuredLayer &measured) {
    std::vector<Prediction> all;
    for (const auto &[schedule, cost] : measured.costs) {
        const Algorithm *algorithm = algorithm_named(schedule.algorithm);
        if (cost == infinity || !algorithm || !algorithm->cycles) continue;
        all.push_back({schedule, algorithm->cycles(kernel_request(measured.group(), schedule, measured.target)), cost});
    }
    return all;
}

// Ranks, equal ones their mean.
template <class Value>
std::vector<double> ranks(const std::vector<Prediction> &all, Value value) {
    std::vector<size_t> order(all.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value(all[a]) < value(all[b]); });
    std::vector<double> ranks(all.size());
    for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
        while (end < order.size() && value(all[order[end]]) == value(all[order[begin]])) end++;
        for (size_t i = begin; i < end; i++) ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
    }
    return ranks;
}

double rank_correlation(const std::vector<Prediction> &all) {
    const std::vector<double> a = ranks(all, [](const Prediction &each) { return each.predicted; });
    const std::vector<double> b = ranks(all, [](const Prediction &each) { return each.cost; });
    const double mean = (static_cast<double>(all.size()) - 1) / 2;
    double both = 0, first = 0, second = 0;
    for (size_t i = 0; i < all.size(); i++) {
        both += (a[i] - mean) * (b[i] - mean);
        first += (a[i] - mean) * (a[i] - mean);
        second += (b[i] - mean) * (b[i] - mean);
    }
    return first > 0 && second > 0 ? both / std::sqrt(first * second) : 0;
}

struct Row {
    int64_t candidates = 0, measured = 0, trials = 0;
    double correlation = 0;
    double by_default = infinity, by_model = infinity, median = infinity, worst = infinity;  // by the best
    double kept = infinity;  // the best that the models leave in the space, by the best of all that was measured
};

Row row_of(const MeasuredLayer &measured) {
    const ScheduleSearch search(measured.group(), measured.target, {}, 1);
    Row row{search.size(), 0, std::max<int64_t>(search.size() / share_of_trials, 1)};
    row.correlation = rank_correlation(predictions(measured));
    const double best = measured.best();
    const Candidate *first = nullptr;
    for (const AlgorithmSpace &space : search.spaces()) {
        for (const Candidate &each : space.candidates) {
            row.measured += measured.costs.contains(each.schedule) ? 1 : 0;
            row.kept = std::min(row.kept, measured.cost(each.schedule) / best);
            if (!first || each.predicted < first->predicted) first = &each;
        }
    }
    if (first) row.by_model = measured.cost(first->schedule) / best;
    for (const Schedule &schedule : default_of(measured)) row.by_default = measured.cost(schedule) / best;
    std::vector<double> found;
    for (uint64_t seed = 1; seed <= seeds; seed++) found.push_back(replay(measured, row.trials, seed) / best);
    std::sort(found.begin(), found.end());
    row.median = found[found.size() / 2];
    row.worst = found.back();
    return row;
}

void print_rows(const std::vector<MeasuredLayer> &layers) {
    fmt::print("{:>10} {:>8} {:>6} {:>7} {:>8} {:>6} {:>7} {:>6} {:>7}  {}\n", "candidates", "measured", "kept",
               "trials", "default", "model", "median", "worst", "ranking", "layer");
    for (const MeasuredLayer &measured : layers) {
        const Row row = row_of(measured);
        fmt::print("{:>10} {:>8} {:>6.3f} {:>7} {:>8.3f} {:>6.3f} {:>7.3f} {:>6.3f} {:>7.2f}  {}\n", row.candidates,
                   row.measured, row.kept, row.trials, row.by_default, row.by_model, row.median, row.worst,
                   row.correlation, measured.layer.canonical_line());
    }
}

void print_trials(const std::vector<MeasuredLayer> &layers) {
    fmt::print("layer\tschedule\tpredicted\tcost\n");
    for (const MeasuredLayer &measured : layers) {
        for (const Prediction &each : predictions(measured)) {
            fmt::print("{}\t{}\t{:.0f}\t{:.5f}\n", measured.layer.canonical_line(), print_schedule(each.schedule),
                       each.predicted, each.cost);
        }
    }
}

int run(const char *file, bool as_trials) {
    const Result<TrialDatabase> database = TrialDatabase::open(file, TrialDatabase::Missing::refused);
    const Result<std::vector<Trial>> trials =
        database ? database->trials() : Result<std::vector<Trial>>(database.error());
    if (!trials) {
        fmt::print(stderr, "{}\n", trials.error().message);
        return 1;
    }
    const std::vector<MeasuredLayer> layers = measured_layers(*trials);
    if (as_trials) {
        print_trials(layers);
    } else {
        print_rows(layers);
    }
    return 0;
}

}  // namespace
}  // namespace convc

int main(int argc, char **argv) {
    const bool as_trials = argc == 3 && std::string_view(argv[2]) == "--trials";
    if (argc == 2 || as_trials) return convc::run(argv[1], as_trials);
    fmt::print(stderr, "usage: convc_bench_search DATABASE [--trials]\n");
    return 2;
}
