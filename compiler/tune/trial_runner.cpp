#include "compiler/tune/trial_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <optional>
#include <thread>

#include "compiler/cost/cost.h"

namespace convc {
namespace {

using nlohmann::ordered_json;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double worth_repeats = 1.3;  // to the best, or a trial is cut short
constexpr double as_usual = 1.05;      // of the baseline, to the least time that it took

}  // namespace

TrialRunner::TrialRunner(TrialRunnerOptions options) : options_(std::move(options)) {
    const auto process = [&] { return std::make_unique<TrialProcess>(options_.worker, options_.limits); };
    for (int i = 0; i < options_.compilers; i++) compilers_.push_back(process());
    measurer_ = new_measurer();
}

std::unique_ptr<TrialProcess> TrialRunner::new_measurer() const {
    TrialLimits alone = options_.limits;
    alone.cpus = options_.cpus;
    return std::make_unique<TrialProcess>(options_.worker, alone);
}

void TrialRunner::prepare(const Layer &layer, const Target &target, const std::string &baseline) {
    if (baseline_ != baseline) least_baseline_ = 0;
    baseline_ = baseline;
    const ordered_json preparation{{"do", "prepare"},
                                   {"layer", layer.canonical_line()},
                                   {"target", target.full_name()},
                                   {"folder", options_.folder}};
    if (preparation == preparation_) return;
    preparation_ = preparation;
    least_baseline_ = 0;
    const std::optional<LayerCost> cost = layer_cost(layer);
    work_ = cost ? static_cast<double>(cost->nominal_macs) : 0;
    checked_ = false;
    for (const auto &compiler : compilers_) {
        if (compiler->running()) compiler->ask(preparation_, options_.compile_seconds);
    }
    if (measurer_->running()) measurer_->ask(preparation_, options_.compile_seconds);
}

// A process that is started anew knows nothing of the layer.
TrialAnswer TrialRunner::ask(TrialProcess &process, const ordered_json &request, double seconds) {
    if (!process.running()) {
        TrialAnswer prepared = process.ask(preparation_, options_.compile_seconds);
        if (prepared.outcome != TrialOutcome::measured) return prepared;
    }
    return process.ask(request, seconds);
}

Trial TrialRunner::new_trial(const std::string &schedules) const {
    Trial trial;
    trial.key.layer = preparation_.at("layer");
    trial.key.target = preparation_.at("target");
    trial.key.schedule = schedules;
    trial.finished = std::time(nullptr);
    return trial;
}

// Whether there is one.
bool TrialRunner::read_failure(const TrialAnswer &answer, Trial &trial) const {
    trial.outcome = answer.outcome;
    trial.reason = answer.reason;
    if (answer.outcome != TrialOutcome::measured) return true;
    for (const TrialOutcome outcome : {TrialOutcome::refused, TrialOutcome::wrong, TrialOutcome::rejected}) {
        if (!answer.body.contains(outcome_name(outcome))) continue;
        trial.outcome = outcome;
        trial.reason = answer.body.at(outcome_name(outcome));
        return true;
    }
    return false;
}

// The first check of a layer waits for the reference: at the very least 10^7 multiply-adds a second, of two specimens.
double TrialRunner::check_seconds() const {
    const double call = options_.compile_seconds + work_ / 1e8;
    return checked_ && measurer_->running() ? call : call + std::min(work_, 5 * most_checked_products) / 5e6;
}

std::vector<std::optional<Trial>> TrialRunner::compile(const std::vector<std::string> &schedules,
                                                       const std::vector<std::string> &symbols) {
    std::vector<std::optional<Trial>> failures(schedules.size());
    const auto compile_some = [&](size_t compiler) {
        for (size_t i = compiler; i < schedules.size(); i += compilers_.size()) {
            Trial trial = new_trial(schedules[i]);
            ordered_json request{{"do", "compile"}, {"schedules", schedules[i]}};
            if (!symbols.empty()) request["symbol"] = symbols[i];
            const TrialAnswer answer = ask(*compilers_[compiler], request, options_.compile_seconds);
            if (read_failure(answer, trial)) failures[i] = std::move(trial);
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(compilers_.size());
    for (size_t i = 0; i < compilers_.size(); i++) threads.emplace_back(compile_some, i);
    for (std::thread &thread : threads) thread.join();
    return failures;
}

Trial TrialRunner::measure(const std::string &schedules, double best) {
    Trial trial = new_trial(schedules);
    TrialAnswer answer = ask(*measurer_, {{"do", "check"}, {"schedules", schedules}}, check_seconds());
    if (read_failure(answer, trial)) return trial;
    checked_ = true;
    auto turns = undisturbed_turns(trial, options_.repeats, worth_repeats * best);
    if (turns && turns->own < best * turns->baseline) {
        const auto more = undisturbed_turns(trial, options_.confirming, infinity);
        if (!more) return trial;
        turns->take(*more);
    }
    if (turns) finish(trial, *turns);
    return trial;
}

// By the baseline in the same turns; where that was disturbed, any schedule would look fast, so by what it takes else.
void TrialRunner::finish(Trial &trial, const Turns &turns) const {
    const bool disturbed = turns.baseline > as_usual * least_baseline_;
    trial.seconds = turns.own;
    trial.relative = turns.own / (disturbed ? least_baseline_ : turns.baseline);
    trial.finished = std::time(nullptr);
}

std::optional<TrialRunner::Turns> TrialRunner::undisturbed_turns(Trial &trial, int repeats, double worthwhile) {
    constexpr int most_tries = 4;
    Turns turns{infinity, infinity};
    for (int i = 0; i < most_tries; i++) {
        const auto more = time_in_turns(trial, repeats, false, worthwhile);
        if (!more) return std::nullopt;
        turns.take(*more);
        if (least_baseline_ == 0 || turns.baseline < least_baseline_) least_baseline_ = turns.baseline;
        if (turns.baseline <= as_usual * least_baseline_ || turns.own > worthwhile * turns.baseline) break;
    }
    return turns;
}

std::optional<TrialRunner::Turns> TrialRunner::time_in_turns(Trial &trial, int repeats, bool cold, double worthwhile) {
    const ordered_json request{{"do", "time"},
                               {"schedules", {baseline_, trial.key.schedule}},
                               {"seconds", options_.repeat_seconds},
                               {"cold", cold}};
    Turns turns{infinity, infinity};
    for (int i = 0; i < repeats; i++) {
        const TrialAnswer answer = ask(*measurer_, request, options_.compile_seconds + work_ / 1e8);
        if (read_failure(answer, trial)) return std::nullopt;
        trial.workspace = answer.body.value("workspace", int64_t{0});
        turns.baseline = std::min(turns.baseline, answer.body.at("seconds").at(0).get<double>());
        turns.own = std::min(turns.own, answer.body.at("seconds").at(1).get<double>());
        if (i > 0 && turns.own > worthwhile * turns.baseline) break;  // it will not be the best any more
    }
    return turns;
}

Final TrialRunner::measure_again(const std::string &schedules) {
    Final final{new_trial(schedules), 0};
    const auto warm = undisturbed_turns(final.trial, options_.final_repeats, infinity);
    if (!warm) return final;
    const auto cold = time_in_turns(final.trial, 1, true, infinity);
    if (!cold) return final;
    finish(final.trial, *warm);
    final.cold = cold->own / cold->baseline;
    return final;
}

Trial TrialRunner::measure_elsewhere(const std::string &schedules) {
    measurer_ = new_measurer();
    checked_ = false;
    Trial trial = new_trial(schedules);
    const auto turns = undisturbed_turns(trial, options_.final_repeats, infinity);
    if (turns) finish(trial, *turns);
    return trial;
}

Result<double> TrialRunner::time_baseline() {
    Trial trial = new_trial(baseline_);
    const auto turns = time_in_turns(trial, 1, false, infinity);
    if (turns) return std::min(turns->own, turns->baseline);
    return Error{Failure::internal, fmt::format("the default schedule {} of {} {}: {}", baseline_, trial.key.layer,
                                                outcome_name(trial.outcome), trial.reason)};
}

}  // namespace convc
