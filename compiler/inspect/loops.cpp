// Natural loops: Aho, Lam, Sethi, Ullman, "Compilers", 2nd ed., 9.6. Dominators: Cooper, Harvey, Kennedy, "A Simple,
// Fast Dominance Algorithm", 2001.
#include "compiler/inspect/loops.h"

#include <algorithm>
#include <limits>
#include <map>

namespace convc {
namespace {

constexpr size_t none = std::numeric_limits<size_t>::max();

struct Block {
    size_t first = 0, end = 0;  // instructions
    std::vector<size_t> next, previous;
};

// The blocks of a function, block 0 being an empty one before all that nothing branches to: a block that only a table
// of addresses leads to is an entry as well.
class Flow {
public:
    Flow(const std::vector<Instruction> &function, const MachineTables &tables) : function_(function), tables_(tables) {
        for (size_t i = 0; i < function.size(); i++) at_[function[i].offset] = i;
        cut();
        connect();
    }

    const std::vector<Block> &blocks() const { return blocks_; }

private:
    // The instruction that a branch leads to; `none` for one out of the function or to an address in a register.
    size_t target(size_t instruction) const {
        const Instruction &branch = function_[instruction];
        uint64_t offset = 0;
        if (!tables_.analysis().isBranch(branch.code) ||
            !tables_.analysis().evaluateBranch(branch.code, branch.offset, branch.size, offset)) {
            return none;
        }
        const auto found = at_.find(offset);
        return found == at_.end() ? none : found->second;
    }

    bool ends_block(size_t instruction) const {
        const llvm::MCInst &code = function_[instruction].code;
        return tables_.analysis().isBranch(code) || tables_.analysis().isReturn(code);
    }

    bool falls_through(size_t instruction) const {
        const llvm::MCInst &code = function_[instruction].code;
        return !tables_.analysis().isReturn(code) && !tables_.description(code).isBarrier();
    }

    void cut() {
        std::vector<bool> begins(function_.size(), false);
        if (!begins.empty()) begins[0] = true;
        for (size_t i = 0; i < function_.size(); i++) {
            if (ends_block(i) && i + 1 < function_.size()) begins[i + 1] = true;
            if (const size_t to = target(i); to != none) begins[to] = true;
        }
        blocks_.push_back({});
        for (size_t i = 0; i < function_.size(); i++) {
            if (begins[i]) blocks_.push_back({i, i, {}, {}});
            blocks_.back().end = i + 1;
            block_of_.push_back(blocks_.size() - 1);
        }
    }

    void connect() {
        for (size_t i = 1; i < blocks_.size(); i++) {
            const size_t last = blocks_[i].end - 1;
            if (const size_t to = target(last); to != none) add_edge(i, block_of_[to]);
            if (falls_through(last) && i + 1 < blocks_.size()) add_edge(i, i + 1);
        }
        for (size_t i = 1; i < blocks_.size(); i++) {
            if (i == 1 || blocks_[i].previous.empty()) add_edge(0, i);
        }
    }

    void add_edge(size_t from, size_t to) {
        blocks_[from].next.push_back(to);
        blocks_[to].previous.push_back(from);
    }

    const std::vector<Instruction> &function_;
    const MachineTables &tables_;
    std::map<uint64_t, size_t> at_;
    std::vector<Block> blocks_;
    std::vector<size_t> block_of_;  // an instruction
};

class Dominators {
public:
    explicit Dominators(const std::vector<Block> &blocks)
        : blocks_(blocks), number_(blocks.size(), none), parent_(blocks.size(), none) {
        number_blocks();
        parent_[0] = 0;
        for (bool changed = true; changed;) {
            changed = false;
            for (const size_t block : order_) changed |= update(block);
        }
    }

    bool dominates(size_t upper, size_t block) const {
        if (number_[block] == none || number_[upper] == none) return false;
        while (number_[block] > number_[upper]) block = parent_[block];
        return block == upper;
    }

private:
    // In reverse postorder, without recursion: functions have thousands of blocks.
    void number_blocks() {
        std::vector<std::pair<size_t, size_t>> path{{0, 0}};
        std::vector<bool> seen(blocks_.size(), false);
        seen[0] = true;
        while (!path.empty()) {
            auto &[block, edge] = path.back();
            if (edge == blocks_[block].next.size()) {
                order_.push_back(block);
                path.pop_back();
                continue;
            }
            const size_t next = blocks_[block].next[edge++];
            if (!seen[next]) path.emplace_back(next, 0);
            seen[next] = true;
        }
        std::reverse(order_.begin(), order_.end());
        for (size_t i = 0; i < order_.size(); i++) number_[order_[i]] = i;
    }

    bool update(size_t block) {
        if (block == 0) return false;
        size_t meeting = none;
        for (const size_t previous : blocks_[block].previous) {
            if (number_[previous] == none || parent_[previous] == none) continue;
            meeting = meeting == none ? previous : meet(meeting, previous);
        }
        const bool changes = parent_[block] != meeting;
        parent_[block] = meeting;
        return changes;
    }

    size_t meet(size_t a, size_t b) const {
        while (a != b) {
            if (number_[a] > number_[b]) {
                a = parent_[a];
            } else {
                b = parent_[b];
            }
        }
        return a;
    }

    const std::vector<Block> &blocks_;
    std::vector<size_t> order_, number_, parent_;
};

// By header: the blocks from which the header's back edges are reached without the header.
std::map<size_t, std::vector<bool>> natural_loops(const std::vector<Block> &blocks) {
    const Dominators dominators(blocks);
    std::map<size_t, std::vector<bool>> loops;
    for (size_t end = 1; end < blocks.size(); end++) {
        for (const size_t header : blocks[end].next) {
            if (!dominators.dominates(header, end)) continue;
            std::vector<bool> &body = loops.try_emplace(header, blocks.size(), false).first->second;
            body[header] = true;
            std::vector<size_t> open{end};
            while (!open.empty()) {
                const size_t block = open.back();
                open.pop_back();
                if (body[block]) continue;
                body[block] = true;
                open.insert(open.end(), blocks[block].previous.begin(), blocks[block].previous.end());
            }
        }
    }
    return loops;
}

}  // namespace

std::vector<FoundLoop> innermost_loops(const std::vector<Instruction> &function, const MachineTables &tables) {
    const Flow flow(function, tables);
    const auto loops = natural_loops(flow.blocks());
    std::vector<FoundLoop> found;
    for (const auto &[header, body] : loops) {
        FoundLoop loop{{}, 0};
        bool innermost = true;
        for (const auto &[other, others] : loops) {
            if (others[header]) loop.depth++;
            if (other != header && body[other]) innermost = false;
        }
        if (!innermost) continue;
        for (size_t i = 0; i < body.size(); i++) {
            if (!body[i]) continue;
            for (size_t at = flow.blocks()[i].first; at < flow.blocks()[i].end; at++) loop.instructions.push_back(at);
        }
        found.push_back(std::move(loop));
    }
    return found;
}

}  // namespace convc
