// The innermost loops of a function's instructions, found in its flow of control: a backward branch alone may as well
// lead back from a block that was moved to the function's end.
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/inspect/machine_tables.h"

namespace convc {

struct FoundLoop {
    std::vector<size_t> instructions;  // indices, ascending
    int depth = 1;                     // loops around it, itself included
};

std::vector<FoundLoop> innermost_loops(const std::vector<Instruction> &function, const MachineTables &tables);

}  // namespace convc
