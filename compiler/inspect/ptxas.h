// NVIDIA's assembler, where it is installed: what a GPU's code takes of a multiprocessor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "convc/status.h"

namespace convc {

// What a function of PTX takes once it is assembled.
struct AssembledFunction {
    std::string name;
    int64_t registers = 0;     // of a thread
    int64_t shared_bytes = 0;  // of a block, beside what is given at the launch
    int64_t spilled_bytes = 0;
};

// CONVC_PTXAS, or `ptxas` from PATH or from /usr/local/cuda/bin; nullopt: none is installed.
std::optional<std::filesystem::path> find_ptxas();

// Its functions, in order, as assembled for that capability (80 for sm_80). Failure::environment with what ptxas says
// where it refuses: that of CUDA 13 knows no sm_70.
Result<std::vector<AssembledFunction>> assemble_ptx(const std::filesystem::path &ptxas, const std::string &ptx,
                                                    int capability);

// Read from what `ptxas -v` says.
std::vector<AssembledFunction> read_ptxas_report(const std::string &report);

}  // namespace convc
