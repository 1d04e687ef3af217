#include "compiler/plan/host_target.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/TargetParser/Host.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

namespace convc {
namespace {

Isa host_isa() {
    const llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
    const auto all = [&](std::initializer_list<const char *> names) {
        for (const char *name : names) {
            if (!features.lookup(name)) return false;
        }
        return true;
    };
    if (all({"neon"})) return Isa::neon;
    if (!all({"avx2", "fma", "f16c"})) return Isa::sse41;
    return all({"avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd"}) ? Isa::avx512 : Isa::avx2;
}

int usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

// As the kernel tells it. sysconf() gives the L3 of a whole package, of which a virtual machine may see a tenth.
int64_t cache_bytes(int level, int64_t otherwise) {
    for (int index = 0; index < 8; index++) {
        const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
        int its_level = 0;
        int64_t kilobytes = 0;
        std::string type;
        std::ifstream(folder + "/level") >> its_level;
        std::ifstream(folder + "/type") >> type;
        std::ifstream(folder + "/size") >> kilobytes;
        if (its_level == level && type != "Instruction" && kilobytes > 0) return kilobytes << 10;
    }
    return otherwise;
}

}  // namespace

Target host_target() {
    static const Target host = [] {
        Target target;
        target.isa = host_isa();
        target.cpu = llvm::sys::getHostCPUName().str();
        target.threads = usable_cpus();
        target.l1_bytes = cache_bytes(1, target.l1_bytes);
        target.l2_bytes = cache_bytes(2, target.l2_bytes);
        target.l3_bytes = cache_bytes(3, target.l3_bytes);
        return target;
    }();
    return host;
}

std::string machine_name() {
    std::array<char, 256> name{};
    (void)::gethostname(name.data(), name.size() - 1);
    return name.data();
}

Result<Target> resolve_target(std::string_view text) {
    return text == "host" ? Result<Target>(host_target()) : parse_target(text);
}

}  // namespace convc
