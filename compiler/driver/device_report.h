// What the code of a plan takes of a GPU's multiprocessors: compiled, assembled by ptxas, and counted.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace convc {

// A function of a group of stages. Counts of a thread or a block; -1 where a launch is known at run time only.
struct DeviceUse {
    std::string function;
    int64_t threads = -1, registers = 0, shared_bytes = -1, spilled_bytes = 0;
    int64_t resident_blocks = -1;  // of a multiprocessor at once
    double occupancy = -1;         // the share of its threads that those are

    std::string text() const;
    nlohmann::ordered_json json() const;
};

struct DeviceReport {
    std::vector<std::vector<DeviceUse>> groups;
    std::string unknown;  // why there are no groups; "" where there are, or where nothing is to be said
};

// Of a plan for CUDA; of others nothing is to be said.
DeviceReport device_report(const Plan &plan);

}  // namespace convc
