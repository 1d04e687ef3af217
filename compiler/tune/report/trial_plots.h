// The pictures of one layer's trials.
#pragma once

#include <limits>
#include <string>

#include "compiler/tune/report/trial_groups.h"

namespace convc {

// How much of a page is drawn: what is left out where it would become too large.
struct Detail {
    bool hover = true;  // hover texts of single trials
    size_t progress_marks = std::numeric_limits<size_t>::max();
    size_t knob_marks = std::numeric_limits<size_t>::max();  // of each knob's plot
    bool plots = true;                                       // of trials at all
};

// Time by that of the default over the trials in their order: the search's progress.
std::string progress_plot(const TrialGroup &group, double noise, const Detail &detail);

// The trials of each algorithm and width, and the best of each.
std::string algorithm_plot(const TrialGroup &group, const Detail &detail);

// For every knob of the winner's algorithm of which several values were tried, time over the values; and what the other
// knobs were.
std::string knob_plots(const TrialGroup &group, const Detail &detail);

}  // namespace convc
