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

// A schedule has to be so much faster than the one there is.
inline constexpr double least_gain = 1.02;

struct TuneOptions {
    int trials = 100;      // of a layer
    double seconds = 1e9;  // of a layer; the trial under way is finished
    uint64_t random = 1;
    std::string machine, build;       // of the records
    std::vector<Schedule> incumbent;  // what counts for the layer now, beside the default; may be empty
    std::function<bool()> stopped = [] { return false; };  // asked before each trial
};

// What a search has come to.
struct TuneProgress {
    int trials = 0, most_trials = 0;
    int failures = 0;
    double relative = 1;          // the best kernel's time to the default's, of the stages that are searched now
    double seconds = 0;           // since the layer's search began
    double default_seconds = 0;   // of a call of the stages that are searched now
    const Layer *part = nullptr;  // these stages
};

// One of the best few schedules of a layer, or of a part of it, timed once more at the end.
struct Finalist {
    std::string layer;  // canonical line
    std::string schedule;
    double warm = 0, cold = 0;  // its time to the default's
};

struct TunedLayer {
    std::vector<Schedule> schedules;  // the incumbent's or the default's where nothing is faster
    double default_seconds = 0, seconds = 0;
    int trials = 0;         // of this run
    int failures = 0;       // of those
    int known = 0;          // trials of earlier runs that were used
    int seeds = 0;          // schedules of near layers that were tried
    bool improved = false;  // other schedules than the default's
    double noise = 0;       // how far two timings of the default in turns lay apart: the most that was seen
    std::vector<Finalist> finalists;
    std::vector<MadeTrial> made;  // in their order, those of parts too
};

// An error is the database's, or says that not even the default runs.
Result<TunedLayer> tune_layer(const Layer &layer, const Target &target, TrialRunner &runner, TrialDatabase &database,
                              const TuneOptions &options,
                              const std::function<void(const TuneProgress &)> &progress = {});

}  // namespace convc
