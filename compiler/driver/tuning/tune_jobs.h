// The layers that a run of `convc tune` searches, and what each gets of the run's time.
#pragma once

#include <string>
#include <vector>

#include "compiler/cost/roofline.h"
#include "compiler/driver/session.h"
#include "compiler/tune/trial_runner.h"

namespace convc {

struct TuneJob {
    const Program *program = nullptr;
    const CheckedLayer *checked = nullptr;
    std::string argument;        // that the program was read from
    double default_seconds = 0;  // of a call with the default schedule; 0: not timed yet
    double roof_seconds = 0;     // that it takes at least: roofline_seconds()

    const Layer &layer() const { return checked->layer; }
};

// Those without the ones whose layer came before: a network repeats its layers.
std::vector<TuneJob> first_of_each_line(const std::vector<TuneJob> &jobs);

// What `compile` and `run` take for the layer now: its schedule in the file or beside it, or the shipped one; else
// empty.
std::vector<Schedule> schedules_in_effect(const Program &program, const Layer &layer, const Target &target);

// `--shard 2/8`: of 8 runs, the one that takes the layers 2, 10, 18, ... Where the runs' arguments are otherwise equal,
// every layer is in exactly one of them.
struct Shard {
    size_t number = 1, of = 1;
    bool holds(size_t layer) const { return layer % of == number - 1; }
};
Result<Shard> read_shard(const std::string &text);

// The target that kernels are tuned for: `host` or another one whose code this machine runs, with so many threads.
Result<Target> read_tuning_target(const std::string &name, int threads);

// Measures what the machine can do; some 0.3 s.
MachineRoofs measure_roofs(const Target &target);

// Fills in default_seconds. An error names the layer whose default does not run.
Status time_default(TuneJob &job, const Target &target, TrialRunner &runner);

// What each of these jobs gets of the time, together 1: half of it equally, for every layer needs some trials; half by
// the time that a call takes beyond the machine's roof, which is what can be gained.
std::vector<double> time_shares(const std::vector<TuneJob> &jobs);

}  // namespace convc
