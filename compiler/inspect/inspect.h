// What a kernel's machine code does in its innermost loops: read from the object, not from what was asked for.
//
//     const Result<std::vector<GroupCode>> groups = inspect_kernel(kernel);
//     if (!groups) return groups.error();
//     const InnerLoop *hottest = groups->front().hottest();       // nullptr: nothing loops
//     const Result<LoopCycles> cycles = loop_cycles(*hottest, target);
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convc/kernel.h"
#include "convc/status.h"
#include "convc/target.h"

namespace convc {

// A loop without another one in it, and what one turn of it does where no branch in it is taken.
struct InnerLoop {
    std::string function;  // of the object: "convc_layer_run0", "convc_layer_run0.part.1"
    uint64_t offset = 0;   // of its first instruction in the function
    int depth = 1;         // loops around it, itself and parallel ones included
    std::string code;      // its blocks' bytes, in the order of their addresses

    int instructions = 0;
    int fmas = 0;               // vector instructions; where the target has none, multiplications
    int multiply_adds = 0;      // lanes of those
    int loads = 0, stores = 0;  // of instructions, those that compute from memory included
    int64_t bytes_loaded = 0;   // by those loads, repeated bytes included
    int spill_loads = 0;        // vectors from where the stack pointer says, without an index: arrays have one
    int spill_stores = 0;       // the same to there
    int calls = 0;
    int selects = 0;  // blends, comparisons, masked moves: the way of borders, and of NaN and infinite weights

    int64_t code_bytes() const { return static_cast<int64_t>(code.size()); }
};

// The code that computes one group of stages, parallel parts included; packing is left out.
struct GroupCode {
    std::vector<InnerLoop> loops;  // in the order of the object

    // The loop in which the group takes most of its time, as far as the code alone tells; nullptr where nothing loops.
    const InnerLoop *hottest() const;
};

// The groups in the order of the plan. For every architecture there is a target of.
Result<std::vector<GroupCode>> inspect_kernel(const Kernel &kernel);

// How long one unit of an execution resource is busy in one turn of a loop.
struct ResourcePressure {
    std::string resource;  // LLVM's name: "Zn4FP0", "SKXPort5"
    double cycles = 0;
};

// One turn of a loop by LLVM's model of a CPU, everything in L1 and every branch foreseen.
struct LoopCycles {
    std::string cpu;        // the model's
    double cycles = 0;      // a turn in the steady state
    double fma_cycles = 0;  // that the multiply-adds alone would take, from registers and with nothing to wait for
    double instructions_per_cycle = 0;
    double uops = 0;
    std::vector<ResourcePressure> pressure;  // the busiest first, those that are used
};

// Of the target's CPU, or where it names none, of the oldest that has its instruction set. An error where LLVM's model
// does not know an instruction, or the loop calls a function.
Result<LoopCycles> loop_cycles(const InnerLoop &loop, const Target &target);

// Why a candidate's code is not worth running; nullopt where nothing speaks against it. For a tuner, which has others.
std::optional<std::string> code_rejection(const std::vector<GroupCode> &groups, const Target &target);

}  // namespace convc
