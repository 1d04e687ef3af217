// The Halide side of code generation: a plan's groups as Halide functions in one object file. The only place besides
// schedules/ that knows Halide.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/plan/plan.h"
#include "convc/status.h"
#include "schedules/algorithm.h"

namespace convc {

// What a Halide function takes of the workspace; see runtime/kernel_runtime/kernel_runtime.h.
struct FunctionMemory {
    uint64_t serial_bytes = 0;      // blocks outside parallel loops
    uint64_t parallel_bytes = 0;    // of the largest parallel loop: tasks at once * task_arena_bytes
    uint64_t task_arena_bytes = 0;  // of the hungriest task

    uint64_t bytes() const { return serial_bytes + parallel_bytes; }
};

// One group of the plan, compiled.
struct GroupFunctions {
    std::string run;   // int run(user_context, arguments...)
    std::string pack;  // empty when the group has no parameters
    std::vector<KernelArgument> arguments;
    FunctionMemory run_memory;
};

struct HalideObject {
    std::string bytes;                   // ELF; refers to Halide's names of the runtime's functions
    std::vector<std::string> functions;  // that it defines
};

struct HalideObjects {
    std::vector<HalideObject> objects;
    std::vector<GroupFunctions> groups;
};

// Builds every group's generator through Halide's registry and compiles them: all together for a CPU; for a GPU each
// alone, since every group brings device code of the same name. Thread-safe.
Result<HalideObjects> build_halide_objects(const Plan &plan, const std::string &symbol, Listings *listings);

// The name and version that go into cache keys.
std::string halide_version();

}  // namespace convc
