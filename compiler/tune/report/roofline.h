// The roofline as a picture: compiler/cost/roofline.h has the numbers.
#pragma once

#include <string>

#include "compiler/tune/tune_report.h"

namespace convc {

// Every layer as an arrow from the default's rate to the tuned one. Empty where there is nothing to draw.
std::string roofline_plot(const TuneReport &report);

}  // namespace convc
