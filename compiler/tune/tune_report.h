// What a run of the tuner found, as one HTML page: pictures and tables in one file, without scripts, for people.
//
//     TuneReport report;
//     report.command = "convc tune net.conv --report out.html";
//     report.roofs = {1e9 * peak.best(), {{"L2", 233e9, 1 << 20}, {"L3", 201e9, 32 << 20}, {"DRAM", 59e9}}};
//     ReportedLayer &reported = report.layers.emplace_back();
//     reported.line = layer.canonical_line();
//     reported.trials = {{earlier, true}, {trial}};
//     ...
//     write_file("out.html", tune_report_page(report));
//
// docs/tuning.md says how to read it. The page is XML as well as HTML; whatever bytes names and reasons have, they are
// text in it. It stays below some 4.5 MB: where many layers have many trials, plots are thinned out, and the page says
// so.
#pragma once

#include <string>
#include <vector>

#include "compiler/cost/roofline.h"
#include "compiler/tune/trial.h"

namespace convc {

struct ReportedLayer {
    std::string name;
    std::string line;                          // canonical
    std::string family;                        // colours the layer in the roofline; may be empty
    double nominal_flops = 0, real_flops = 0;  // two a multiply-add, see LayerCost; 0: not known
    double bytes = 0;                          // that move at least: LayerCost::bytes; 0: not known
    double default_seconds = 0, seconds = 0;   // 0: not even the default ran
    double noise = 0;                          // as in TunedLayer
    std::string default_schedule, schedule;    // print_schedules(); the latter is the default's where nothing is faster
    bool improved = false;
    // In the order in which they were made. Those of a chain's parts have the parts' lines in their keys.
    std::vector<MadeTrial> trials;
};

struct TuneReport {
    std::string date, command, target, machine, build, version;
    MachineRoofs roofs;
    double seconds = 0;  // spent
    double budget = 0;   // 0: none
    std::vector<ReportedLayer> layers;
};

std::string tune_report_page(const TuneReport &report);

}  // namespace convc
