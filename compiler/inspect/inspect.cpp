#include "compiler/inspect/inspect.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/codegen/function_name.h"
#include "compiler/inspect/function_code.h"
#include "compiler/inspect/instruction_facts.h"
#include "compiler/inspect/loops.h"

namespace convc {
namespace {

using Functions = std::map<std::string, FunctionCode>;

InnerLoop describe(const FoundLoop &found, const std::vector<Instruction> &function, const std::string &bytes,
                   const MachineTables &tables, bool has_fma) {
    InnerLoop loop;
    loop.offset = function[found.instructions.front()].offset;
    loop.depth = found.depth;
    loop.instructions = static_cast<int>(found.instructions.size());
    const bool frame_pointer = has_frame_pointer(function, tables);
    for (const size_t index : found.instructions) {
        const Instruction &instruction = function[index];
        const InstructionFacts facts = facts_of(instruction.code, tables, has_fma, frame_pointer);
        loop.code += bytes.substr(instruction.offset, instruction.size);
        loop.fmas += facts.multiply_adds > 0;
        loop.multiply_adds += facts.multiply_adds;
        loop.loads += facts.loads;
        loop.stores += facts.stores;
        loop.bytes_loaded += facts.bytes_loaded;
        loop.spill_loads += facts.spill && facts.loads;
        loop.spill_stores += facts.spill && facts.stores;
        loop.calls += facts.call;
        loop.selects += facts.select;
    }
    return loop;
}

struct Reached {
    std::string name;
    int parallel_loops = 0;  // around it
};

// A function, and all that it passes on, once each.
std::vector<Reached> reached_from(const std::string &root, const Functions &functions) {
    std::vector<Reached> reached{{root, 0}};
    std::set<std::string> seen{root};
    for (size_t i = 0; i < reached.size(); i++) {
        const int around = reached[i].parallel_loops + 1;
        for (const std::string &name : functions.at(reached[i].name).names) {
            if (functions.contains(name) && seen.insert(name).second) reached.push_back({name, around});
        }
    }
    return reached;
}

Result<GroupCode> group_code(const std::string &root, const Functions &functions, const MachineTables &tables,
                             bool has_fma) {
    GroupCode group;
    for (const auto &[name, parallel_loops] : reached_from(root, functions)) {
        const std::string &bytes = functions.at(name).bytes;
        const Result<std::vector<Instruction>> function = tables.read(bytes, name);
        if (!function) return function.error();
        for (const FoundLoop &found : innermost_loops(*function, tables)) {
            group.loops.push_back(describe(found, *function, bytes, tables, has_fma));
            group.loops.back().function = name;
            group.loops.back().depth += parallel_loops;
        }
    }
    return group;
}

}  // namespace

// How often a loop turns is not in the code. What is:
//
// - Sums are where convolutions spend their time. Their loops have many multiply-adds, which are a large share of their
//   instructions; borders have few.
// - A loop with more loops around it turns more often. But no more than the depth itself counts: LLVM makes one loop of
//   several over taps and channels, so that sums may lie less deep than what follows them.
// - A loop over a sum stores nothing but what it spills. One that stores is a transform of Winograd's, whose
// multiply-adds
//   are many, and which turns once for many turns of the sums; or a sum that is unrolled, where there is no other.
// - One that selects lanes is a border's or a transform's, or runs where a weight is NaN or infinite, beside a loop
// that
//   does the same work otherwise.
//
// Where nothing multiplies and adds (a shuffle), instructions count instead.
const InnerLoop *GroupCode::hottest() const {
    constexpr double of_storing = 0.25, of_selecting = 1.0 / 16;
    const auto weight = [](const InnerLoop &loop) {
        const double share = static_cast<double>(loop.fmas) / loop.instructions;
        const bool stores = loop.stores > loop.spill_stores;
        return loop.multiply_adds * share * loop.depth * (stores ? of_storing : 1) *
               (loop.selects > 0 ? of_selecting : 1);
    };
    const auto rank = [&](const InnerLoop &loop) { return std::pair(weight(loop), loop.instructions * loop.depth); };
    const auto hottest = std::max_element(loops.begin(), loops.end(),
                                          [&](const InnerLoop &a, const InnerLoop &b) { return rank(a) < rank(b); });
    return hottest == loops.end() ? nullptr : &*hottest;
}

Result<std::vector<GroupCode>> inspect_kernel(const Kernel &kernel) {
    const Result<Target> target = parse_target(kernel.target);
    if (!target) return target.error();
    const Result<std::unique_ptr<MachineTables>> tables = MachineTables::of(*target);
    if (!tables) return tables.error();
    Functions functions;
    for (const ObjectFile &object : kernel.objects) {
        Result<Functions> read = read_functions(object.bytes, object.name);
        if (!read) return read.error();
        functions.merge(*read);
    }
    std::vector<GroupCode> groups;
    while (true) {
        const std::string root = function_name(kernel.symbol, "run", groups.size());
        if (!functions.contains(root)) break;
        Result<GroupCode> group = group_code(root, functions, **tables, target->isa != Isa::sse41);
        if (!group) return group.error();
        groups.push_back(std::move(*group));
    }
    if (groups.empty())
        return Error{Failure::internal, "'" + kernel.symbol + "' has no function that computes a group"};
    return groups;
}

}  // namespace convc
