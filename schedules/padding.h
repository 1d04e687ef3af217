// Padding in a kernel: the strip of rows with the border around it that a task copies before it convolves.
#pragma once

#include <Halide.h>

#include <array>
#include <vector>

#include "convc/layer.h"
#include "schedules/tensor_view.h"

namespace convc {

// Where the input lies along one spatial axis: numbers, or what a call's run-time extents come to.
struct Placement {
    Halide::Expr extent;
    Halide::Expr before;  // elements of padding before it
    bool padded = false;
    bool tiled = false;  // tiles may reach past the end, whatever is padded
};
using Placements = std::array<Placement, 3>;  // width, height, depth

// Whether a position in padded coordinates lies in the input.
Halide::Expr within(const Halide::Expr &position, const Placement &placed);

// Whether some of the positions `first` to `first + span` lies in the input: a condition for RDom::where(). It is one
// unsigned comparison, which Halide's bounds inference does not see through, so that a strip keeps its constant size.
Halide::Expr reaches_input(const Halide::Expr &first, int span, const Placement &placed);

// The first position under a tap from the tile of `columns` that `x` lies in, where tiles begin at multiples of
// `columns`: the same for all pixels of a tile, so that a condition on it may guard what is unrolled over them.
Halide::Expr first_of_tile(const Halide::Expr &x, int columns, const Halide::Expr &tap, const Axis &axis);

// Elements of padding before the input, whose extent matters for Axis::same_at_run_time alone.
Halide::Expr padding_before(const Axis &axis, const Halide::Expr &extent);

// The input in padded coordinates, the border as the stage's pad_mode says: position 0 along an axis is the first
// padded element.
Halide::Func with_border(Halide::Func input, const Stage &stage, const Placements &placements);

// The input where it lies, in padded coordinates, for padding of zeros: of a position in the border it gives some
// element inside. Rows and planes there are left out by their taps (reaches_input()), columns by a select round the
// product, whose other side is likely(), so that Halide cuts the loop over taps where that begins to hold.
Halide::Func in_place(const Halide::Func &input, const Placements &placements);

// A plane of pixels that lie side by side, in padded coordinates. A select for each pixel, as with_border() has, makes
// vectors of addresses of the first and the last of a row, which are all of a short one; here rows are stored with the
// border between them, which is that behind one and before the next (28 x 28: 0.87 of the time of a plane that is
// filled with the border first). Vectors of outputs may reach past the end of a row: into the next. `bordered` is read,
// `pixels` scheduled.
struct FilledPlane {
    Halide::Func pixels{"pixels"}, bordered{"bordered"};
    std::array<int, 3> read{};  // columns of a row, rows and planes
    int pitch = 0;              // pixels from a row to the next
    int extent = 0;             // pixels of a plane
};
bool may_fill_border(const Stage &stage);
Stage without_border_rows(Stage stage);  // for planes whose border is before and behind rows alone
FilledPlane with_filled_border(const Halide::Func &input, const Stage &stage, const Placements &placements,
                               const View &view, const std::array<int, 3> &read);

// In each turn of `loop`, so many channels.
void schedule_filled_plane(FilledPlane &filled, const Halide::Func &consumer, const Halide::Var &loop, int channels,
                           int lanes);

// Computes that Func strip by strip, once in each turn of `task`, in the caller's workspace. The channels of `input`
// are those of one strip.
void schedule_strip(Halide::Func padded, Halide::Func consumer, const Halide::Var &task, int lanes, const View &input);

// The same for tiles of `columns` x `rows` outputs (split_tiles()): a strip of constant size, whatever the extents.
void schedule_tile_strip(Halide::Func bordered, Halide::Func consumer, const Halide::Var &task, int lanes,
                         const View &input, const Stage &stage, int columns, int rows);

// The taps of a kernel as PyTorch orders them, width first; reversed for a true convolution.
std::vector<Halide::Expr> raw_taps(const Stage &stage, const std::vector<Halide::Expr> &taps);

// A weight as PyTorch orders them: the taps, then the input channel of its group and the output channel of all; of a
// transposed convolution, the output channel of its group and the input channel of all.
std::vector<Halide::Expr> raw_weight(const Stage &stage, const std::vector<Halide::Expr> &taps,
                                     const Halide::Expr &group, const Halide::Expr &input_of_group,
                                     const Halide::Expr &output_of_group);

}  // namespace convc
