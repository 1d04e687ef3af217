// What the page says of one layer.
#pragma once

#include <string>

#include "compiler/tune/report/trial_plots.h"
#include "compiler/tune/tune_report.h"

namespace convc {

// `index` is the layer's in the report. Its anchor is layer-1 for the first.
std::string layer_section(const TuneReport &report, size_t index, const Detail &detail);

// "1.143"; empty where the layer was not timed.
std::string gain_text(const ReportedLayer &layer);
// "97 %"; empty where not known.
std::string peak_text(const TuneReport &report, const ReportedLayer &layer);
// "69 % of L3"; the same.
std::string roofline_text(const TuneReport &report, const ReportedLayer &layer);

}  // namespace convc
