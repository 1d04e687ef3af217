// The width of vectors: whole registers or, with the knob `half_vectors` that every algorithm has where registers hold
// 16 lanes, half of them. A CPU that computes with a whole register in two turns (Zen 4 with AVX-512) loses nothing by
// that, and 20 channels waste 4 lanes of 24, not 12 of 32.
//
// Algorithms know nothing of it: the target that they are given says how many lanes a vector has.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"

namespace convc {

// What an algorithm is given under such a schedule: a target with its vectors, and the algorithm's own knobs.
KernelRequest kernel_request(const StageGroup &group, const Schedule &schedule, const Target &target);

// The schedule of such a request, as users write it.
Schedule written_schedule(const KernelRequest &request);

// The target with vectors of each width that it has, whole ones first.
std::vector<Target> vector_widths(const Target &target);

// Whether such a schedule is one of half vectors.
bool uses_half_vectors(const Schedule &schedule);

// The algorithm's knobs under such a request, and the width where the target has two.
std::vector<Knob> written_knobs(const Algorithm &algorithm, const KernelRequest &request);

// Why a schedule cannot have the width that it says.
std::optional<std::string> width_refusal(const Schedule &schedule, const Target &target);

// The algorithm's default, of whole vectors, or of halves where its model takes them for faster.
Schedule default_of_any_width(const Algorithm &algorithm, const StageGroup &group, const Target &target);

}  // namespace convc
