// What the one-stage algorithms share: the buffers they take and the refusals that have nothing to do with the
// algorithm.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"

namespace convc {

bool is_pointwise(const Stage &stage);  // 1x1, stride 1, no padding: every pixel alone
bool is_padded(const Axis &axis);
bool has_padding(const Stage &stage);
bool pads_with_zeros(const Stage &stage);
bool is_depthwise(const Stage &stage);  // one input channel a group, however it was written

int64_t group_channels(const Stage &stage);  // output channels of a group
int64_t input_channels(const Stage &stage);  // of a group
int64_t weight_bytes(const Stage &stage);    // of all groups

// Whether the groups of a convolution store into the same cache lines, or into neighbouring ones, which the processor
// fetches in pairs. Then a thread takes all groups of its pixels: two that write one line in turn wait for each other,
// and two that write the two lines of a pair do as well (1x1 of 60 -> 240 channels in 3 groups, of 5 lines each, at
// 28 x 28: 0.053 to 0.030 ms on Sapphire Rapids, where the dense 20 -> 240 takes 0.029).
bool groups_share_lines(const StageGroup &group);
int64_t groups_for_threads(const StageGroup &group);  // that threads may take one by one: 1 where they share lines

// The output, its channels in the stage's groups; flat where the stage flattens().
View grouped_output(const StageGroup &group);

// Outputs as models of time count them. Of an extent that is known at run time only: one image, many rows or pixels.
inline constexpr int64_t many_pixels = 5040;  // which no register tile divides badly
int64_t modelled_extent(const View &output, ViewAxis axis);
double modelled_outputs(const View &output);

// Of an axis' taps over all tiles of so many outputs, the share under which some input lies, and not only padding of
// zeros, where tiles fill the axis; else 1.
double share_of_taps(const StageGroup &group, ViewAxis along, int64_t tile);
// The same of tiles of so many columns and rows; 1 where such an extent is known at run time only.
double share_of_tile_taps(const StageGroup &group, int64_t columns, int64_t rows);

// Input channels in a vector of them: the most lanes that divide those of a group.
int64_t channel_block(const Stage &stage, const Target &target);

// Groups in a vector that runs across groups: the most lanes that divide the groups.
int64_t groups_in_vector(const Stage &stage, const Target &target);

// Whether a convolution is better computed in such vectors (grouped.cpp): many groups of few channels, which lie side
// by side and have sums long enough to put them in order for.
bool prefers_vectors_of_groups(const Stage &stage, const Target &target);

// Whether all pixels may be seen as one long row: pointwise, and no further tensor broadcasts over pixels.
bool flattens(const StageGroup &group);

// Why no kernel of one stage computes this group yet; nullopt when nothing general stands against it.
std::optional<std::string> general_refusal(const StageGroup &group);

// Why the strip of input with its border that a task copies cannot be indexed; nullopt where it can. A task makes
// `outputs` along width, height and depth, and reads `channels` of the input.
std::optional<std::string> strip_refusal(const Stage &stage, const std::array<int64_t, 3> &outputs, int64_t channels);

// Elements of the input that a task of so many outputs reads, of all channels.
double strip_elements(const Stage &stage, const std::array<int64_t, 3> &outputs);

// The outputs of a task where `parts` cut the outermost spatial axis of a view whose extents are known.
std::array<int64_t, 3> outputs_of_part(const View &output, int64_t parts);

// The further tensors that epilogues of any stage read, as indices into Layer::inputs: each once, as they are met.
std::vector<int> further_tensors(const StageGroup &group);

// x, weight (in `weight_extents`, unless constant), bias and scale padded to `padded_channels` a group, operands, y;
// the activations seen as `groups` groups of channels. With `nonfinite`, that flag too.
std::vector<KernelArgument> single_stage_arguments(const StageGroup &group, int64_t groups,
                                                   const std::vector<int64_t> &weight_extents, int64_t padded_channels,
                                                   bool nonfinite);

// The same of a shuffle: x seen as its groups, y as groups of as many channels as those are. Bias and scale lie as y's
// channels do.
std::vector<KernelArgument> shuffle_arguments(const KernelRequest &request);

}  // namespace convc
