// Durations as a command line has them.
#pragma once

#include <string>
#include <string_view>

#include "convc/status.h"

namespace convc {

// 90, 90s, 10m, 2h or 30d as seconds. The error, of usage, names the option.
Result<double> read_duration(std::string_view option, const std::string &text);

}  // namespace convc
