// What a run of the tuner found, as one HTML page: pictures and tables in one file, without scripts, for people.
//
//     TuneReport report;
//     report.command = "convc tune net.conv --report out.html";
//     report.fma_peak = 1e9 * peak.best();
//     report.levels = {{"L2", 233e9, 1 << 20}, {"L3", 201e9, 32 << 20}, {"DRAM", 59e9}};
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

#include <limits>
#include <string>
#include <vector>

#include "compiler/tune/trial.h"

namespace convc {

// A roof over layers whose bytes it holds. The innermost comes first.
struct MemoryLevel {
    std::string name;  // "L2"
    double bytes_per_second = 0;
    double bytes = std::numeric_limits<double>::infinity();  // what it holds, of all threads together
};

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
    double fma_peak = 0;              // operations a second; 0: not known
    std::vector<MemoryLevel> levels;  // may be empty
    double seconds = 0;               // spent
    double budget = 0;                // 0: none
    std::vector<ReportedLayer> layers;
};

std::string tune_report_page(const TuneReport &report);

}  // namespace convc
