#include "compiler/driver/duration.h"

#include <fmt/format.h>

#include <regex>

namespace convc {

Result<double> read_duration(std::string_view option, const std::string &text) {
    static const std::regex form(R"((\d{1,9}(?:\.\d{1,9})?)([smhd]?))");
    std::smatch parts;
    if (!std::regex_match(text, parts, form)) {
        return Error{Failure::usage, fmt::format("{} takes a time like 90s, 10m, 2h or 30d, not '{}'", option, text)};
    }
    const double minute = 60, hour = 60 * minute, day = 24 * hour;
    const double unit = parts[2] == "d" ? day : parts[2] == "h" ? hour : parts[2] == "m" ? minute : 1;
    return std::stod(parts[1]) * unit;
}

}  // namespace convc
