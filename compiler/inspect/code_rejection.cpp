// What a tuner need not run: limits on the code of a group's hottest loop, and where they come from.
#include <fmt/format.h>

#include "compiler/inspect/inspect.h"

namespace convc {
namespace {

// A loop may store one vector to the stack for so many multiply-adds, whatever it takes: up to one in 12 was measured
// to cost nothing (KNOWN_SPILLS of tests/driver/inner_loops_test.py), since stores go beside multiply-adds.
constexpr int fmas_a_spill = 4;

// One that stores more is rejected if the model takes it for so much slower than its multiply-adds alone. Not for the
// spills alone: by the model of Haswell, of a depthwise 7x7, 13 columns spill 26 vectors in 82 multiply-adds and take
// 60 cycles, 4.6 a column, while 7 columns spill nothing, wait for their sums, and take 37, 5.3 a column. 12 columns,
// which take 79 where 36 would do, are rejected.
constexpr double most_of_fma_cycles = 1.5;

// L1 for instructions has 32 KiB in Intel's cores since Core 2 and in AMD's since Zen 2 (Agner Fog, "The
// microarchitecture of Intel, AMD and VIA CPUs"), and two hardware threads may share it. A loop beyond its share is
// fetched from L2 in every turn.
constexpr int64_t most_code_bytes = 16 << 10;

std::optional<std::string> spill_rejection(const InnerLoop &loop, const Target &target) {
    if (loop.spill_stores * fmas_a_spill <= loop.fmas) return std::nullopt;
    const Result<LoopCycles> cycles = loop_cycles(loop, target);
    if (!cycles || cycles->cycles <= most_of_fma_cycles * cycles->fma_cycles) return std::nullopt;
    return fmt::format(
        "its inner loop of {} multiply-adds spills {} vector registers, and takes {:.0f} cycles, not {:.0f}", loop.fmas,
        loop.spill_stores, cycles->cycles, cycles->fma_cycles);
}

std::optional<std::string> loop_rejection(const InnerLoop &loop, const Target &target) {
    if (loop.code_bytes() > most_code_bytes) {
        return fmt::format("its inner loop takes {} bytes of code, more than {}", loop.code_bytes(), most_code_bytes);
    }
    if (loop.fmas == 0) return std::nullopt;
    if (loop.calls > 0) return fmt::format("its inner loop of {} multiply-adds calls a function", loop.fmas);
    return spill_rejection(loop, target);
}

}  // namespace

std::optional<std::string> code_rejection(const std::vector<GroupCode> &groups, const Target &target) {
    for (const GroupCode &group : groups) {
        const InnerLoop *hottest = group.hottest();
        if (hottest == nullptr) continue;
        if (auto reason = loop_rejection(*hottest, target)) return reason;
    }
    return std::nullopt;
}

}  // namespace convc
