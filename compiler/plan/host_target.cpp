#include "compiler/plan/host_target.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/TargetParser/Host.h>
#include <sched.h>
#include <unistd.h>

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

int64_t cache_bytes(int name, int64_t otherwise) {
    const long bytes = sysconf(name);
    return bytes > 0 ? bytes : otherwise;
}

}  // namespace

Target host_target() {
    static const Target host = [] {
        Target target;
        target.isa = host_isa();
        target.cpu = llvm::sys::getHostCPUName().str();
        target.threads = usable_cpus();
        target.l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, target.l1_bytes);
        target.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, target.l2_bytes);
        target.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE, target.l3_bytes);
        return target;
    }();
    return host;
}

Result<Target> resolve_target(std::string_view text) {
    return text == "host" ? Result<Target>(host_target()) : parse_target(text);
}

}  // namespace convc
