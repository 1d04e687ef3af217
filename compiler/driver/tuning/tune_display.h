// What `convc tune` shows: a bar while it searches, a row a layer, and a summary.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/console.h"
#include "compiler/driver/tuning/tune_jobs.h"
#include "compiler/tune/tune_layer.h"

namespace convc {

// On a terminal, in place: trials, the best so far against the default and against the roofline, and the time left.
class TuneBar {
public:
    // `seconds` is what the layer may take; nothing is said of the time left where that is more than a day.
    TuneBar(const Console &console, std::string layer, const MachineRoofs &roofs, double seconds);
    ~TuneBar();  // wipes it
    TuneBar(const TuneBar &) = delete;
    TuneBar &operator=(const TuneBar &) = delete;

    void show(const TuneProgress &progress) const;

private:
    bool enabled_;
    std::string layer_;
    MachineRoofs roofs_;
    double seconds_;
};

std::string tune_head();
std::string tune_row(const TuneJob &job, const TunedLayer &tuned);
// The layers' geometric mean, how many became faster, and the noise.
std::string tune_summary(const std::vector<TunedLayer> &all, double seconds);

}  // namespace convc
