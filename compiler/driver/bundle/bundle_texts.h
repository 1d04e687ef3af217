// The C sources that every bundle has: the files of this folder, as texts.
#pragma once

#include <string_view>

namespace convc {

extern const std::string_view bundle_driver_text;
extern const std::string_view bundle_device_header_text;
extern const std::string_view bundle_table_header_text;
extern const std::string_view bundle_trial_text;
extern const std::string_view bundle_trial_header_text;

}  // namespace convc
