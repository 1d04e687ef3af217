// The shape of a depthwise kernel: what its vectors run over, and what it copies. Part of depthwise.cpp.
#pragma once

#include <optional>

#include "schedules/algorithm.h"
#include "schedules/constant_kernel.h"

namespace convc::depthwise {

inline constexpr int64_t most_literal_taps = 64;    // constant kernels above are read from a table in the object
inline constexpr int64_t most_unrolled_taps = 128;  // multiply-adds in one unrolled body; more takes LLVM seconds
inline constexpr int64_t most_copied_taps = 512;    // the same where no tap asks for the border: 434 take 0.9 s in all

// Whether the body is a column of the kernel under all rows of the tile, not a row of it: then a row of the input that
// several rows of outputs read is loaded once. 7x7 at 56 x 56, channels first: 0.17 ms, not 0.30, where every vector of
// pixels crosses a cache line.
bool shares_rows(const Stage &stage, int64_t register_rows, int64_t sums);

// Whether rows of the kernel are left out under a tile that they meet nothing but the strip's zeros under: where the
// tile's rows share none of those that they read, and tiles fill the height.
bool leaves_out_rows(const StageGroup &group, int64_t register_rows, const Target &target);

View output_view(const StageGroup &group);

// Whether the work is cut into tiles: an extent is known at run time only.
bool in_tiles(const StageGroup &group);

// A width that is not known is taken for a long one.
int64_t width_of(const View &view);

// Whether a vector runs over channels though they are planes apart, copied into vectors first: of wide kernels, whose
// multiplications make up for that, and of which vectors of pixels would multiply much padding, in lanes that are
// partly past the ends of rows.
bool gathers_channels(const StageGroup &group, const Target &target);

// Whether a vector runs over channels; else it runs over the width.
bool vectors_of_channels(const StageGroup &group, const Target &target);

// The lanes that one vector uses: fewer than the target's where the extent is small.
int64_t vector_extent(const StageGroup &group, const Target &target);

// Whether such a strip holds whole planes, filled with the border before rows are copied into it: planes that stay in
// half of L1. 7x7 at 28 x 28, 192 channels: 0.063 ms, not 0.118; 3x3 at 56 x 56, 144 channels, 0.083 for 0.16.
bool fills_planes(const StageGroup &group, const Target &target);

// Whether such planes have no border above and below: a register tile is as high as they are, so that which rows of the
// kernel meet padding of zeros is known, and they are left out (channels first, 5x5 at 14 x 14 and 7 x 7 0.94 and 0.87
// of the time, 7x7 at 14 x 14 0.90).
bool leaves_out_border_rows(const KernelRequest &request);

// How many planes of so many at a time, equal blocks of them that stay in a quarter of L1. A load that takes parts from
// several stores waits until they and all stores before them have left the store buffer, outputs of the plane before
// among them: once a block (5x5 at 14 x 14: 0.013 ms for 0.024).
int64_t planes_at_a_time(const StageGroup &group, int64_t channels, const Target &target);

// The lanes that its sums are computed in: rows shorter than a vector take one that reaches past their ends, in the
// strip, and not two that overlap (14 pixels one of 16, not two of 8).
int64_t lanes_of_sums(const StageGroup &group, const Target &target);

// The column and the row of a constant kernel of rank 1, where both are short enough to be written out.
std::optional<SeparableKernel> factors_of(const Stage &stage);

// Constant kernels that are written out tap by tap.
bool is_literal(const Stage &stage);

// Whether the kernel copies its input into a strip with the border around it.
bool uses_strip(const StageGroup &group, const Target &target);

// Whether vectors of pixels read the rows of a large plane in place, under a stride of 2: past the ends of a row lie
// its neighbours, which a select leaves out. 112 x 112, 3x3: 0.65 of the time of a strip, 5x5: 0.56. Under no stride,
// whose loads may as well be aligned in a strip, 0.98 and 1.6; under a stride of 3, LLVM takes 20 s for the ends.
bool reads_rows_in_place(const StageGroup &group, const Target &target);

// Whether a strip holds one channel's plane; else all channels of a task.
bool copies_planes(const StageGroup &group, const Target &target);

// Whether such a strip holds only the rows that a row of register tiles reads.
bool copies_rows(const Stage &stage, int64_t register_rows);

// Whether pixels fall into few sets of L1.
bool shares_sets(const StageGroup &group);

// Whether a task that computes so many vectors of channels at a pixel takes one of each quarter in turn.
inline constexpr int hops_of_channels = 4;
bool hops(const StageGroup &group, int64_t vectors);

// Whether a task may copy its input a vector of channels at a time, so that pixels lie side by side.
bool may_copy_vectors(const StageGroup &group, const Target &target);

// Whether such a copy has the border before and behind each row, so that no tap asks for it: where neighbouring outputs
// share inputs. Else taps in padding are left out.
bool copies_border(const KernelRequest &request);

// Whether zeros of the strip meet weights, which may be NaN or infinite, and have to be left out then.
bool leaves_out_zeros(const StageGroup &group, const Target &target);

}  // namespace convc::depthwise
