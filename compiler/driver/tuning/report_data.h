// What `convc tune --report` shows, gathered from a run.
#pragma once

#include "compiler/driver/tuning/tune_jobs.h"
#include "compiler/tune/tune_layer.h"
#include "compiler/tune/tune_report.h"

namespace convc {

// All but the layers and the times of the run.
TuneReport report_of_machine(const Target &target, const MachineRoofs &roofs);

// The layer's family is the name of its file.
ReportedLayer reported_layer(const TuneJob &job, const TunedLayer &tuned, const Target &target);

}  // namespace convc
