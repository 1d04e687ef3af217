// The search for one layer's schedules: every way to divide its stages into kernels, and every kernel's schedule.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "compiler/tune/trial_database.h"
#include "compiler/tune/trial_runner.h"
#include "convc/status.h"

namespace convc {

struct TuneOptions {
    int trials = 100;      // of a layer
    double seconds = 1e9;  // of a layer; the trial under way is finished
    uint64_t random = 1;
    std::string machine, build;                            // of the records
    std::function<bool()> stopped = [] { return false; };  // asked before each trial
};

// What a search has come to.
struct TuneProgress {
    int trials = 0, most_trials = 0;
    int failures = 0;
    double relative = 1;  // the best kernel's time to the default's
};

struct TunedLayer {
    std::vector<Schedule> schedules;  // the default's where nothing is faster
    double default_seconds = 0, seconds = 0;
    int trials = 0;         // of this run
    int failures = 0;       // of those
    int known = 0;          // trials of earlier runs that were used
    bool improved = false;  // by more than the noise
    double noise = 0;       // how far two timings of the default lay apart, to the lesser
};

// An error is the database's, or says that not even the default runs.
Result<TunedLayer> tune_layer(const Layer &layer, const Target &target, TrialRunner &runner, TrialDatabase &database,
                              const TuneOptions &options,
                              const std::function<void(const TuneProgress &)> &progress = {});

}  // namespace convc
