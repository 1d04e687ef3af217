// The functions of an object file: their bytes, and which others they name.
#pragma once

#include <map>
#include <set>
#include <string>

#include "convc/status.h"

namespace convc {

struct FunctionCode {
    std::string bytes;
    std::set<std::string> names;  // functions that it calls, or passes on: the bodies of parallel loops
};

// By name.
Result<std::map<std::string, FunctionCode>> read_functions(const std::string &object, const std::string &name);

}  // namespace convc
