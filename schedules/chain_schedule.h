// The knobs of `chain`, what limits them, and what the machine model chooses. Part of chain.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"

namespace convc {

// Multiply-adds in one unrolled body of a depthwise stage: more takes LLVM seconds.
inline constexpr int64_t chain_unrolled_taps = 128;

std::vector<Knob> chain_knobs(const StageGroup &group, const Target &target);
std::optional<Conflict> chain_conflict(const KernelRequest &request);
Schedule chain_default_schedule(const StageGroup &group, const Target &target);

// Why the strips need more memory than the tensors that they replace; nullopt where they do not.
std::optional<std::string> chain_workspace_conflict(const KernelRequest &request);

// Why the stages are the better choice one by one: where one alone takes far fewer multiplications, that outweighs what
// stays in the cache.
std::optional<std::string> chain_reluctance(const StageGroup &group, const Target &target);

// Of the links that sum over channels, as Algorithm::time has it.
double chain_time(const StageGroup &group, const Target &target);

std::vector<int64_t> chain_worthwhile(const KernelRequest &so_far, const Knob &knob);
double chain_cycles(const KernelRequest &request);

// Why fusing does not pay; nullopt where it does.
std::optional<std::string> chain_work_refusal(const KernelRequest &request);

}  // namespace convc
