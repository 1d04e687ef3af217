// Trials of one layer's schedules, in child processes: compiled side by side, then checked and timed alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/tune/trial_process.h"
#include "convc/layer.h"
#include "convc/status.h"
#include "convc/target.h"

namespace convc {

struct TrialRunnerOptions {
    std::vector<std::string> worker;  // the command, which answers as verbs/trial_worker.cpp does
    std::string folder;               // for kernels, which are of no use later
    TrialLimits limits;
    int compilers = 1;             // processes that compile at a time
    double compile_seconds = 60;   // a candidate that takes longer is dropped
    double repeat_seconds = 0.02;  // of one timing
    int repeats = 3;               // of a candidate that may be the best
    int confirming = 6;            // of one that seems to be, beside those
    int final_repeats = 8;         // of the few that it is chosen from
    int cpus = 0;                  // that kernels are timed on; 0: all
};

// One of the few best schedules, timed once more.
struct Final {
    Trial trial;      // as measured now
    double cold = 0;  // its time to the baseline's where no cache holds any of the data
};

class TrialRunner {
public:
    explicit TrialRunner(TrialRunnerOptions options);

    // The layer of all trials that follow, and the schedule that others are timed in turns with. Of what it was told
    // last, the processes keep what they know.
    void prepare(const Layer &layer, const Target &target, const std::string &baseline);

    const std::string &baseline() const { return baseline_; }

    // Why there are no kernels of these, for those of which there is none. With `symbols`, one for each, the kernels
    // are kept in the folder under those names, to be linked into one program; measure() knows nothing of such.
    std::vector<std::optional<Trial>> compile(const std::vector<std::string> &schedules,
                                              const std::vector<std::string> &symbols = {});

    // Checks and times one. `best` is the least time, to the baseline's, of those before: one that is far from it is
    // dropped early, and one that seems to be faster is timed for longer, for a baseline that was disturbed makes any
    // schedule look fast.
    Trial measure(const std::string &schedules, double best);

    // Times one that was right before, for longer, with warm caches and with cold ones.
    Final measure_again(const std::string &schedules);

    // Times one that was right before in a process of its own: where the pages of a process's buffers lie is worth up
    // to a tenth of a kernel that takes microseconds, to one schedule and not to another.
    Trial measure_elsewhere(const std::string &schedules);

    // Seconds of the baseline, without a check.
    Result<double> time_baseline();

private:
    TrialAnswer ask(TrialProcess &process, const nlohmann::ordered_json &request, double seconds);
    Trial new_trial(const std::string &schedules) const;
    bool read_failure(const TrialAnswer &answer, Trial &trial) const;
    struct Turns {
        double baseline, own;  // seconds, the minima
        void take(const Turns &more) { baseline = std::min(baseline, more.baseline), own = std::min(own, more.own); }
    };
    // Warm. Until the baseline is not slower than it was, or again and again it is.
    std::optional<Turns> undisturbed_turns(Trial &trial, int repeats, double worthwhile);
    void finish(Trial &trial, const Turns &turns) const;
    // Nothing after a failure, which `trial` then says. Ends early once it takes more than `worthwhile`, to the
    // baseline.
    std::optional<Turns> time_in_turns(Trial &trial, int repeats, bool cold, double worthwhile);
    double check_seconds() const;

    TrialRunnerOptions options_;
    nlohmann::ordered_json preparation_;
    std::string baseline_;
    double work_ = 0;            // multiply-adds of the layer
    double least_baseline_ = 0;  // seconds; what the baseline takes where nothing disturbs it
    bool checked_ = false;       // a schedule of this layer, by the measurer as it is
    std::unique_ptr<TrialProcess> new_measurer() const;

    std::vector<std::unique_ptr<TrialProcess>> compilers_;
    std::unique_ptr<TrialProcess> measurer_;
};

}  // namespace convc
