// Targets as plain data: what each instruction set offers, and how a target is named.
#include "convc/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace convc {
namespace {

struct IsaFacts {
    Isa isa;
    std::string_view word;
    std::string_view architecture;
    std::string_view name;
    std::string_view triple;
    int lanes;
    int registers;
    int cpu_level;
};

constexpr std::array<IsaFacts, 4> isa_facts{{
    {Isa::sse41, "sse41", "x86-64", "x86-64-linux-sse41", "x86_64-unknown-linux-gnu", 4, 16, 1},
    {Isa::avx2, "avx2", "x86-64", "x86-64-linux-avx2-fma", "x86_64-unknown-linux-gnu", 8, 16, 2},
    {Isa::avx512, "avx512", "x86-64", "x86-64-linux-avx512", "x86_64-unknown-linux-gnu", 16, 32, 3},
    {Isa::neon, "neon", "arm-64", "arm-64-linux", "aarch64-unknown-linux-gnu", 4, 32, 1},
}};

// Caches of one core, as the makers' manuals have them, by LLVM's name of the model. L2 is what schedules are blocked
// for: without a model, 512 KB.
struct CpuFacts {
    std::string_view cpu;
    int64_t l1_kib;
    int64_t l2_kib;
};

constexpr std::array<CpuFacts, 22> cpu_facts{{
    {"haswell", 32, 256},        {"broadwell", 32, 256},      {"skylake", 32, 256},        {"skylake-avx512", 32, 1024},
    {"cascadelake", 32, 1024},   {"cooperlake", 32, 1024},    {"icelake-client", 48, 512}, {"icelake-server", 48, 1280},
    {"tigerlake", 48, 1280},     {"alderlake", 48, 1280},     {"raptorlake", 48, 2048},    {"sapphirerapids", 48, 2048},
    {"emeraldrapids", 48, 2048}, {"graniterapids", 48, 2048}, {"znver1", 32, 512},         {"znver2", 32, 512},
    {"znver3", 32, 512},         {"znver4", 32, 1024},        {"znver5", 48, 1024},        {"neoverse-n1", 64, 1024},
    {"neoverse-n2", 64, 1024},   {"neoverse-v1", 64, 1024},
}};

// Halide 21 knows capabilities up to 8.6; what is newer runs its code, which the driver assembles for the device.
constexpr std::array<int, 5> capabilities{70, 75, 80, 86, 90};

// What packs weights and starts kernels beside a GPU has nothing to gain from newer instructions.
constexpr Isa beside_gpu() {
#if defined(__aarch64__)
    return Isa::neon;
#else
    return Isa::sse41;
#endif
}

const IsaFacts &facts(Isa isa) {
    for (const IsaFacts &row : isa_facts) {
        if (row.isa == isa) return row;
    }
    return isa_facts[0];
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    size_t at = 0;
    while (at < text.size()) {
        const size_t begin = text.find_first_not_of(" \t", at);
        if (begin == std::string_view::npos) break;
        const size_t end = std::min(text.find_first_of(" \t", begin), text.size());
        found.push_back(text.substr(begin, end - begin));
        at = end;
    }
    return found;
}

// "2t"
int thread_count(std::string_view word) {
    int count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    const bool whole = error == std::errc() && end + 1 == word.data() + word.size() && *end == 't';
    return whole && count > 0 ? count : 0;
}

}  // namespace

int Target::vector_lanes() const {
    return half_vectors ? facts(isa).lanes / 2 : facts(isa).lanes;
}
int Target::tasks_at_once() const {
    constexpr int unknown_machine = 64, most_threads = 256;  // the kernel runtime's pool has no more
    return threads > 0 ? std::min(threads, most_threads) : unknown_machine;
}
bool Target::splits_vectors() const {
    return isa == Isa::avx512 && cpu == "znver4" && !half_vectors;
}
bool Target::l3_is_mesh() const {
    return cpu == "sapphirerapids";
}
int Target::vector_registers() const {
    return facts(isa).registers;
}
int Target::cpu_level() const {
    return facts(isa).cpu_level;
}

std::string Target::isa_word() const {
    return std::string(facts(isa).word);
}
std::string Target::architecture() const {
    return std::string(facts(isa).architecture);
}
std::string Target::gpu_word() const {
    return gpu == Gpu::cuda ? "cuda" : gpu == Gpu::opencl ? "opencl" : "";
}
std::string Target::name() const {
    if (gpu == Gpu::cuda) return fmt::format("cuda-sm_{}", capability);
    if (gpu == Gpu::opencl) return gpu_word();
    return std::string(facts(isa).name);
}
std::string Target::triple() const {
    return std::string(facts(isa).triple);
}

std::string Target::full_name() const {
    std::string text = name();
    if (on_gpu()) return text;
    if (!cpu.empty()) text += " " + cpu;
    if (threads > 0) text += fmt::format(" {}t", threads);
    return text;
}

std::vector<std::string> target_names() {
    std::vector<std::string> names;
    names.reserve(isa_facts.size());
    for (const IsaFacts &row : isa_facts) names.emplace_back(row.name);
    for (const int capability : capabilities) names.push_back(cuda_target(capability).name());
    names.push_back(opencl_target().name());
    return names;
}

Target opencl_target() {
    Target target;
    target.isa = beside_gpu();
    target.gpu = Gpu::opencl;
    return target;
}

Target cuda_target(int capability) {
    Target target = opencl_target();
    target.gpu = Gpu::cuda;
    for (const int known : capabilities) {
        if (known <= capability || target.capability == 0) target.capability = known;
    }
    return target;
}

namespace {

std::optional<Target> target_named(std::string_view name) {
    for (const IsaFacts &row : isa_facts) {
        if (name != row.name) continue;
        Target target;
        target.isa = row.isa;
        return target;
    }
    if (name == opencl_target().name()) return opencl_target();
    for (const int capability : capabilities) {
        if (name == cuda_target(capability).name()) return cuda_target(capability);
    }
    return std::nullopt;
}

void set_cpu(Target &target, std::string_view cpu) {
    target.cpu = cpu;
    for (const CpuFacts &row : cpu_facts) {
        if (row.cpu != cpu) continue;
        target.l1_bytes = row.l1_kib << 10;
        target.l2_bytes = row.l2_kib << 10;
    }
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
    const std::vector<std::string_view> parts = words(text);
    const std::optional<Target> named = target_named(parts.empty() ? "" : parts[0]);
    if (!named) {
        return Error{Failure::usage,
                     fmt::format("unknown target '{}'; known are {}", text, fmt::join(target_names(), ", "))};
    }
    Target target = *named;
    for (size_t i = 1; i < parts.size(); i++) {
        if (target.gpu != Gpu::none) {
            return Error{Failure::usage, fmt::format("target '{}': unexpected '{}' after '{}'; a GPU's has one word",
                                                     text, parts[i], target.name())};
        }
        if (const int threads = thread_count(parts[i]); threads > 0 && target.threads == 0) {
            target.threads = threads;
        } else if (target.cpu.empty() && target.threads == 0) {
            set_cpu(target, parts[i]);
        } else {
            return Error{Failure::usage,
                         fmt::format("target '{}': unexpected '{}' after '{}'", text, parts[i], target.full_name())};
        }
    }
    return target;
}

}  // namespace convc
