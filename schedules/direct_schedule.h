// The register tile, knobs and defaults of `direct`: what limits them, and what the machine model chooses. Part of
// direct.cpp. A `request` or `group` is of the convolution alone, except where it is said to be whole.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"

namespace convc::direct {

int64_t channel_tile(const KernelRequest &request);   // channels in the register tile
int64_t pixel_tile(const KernelRequest &request);     // pixels in it
int64_t channel_tiles(const KernelRequest &request);  // of a group

// Whether the work is cut into tiles: an extent is known at run time only.
bool in_tiles(const StageGroup &group);

// Whether a task reads its input through a strip with the border around it.
bool copies_input(const StageGroup &group, bool pixel_vectors);
bool copies_input(const KernelRequest &request);

// Of one input channel, whether more time goes into storing outputs than `depthwise` saves (espcn's 5x5 of 1 -> 64
// channels at 224 x 224: 0.96 of its time; 3x3 at 572 x 572: 0.93).
bool streams_faster_than_depthwise(const StageGroup &group, const Target &target);

// As single_stage.h has it; a shuffle behind the convolution sends a group's channels to every line (3x3 of 8 groups
// and a shuffle at 28 x 28, with the convolution behind them: 0.15 to 0.38 ms, as the threads happened to meet).
bool stored_groups_share_lines(const StageGroup &whole);

// Of whole groups, as algorithm.h has them.
std::vector<Knob> knobs(const StageGroup &whole, const Target &target);
std::optional<Conflict> conflict(const KernelRequest &whole);
Schedule default_schedule(const StageGroup &whole, const Target &target);
std::optional<std::string> reluctance(const StageGroup &whole, const Target &target);
double time(const StageGroup &whole, const Target &target);
std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob);
double cycles(const KernelRequest &whole);

}  // namespace convc::direct
