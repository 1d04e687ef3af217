// Targets as plain data: what each instruction set offers, and how a target is named.
#include "convc/target.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
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
bool Target::splits_vectors() const {
    return isa == Isa::avx512 && cpu == "znver4" && !half_vectors;
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
std::string Target::name() const {
    return std::string(facts(isa).name);
}
std::string Target::triple() const {
    return std::string(facts(isa).triple);
}

std::string Target::full_name() const {
    std::string text = name();
    if (!cpu.empty()) text += " " + cpu;
    if (threads > 0) text += fmt::format(" {}t", threads);
    return text;
}

std::vector<std::string> target_names() {
    std::vector<std::string> names;
    names.reserve(isa_facts.size());
    for (const IsaFacts &row : isa_facts) names.emplace_back(row.name);
    return names;
}

Result<Target> parse_target(std::string_view text) {
    Target target;
    const std::vector<std::string_view> parts = words(text);
    bool known = false;
    for (const IsaFacts &row : isa_facts) {
        if (parts.empty() || parts[0] != row.name) continue;
        target.isa = row.isa;
        known = true;
    }
    if (!known) {
        return Error{Failure::usage,
                     fmt::format("unknown target '{}'; known are {}", text, fmt::join(target_names(), ", "))};
    }
    for (size_t i = 1; i < parts.size(); i++) {
        if (const int threads = thread_count(parts[i]); threads > 0 && target.threads == 0) {
            target.threads = threads;
        } else if (target.cpu.empty() && target.threads == 0) {
            target.cpu = parts[i];
        } else {
            return Error{Failure::usage,
                         fmt::format("target '{}': unexpected '{}' after '{}'", text, parts[i], target.full_name())};
        }
    }
    return target;
}

}  // namespace convc
