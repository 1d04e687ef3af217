// The register tile, knobs and defaults of `transposed`: what limits them, and what the machine model chooses. Part of
// transposed.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"

namespace convc::transposed {

// Groups of one input channel each whose channels lie side by side become one group, so that vectors run across them:
// there is no sum over channels, and an output channel reads its own input channel.
bool merges_groups(const StageGroup &group);
int64_t groups_of(const StageGroup &group);
int64_t group_channels(const StageGroup &group);  // output channels of one of them
int64_t summed_channels(const Stage &stage);      // input channels that one output channel sums over

bool has_pixel_vectors(const Schedule &schedule);
int64_t channel_tile(const KernelRequest &request);   // channels in the register tile
int64_t channel_tiles(const KernelRequest &request);  // of a group
int64_t position_tile(const KernelRequest &request);  // positions in the register tile

// Whether vectors are of pixels and stored as rows, the phases along the width in turns; other vectors of pixels are
// stored one by one.
bool interleaves_phases(const KernelRequest &request);

// Whether the work is cut into tiles: an extent is known at run time only.
bool in_tiles(const StageGroup &group);

// As algorithm.h has them.
std::optional<std::string> refusal(const StageGroup &group, const Target &target);
std::vector<Knob> knobs(const StageGroup &group, const Target &target);
std::optional<Conflict> conflict(const KernelRequest &request);
Schedule default_schedule(const StageGroup &group, const Target &target);
std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob);
double cycles(const KernelRequest &request);

}  // namespace convc::transposed
