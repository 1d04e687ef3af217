#include <fmt/format.h>

#include "compiler/inspect/inspect.h"

namespace convc {
namespace {

// Of the vectors that a loop multiplies and adds, one in so many may be stored to the stack in a turn. A store for
// every second multiply-add is what CPUs have room for: Zen 4 stores one vector of 64 bytes in two cycles and Skylake
// one in one, beside one and two such multiply-adds a cycle (uops.info: VMOVUPS_M512_ZMM, VFMADD231PS_ZMM_ZMM_ZMM).
// Loads of operands, outputs, and the wait for what was stored take their part of it: half of that is left. Up to one
// in 12 was measured to cost nothing; see KNOWN_SPILLS of tests/driver/inner_loops_test.py.
constexpr int fmas_a_spill = 4;

// L1 for instructions has 32 KiB in Intel's cores since Core 2 and in AMD's since Zen 2 (Agner Fog, "The
// microarchitecture of Intel, AMD and VIA CPUs"), and two hardware threads may share it. A loop beyond its share is
// fetched from L2 in every turn.
constexpr int64_t most_code_bytes = 16 << 10;

std::optional<std::string> loop_rejection(const InnerLoop &loop) {
    if (loop.calls > 0 && loop.fmas > 0) {
        return fmt::format("its inner loop of {} multiply-adds calls a function", loop.fmas);
    }
    if (loop.spill_stores * fmas_a_spill > loop.fmas && loop.fmas > 0) {
        return fmt::format("its inner loop of {} multiply-adds spills {} vector registers", loop.fmas,
                           loop.spill_stores);
    }
    if (loop.code_bytes() > most_code_bytes) {
        return fmt::format("its inner loop takes {} bytes of code, more than {}", loop.code_bytes(), most_code_bytes);
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> code_rejection(const std::vector<GroupCode> &groups) {
    for (const GroupCode &group : groups) {
        const InnerLoop *hottest = group.hottest();
        if (hottest == nullptr) continue;
        if (auto reason = loop_rejection(*hottest)) return reason;
    }
    return std::nullopt;
}

}  // namespace convc
