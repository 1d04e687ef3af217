#include "compiler/codegen/function_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "runtime/gpu_runtime/gpu_runtime.h"
#include "runtime/kernel_runtime/kernel_runtime.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Internal::Allocate;
using Halide::Internal::Call;
using Halide::Internal::IRVisitor;
using Halide::Internal::LoweredFunc;

// Halide keeps constant allocations up to this on the stack (runtime/constants.h: maximum_stack_allocation_bytes).
constexpr int64_t largest_stack_allocation = 16384;

// Walks one function. The blocks alive at once are those of the enclosing Allocate nodes: Halide may free a block
// earlier, but the allocator takes back only the top of its stack, so the sum along a path is the bound.
class MemoryVisitor : public IRVisitor {
public:
    struct Loop {
        std::string task;
        int64_t at_once = 0;        // tasks
        uint64_t serial_bytes = 0;  // taken where the loop stands
    };
    uint64_t peak = 0;
    std::vector<Loop> loops;
    std::string problem;
    int64_t tasks_at_once = 1;

private:
    using IRVisitor::visit;

    void visit(const Allocate *op) override {
        // What lives on a GPU alone, Halide allocates on the host under a condition that is false.
        const bool on_device = Halide::Internal::is_const_zero(op->condition);
        const uint64_t bytes = on_device ? convc_gpu_block_bytes(size_bytes(op)) : heap_bytes(op);
        alive_ += bytes;
        peak = std::max(peak, alive_);
        IRVisitor::visit(op);
        alive_ -= bytes;
    }

    void visit(const Call *op) override {
        if (op->name == "halide_do_par_for") add_loop(op);
        if (op->name == "halide_do_parallel_tasks") problem = "an asynchronous task";
        IRVisitor::visit(op);
    }

    void add_loop(const Call *op) {
        const auto *task = op->args[0].as<Halide::Internal::Variable>();
        const auto extent = Halide::Internal::as_const_int(op->args[2]);
        if (!task) {
            problem = "a parallel loop over no function";
            return;
        }
        std::string name = task->name;
        if (name.rfind("::", 0) == 0) name = name.substr(2);
        loops.push_back({name, std::min(extent.value_or(tasks_at_once), tasks_at_once), alive_});
    }

    uint64_t heap_bytes(const Allocate *op) {
        using Halide::MemoryType;
        if (op->memory_type == MemoryType::Register || op->new_expr.defined()) return 0;
        const auto bytes = static_cast<int64_t>(size_bytes(op));
        const bool on_stack = op->memory_type != MemoryType::Heap && bytes <= largest_stack_allocation;
        return on_stack ? 0 : convc_kernel_block_bytes(static_cast<uint64_t>(bytes));
    }

    uint64_t size_bytes(const Allocate *op) {
        int64_t elements = 1;
        for (const Expr &extent : op->extents) {
            const auto constant = Halide::Internal::as_const_int(extent);
            if (!constant || *constant < 0 || __builtin_mul_overflow(elements, *constant, &elements)) {
                problem = fmt::format("allocation '{}' without a constant size", op->name);
                return 0;
            }
        }
        return static_cast<uint64_t>((elements + op->padding) * op->type.bytes());
    }

    uint64_t alive_ = 0;
};

// Of a task that takes so much. Arenas lie side by side: at the end of one, the prefetcher of the core that works there
// would fetch lines of the next out of another core, up to 20 of 64 bytes (Intel's optimization manual on the streamer;
// depthwise 3x3 at 14 x 14, channels first, on 2 cores: 0.67 of the time with a gap, 7 x 7: 0.85). Few of the lines of
// a large arena lie there (chains of 28 x 28 to 112 x 112: 0.96 to 1.01), and it keeps its size.
uint64_t arena_bytes(uint64_t peak) {
    constexpr uint64_t gap = 20 * 64, large = 32768;
    return peak > 0 && peak < large ? peak + gap : peak;
}

}  // namespace

Result<FunctionMemory> function_memory(const Halide::Module &module, const std::string &function, int tasks_at_once) {
    std::map<std::string, MemoryVisitor> visits;
    for (const LoweredFunc &lowered : module.functions()) {
        visits[lowered.name].tasks_at_once = tasks_at_once;
        lowered.body.accept(&visits[lowered.name]);
    }
    FunctionMemory memory;
    memory.serial_bytes = visits[function].peak;
    uint64_t peak = memory.serial_bytes;
    for (auto &[name, visit] : visits) {
        if (!visit.problem.empty()) return Error{Failure::internal, fmt::format("{}: {}", name, visit.problem)};
        if (name != function && !visit.loops.empty()) {
            return Error{Failure::internal, fmt::format("{}: a parallel loop inside a parallel loop", name)};
        }
    }
    for (const MemoryVisitor::Loop &loop : visits[function].loops) {
        memory.task_arena_bytes = std::max(memory.task_arena_bytes, arena_bytes(visits[loop.task].peak));
    }
    for (const MemoryVisitor::Loop &loop : visits[function].loops) {
        peak = std::max(peak, loop.serial_bytes + static_cast<uint64_t>(loop.at_once) * memory.task_arena_bytes);
    }
    memory.parallel_bytes = peak - memory.serial_bytes;
    return memory;
}

}  // namespace convc
