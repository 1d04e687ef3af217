// What one instruction does, as far as it is counted in loops.
#pragma once

#include "compiler/inspect/machine_tables.h"

namespace convc {

struct InstructionFacts {
    int multiply_adds = 0;  // lanes; 0: it is none
    bool loads = false, stores = false;
    int64_t bytes_loaded = 0;
    bool spill = false;  // what is loaded or stored is a vector at a constant distance from the stack pointer
    bool call = false;
    bool select = false;  // chooses lanes by a mask, or makes one; a multiply-add under a mask is one like any
};

// `frame_pointer`: rbp points into the stack, see has_frame_pointer().
InstructionFacts facts_of(const llvm::MCInst &code, const MachineTables &tables, bool has_fma, bool frame_pointer);

// Whether a function begins by pointing rbp into the stack; others use it like any register.
bool has_frame_pointer(const std::vector<Instruction> &function, const MachineTables &tables);

}  // namespace convc
