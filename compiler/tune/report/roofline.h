// How near a layer comes to what the machine can do: the roofline (Williams, Waterman and Patterson, "Roofline", CACM
// 52(4), 2009), as numbers and as a picture.
#pragma once

#include <string>

#include "compiler/tune/tune_report.h"

namespace convc {

struct Roof {
    double rate = 0;   // operations a second that can be reached; 0 where that is not known
    std::string name;  // of what bounds them: "FMA", or a memory level's
};

// The lesser of the peak and what the bytes that have to move allow, at the bandwidth of the innermost level that holds
// all of them.
Roof attainable(const TuneReport &report, const ReportedLayer &layer);

// Every layer as an arrow from the default's rate to the tuned one. Empty where there is nothing to draw.
std::string roofline_plot(const TuneReport &report);

}  // namespace convc
