// A bundle: candidates for layers' schedules, compiled here, to be timed on a machine that has no convc.
//
// A folder of C sources and a static library. driver.c, trial.c, trial.h, bundle_table.h and convc/convc.h are the same
// in every bundle; candidates.c says what there is to measure and what is right; libcandidates.a holds the kernels;
// `sh build.sh` makes the program `tune` of them, which appends a trial a line to results.jsonl, as parse_trials()
// reads it (compiler/tune/trial_database.h).
//
// Right is what the reference computes of numbers that driver and convc make alike. For small integers, where f32 makes
// no error on them, that is a checksum of the whole output. For integers and real numbers it is a sample of the output,
// or all of it where that is small, with what a kernel may differ by (compiler/reference/error_bound.h). Every element,
// sampled or not, is compared with the default schedule's.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "compiler/driver/console.h"
#include "convc/layer.h"
#include "convc/status.h"
#include "convc/target.h"

namespace convc {

struct BundleOptions {
    std::filesystem::path folder;  // new, empty, or with an earlier bundle, whose results stay
    Target target;
    int trials = 100;                 // candidates of a layer, defaults included
    std::vector<std::string> worker;  // as in TrialRunnerOptions
    std::filesystem::path scratch;    // for kernels on their way
    std::function<bool()> stopped = [] { return false; };
};

// Chooses what a search would try before its first measurement, compiles it in processes of its own, and writes the
// folder. candidates.c, without which there is nothing to build, comes last. Says on the console what was written.
Status write_bundle(Console &console, const std::vector<Layer> &layers, const BundleOptions &options);

}  // namespace convc
