// depthwise: every output channel reads one input channel.
//
// Idea. There is no sum over channels, so there is little to reuse: a row of `columns` neighbouring outputs is computed
// together, and inputs that their taps share are loaded once (0.5 loads a multiply-add for 3 taps and 8 columns;
// XNNPACK needs 2.0, oneDNN 1.25). The vector runs over channels where they lie densely, and over pixels where they do
// not: in channels-first layouts and where there are fewer channels than lanes.
//
// Where the vector runs over pixels, rows are short of vectors (one of 8 lanes and its shifted neighbour make up a row
// of 14), and a sum of one accumulator waits for every multiply-add: there the register tile may hold several rows.
//
// Padding. With zeros and vectors of channels, no padded copy: rows outside are left out of the reduction, so are
// columns outside under a whole tile, and the select that guards the others stands in the first and last tile of a row
// only (Halide's loop partitioning, by likely()). Elsewhere the border is a strip in the workspace: where channels are
// planes apart (a plane at a time, which stays in L1); for constant weights, which become literals without the zero
// taps, since the unrolled taps would multiply the border code; where the border is anything but zeros; and where
// extents are known at run time only: there a task is a tile of constant size, and its strip reaches past the end of
// the input where the tile does.
#include <fmt/format.h>

#include <limits>

#include "schedules/algorithms.h"
#include "schedules/constant_kernel.h"
#include "schedules/group_generator.h"
#include "schedules/machine_model.h"
#include "schedules/padding.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::TailStrategy;
using Halide::Var;

constexpr int64_t most_unrolled_taps = 128;  // multiply-adds in one unrolled body; more takes LLVM seconds
constexpr int64_t most_literals = 512;       // the same of a constant kernel, whose taps are all in one body
constexpr int64_t most_literal_taps = 64;    // constant kernels above this are read from a table in the object

View output_view(const StageGroup &group) {
    return activation_view(group.output(), 1, flattens(group));
}

// Whether the work is cut into tiles: an extent is known at run time only.
bool in_tiles(const StageGroup &group) {
    return has_runtime_space(output_view(group));
}

// A width that is not known is taken for a long one.
int64_t width_of(const View &view) {
    return view[view_width].extent.known() ? int64_t{view[view_width].extent} : int64_t{1} << 20;
}

// Whether a vector runs over channels; else it runs over the width.
bool vectors_of_channels(const StageGroup &group, const Target &target) {
    const View view = output_view(group);
    if (view[view_channel].stride != 1) return false;
    return view[view_channel].extent >= target.vector_lanes() || view[view_channel].extent >= width_of(view);
}

int64_t power_of_two_at_most(int64_t value) {
    int64_t power = 1;
    while (power * 2 <= value) power *= 2;
    return power;
}

// The lanes that one vector uses: fewer than the target's where the extent is small.
int64_t vector_extent(const StageGroup &group, const Target &target) {
    const View view = output_view(group);
    const int64_t extent = vectors_of_channels(group, target) ? int64_t{view[view_channel].extent} : width_of(view);
    return std::min<int64_t>(target.vector_lanes(), power_of_two_at_most(extent));
}

// The column and the row of a constant kernel of rank 1, where both are short enough to be written out.
std::optional<SeparableKernel> factors_of(const Stage &stage) {
    std::optional<SeparableKernel> factors = separable_kernel(stage);
    if (factors && static_cast<int64_t>(factors->column.size() + factors->row.size()) > most_literal_taps) {
        return std::nullopt;
    }
    return factors;
}

// Constant kernels that are written out tap by tap.
bool is_literal(const Stage &stage) {
    return stage.weights && (stage.kernel_volume() <= most_literal_taps || factors_of(stage));
}

// Whether the kernel copies its input into a strip with the border around it.
bool uses_strip(const StageGroup &group) {
    const Stage &stage = group.stage(0);
    const bool channels_apart = output_view(group)[view_channel].stride != 1;
    return in_tiles(group) || (has_padding(stage) && (channels_apart || is_literal(stage) || !pads_with_zeros(stage)));
}

// Whether a strip holds one channel's plane; else all channels of a task.
bool copies_planes(const StageGroup &group, const Target &target) {
    return !in_tiles(group) && !vectors_of_channels(group, target) && !channels_last(group.input().layout);
}

// Whether the register tile may hold several rows.
bool tiles_rows(const StageGroup &group, const Target &target) {
    if (vectors_of_channels(group, target)) return false;
    return uses_strip(group) || !is_padded(stage_axis(group.stage(0), view_height));
}

// Whether parts overlap, the last one shifted inwards, so that two tasks may compute a pixel in two places of a
// register tile of so many pixels along the axis that is cut. They would race: at the border a select stands between
// product and sum, and LLVM orders the sums of a constant kernel by what neighbours share, so the two may be rounded
// differently.
bool parts_overlap(const View &output, int64_t parts, int64_t tile) {
    const int64_t extent = output[parallel_axis(output)].extent;
    const int64_t unit = parallel_axis(output) == view_width ? tile : 1;
    const int64_t piece = std::min(ceil_divided(ceil_divided(extent, unit), parts) * unit, extent);
    return tile > 1 && extent % piece != 0;
}

int64_t rows_of_part(const StageGroup &group, int64_t parts) {
    return outputs_of_part(output_view(group), parts)[view_height - view_width];
}

// Whether zeros of the strip meet weights, which may be NaN or infinite, and have to be left out then.
bool leaves_out_zeros(const StageGroup &group) {
    return uses_strip(group) && pads_with_zeros(group.stage(0)) && !group.stage(0).weights;
}

// A strip's size is constant only while each task needs the same channels of it, which a multiplier above 1 spoils.
bool cuts_channels(const StageGroup &group) {
    return !uses_strip(group) || group.stage(0).multiplier() == 1;
}

// ---- applicability, knobs, default

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (!is_depthwise(stage)) return "computes one input channel a group";
    return std::nullopt;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const int64_t lanes = vector_extent(group, target);
    const bool channels = vectors_of_channels(group, target);
    const int64_t columns = channels ? width_of(output) : width_of(output) / lanes;
    std::vector<Knob> all{{"columns", "outputs of a row (pixels, or vectors of pixels) in the register tile", 1,
                           std::min<int64_t>(std::max<int64_t>(columns, 1), 16)}};
    if (in_tiles(group)) {
        all.push_back({"row_tiles", "register tiles in a row of a task", 1, 64});
        all.push_back({"rows", "rows of a task", 1, 64});
    } else {
        all.push_back(
            {"parts", "parallel parts of the outermost spatial axis", 1, output[parallel_axis(output)].extent});
    }
    const int64_t vectors = output[view_channel].extent / (channels ? lanes : 1);
    all.push_back({"channel_parts", "parallel parts of the channels", 1,
                   cuts_channels(group) ? std::max<int64_t>(vectors, 1) : 1});
    all.push_back({"channels_outside", "1: a vector of channels at all pixels before the next", 0, 1});
    if (tiles_rows(group, target)) {
        const Size &height = output[view_height].extent;
        const bool limited = height.known() && !in_tiles(group);
        all.push_back(
            {"register_rows", "rows of outputs in the register tile", 1, limited ? std::min<int64_t>(height, 16) : 16});
    }
    if (factors_of(group.stage(0))) {
        const bool always = group.stage(0).kernel_volume() > most_literal_taps;
        all.push_back({"separable", "1: the constant kernel as a row, then a column", always ? 1 : 0, 1});
    }
    return all;
}

// Whether the pair takes fewer multiplications than the taps that are not zero.
bool pays_apart(const Stage &stage, const SeparableKernel &factors) {
    return nonzero_taps(factors.row) + nonzero_taps(factors.column) < nonzero_taps(*stage.weights);
}

void choose_separable(Schedule &schedule, const Stage &stage) {
    const auto factors = factors_of(stage);
    if (!factors) return;
    const bool always = stage.kernel_volume() > most_literal_taps;
    schedule.knobs.emplace_back("separable", always || pays_apart(stage, *factors) ? 1 : 0);
}

std::string print_taps(const std::vector<double> &taps) {
    std::string text;
    for (double tap : taps) text += (text.empty() ? "" : ", ") + print_number(tap);
    return "[" + text + "]";
}

std::vector<std::string> notes(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    std::vector<std::string> all;
    if (!stage.weights) return all;
    const int64_t taps = nonzero_taps(*stage.weights);
    if (taps < stage.kernel_volume()) {
        all.push_back(
            fmt::format("{} of {} taps are zero and left out", stage.kernel_volume() - taps, stage.kernel_volume()));
    }
    const auto factors = factors_of(stage);
    if (factors && request.schedule.knob("separable") == 1) {
        all.push_back(
            fmt::format("the kernel has rank 1: computed as the row {}, then the column {}, {} "
                        "multiplications an output in place of {}",
                        print_taps(factors->row), print_taps(factors->column),
                        nonzero_taps(factors->row) + nonzero_taps(factors->column), taps));
    }
    return all;
}

// Pixels or rows of the register tile along the axis that is cut into parts.
int64_t tile_along_parts(const StageGroup &group, int64_t pixels, int64_t rows) {
    const ViewAxis axis = parallel_axis(output_view(group));
    return axis == view_width ? pixels : axis == view_height ? rows : 1;
}

std::optional<std::string> conflict(const KernelRequest &request) {
    const Schedule &schedule = request.schedule;
    const StageGroup &group = request.group;
    const Stage &stage = group.stage(0);
    const int64_t columns = *schedule.knob("columns");
    const int64_t register_rows = schedule.knob("register_rows").value_or(1);
    if (!fits_registers({1, columns * register_rows}, request.target)) {
        return tiles_rows(group, request.target) ? "columns * register_rows + 2 exceed the vector registers"
                                                 : "columns + 2 exceed the vector registers";
    }
    if (in_tiles(group) && *schedule.knob("rows") % register_rows != 0) return "register_rows does not divide rows";
    const int64_t pixels =
        vectors_of_channels(group, request.target) ? columns : columns * vector_extent(group, request.target);
    if (!in_tiles(group)) {
        const int64_t parts = *schedule.knob("parts");
        if (register_rows > rows_of_part(group, parts)) return "register_rows exceeds the rows of a part";
        if (parts_overlap(output_view(group), parts, tile_along_parts(group, pixels, register_rows))) {
            return "parts overlap, and a sum may be rounded otherwise elsewhere in a tile";
        }
    }
    if (!uses_strip(group)) return std::nullopt;
    const int64_t channels =
        copies_planes(group, request.target) ? 1 : ceil_divided(stage.in_channels, *schedule.knob("channel_parts"));
    if (!in_tiles(group)) {
        return strip_refusal(stage, outputs_of_part(output_view(group), *schedule.knob("parts")), channels);
    }
    return strip_refusal(stage, {*schedule.knob("row_tiles") * pixels, *schedule.knob("rows"), 1}, channels);
}

// Tasks of 8 rows of some 64 outputs, and of so many channels that their strip stays in half of L2.
Schedule default_tiles(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const std::vector<Knob> ranges = knobs(group, target);
    // Of vectors of pixels, fewer: a row may be short, and the tile has several rows.
    const bool several_rows = tiles_rows(group, target);
    const int64_t columns =
        std::min<int64_t>({ranges[0].high, several_rows ? 2 : 8,
                           std::max<int64_t>(most_unrolled_taps / stage_axis(stage, view_width).kernel, 1)});
    const int64_t pixels = vectors_of_channels(group, target) ? columns : columns * vector_extent(group, target);
    const int64_t row_tiles = (64 + pixels - 1) / pixels;
    const auto span = [&](ViewAxis axis, int64_t outputs) { return input_span(stage_axis(stage, axis), outputs); };
    const int64_t plane = span(view_width, row_tiles * pixels) * span(view_height, 8) * span(view_depth, 1) * 4;
    const int64_t strips = (plane * stage.in_channels * 2 + target.l2_bytes - 1) / target.l2_bytes;
    Schedule schedule{"depthwise",
                      {{"columns", columns},
                       {"row_tiles", row_tiles},
                       {"rows", 8},
                       {"channel_parts", std::clamp<int64_t>(strips, 1, ranges[3].high)},
                       {"channels_outside", 0}}};
    if (several_rows) schedule.knobs.emplace_back("register_rows", output_view(group)[view_height].extent == 1 ? 1 : 4);
    return schedule;
}

// Some 8. The row's last tile is shifted inwards: prefer a tile that wastes nothing, and whose taps in padding can be
// left out for that (33 columns under dilation 12: 11 take half the time that 8 take).
int64_t default_columns(int64_t row, int64_t most, const Target &target) {
    const int64_t usual = std::min<int64_t>(most, 8);
    for (int64_t columns = usual; columns > usual / 2; columns--) {
        if (row % columns == 0) return columns;
    }
    for (int64_t columns = usual + 1; columns <= most; columns++) {
        if (row % columns == 0 && fits_registers({1, columns}, target)) return columns;
    }
    return usual;
}

// The tile of vectors x rows of a plane with the fewest cycles: those that fewer than 8 accumulators wait for one
// another, and what the last tiles compute twice. Of equals the largest, whose rows share most inputs; under a stride,
// where an input takes two loads and a shuffle, the smallest (3x3 stride 2 at 112 x 112: 0.09 ms, the largest 0.12).
struct PixelTile {
    int64_t vectors = 1;
    int64_t rows = 1;
};
PixelTile default_pixel_tile(const StageGroup &group, int64_t rows, int64_t most_vectors, const Target &target) {
    constexpr int64_t independent_sums = 8;  // two FMAs a cycle, each done after 4
    const Stage &stage = group.stage(0);
    const Axis axis = stage_axis(stage, view_width);
    const int64_t width = output_view(group)[view_width].extent, lanes = vector_extent(group, target);
    const int64_t taps = is_literal(stage) ? nonzero_taps(*stage.weights) : axis.kernel;  // in one body
    const int64_t most_taps = is_literal(stage) ? most_literals : most_unrolled_taps;
    PixelTile best;
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int64_t vectors = 1; vectors <= most_vectors; vectors++) {
        for (int64_t tile_rows = 1; tile_rows <= std::min<int64_t>(rows, 16); tile_rows++) {
            const int64_t sums = vectors * tile_rows;
            if (sums > 1 && (!fits_registers({1, sums}, target) || sums * taps > most_taps)) break;
            const int64_t tiles = ceil_divided(width, vectors * lanes) * ceil_divided(rows, tile_rows);
            const int64_t cycles = tiles * std::max(sums, independent_sums);
            if (cycles > least || (cycles == least && axis.stride > 1)) continue;
            least = cycles;
            best = {vectors, tile_rows};
        }
    }
    return best;
}

Schedule default_parts(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const std::vector<Knob> ranges = knobs(group, target);
    const int64_t taps = stage_axis(group.stage(0), view_width).kernel;
    const int64_t most_columns = std::min(ranges[0].high, std::max<int64_t>(most_unrolled_taps / taps, 1));
    const int64_t row = vectors_of_channels(group, target) ? int64_t{output[view_width].extent} : ranges[0].high;
    const int64_t columns = default_columns(row, most_columns, target);
    const int64_t rows = output[parallel_axis(output)].extent;
    int64_t parts = balanced_parts(rows, output[view_batch].extent, target);
    while (parts_overlap(output, parts, tile_along_parts(group, columns, 1))) parts--;
    const int64_t wanted = (planned_threads(target) + parts - 1) / parts;
    const int64_t channel_parts = std::min(wanted, ranges[2].high);
    return {"depthwise",
            {{"columns", columns}, {"parts", parts}, {"channel_parts", channel_parts}, {"channels_outside", 0}}};
}

// Vectors of pixels: parts are of channels, whose planes share nothing, as far as there are enough of them.
Schedule default_planes(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const std::vector<Knob> ranges = knobs(group, target);
    const int64_t batch = output[view_batch].extent;
    const int64_t channel_parts = std::min(balanced_parts(output[view_channel].extent, batch, target), ranges[2].high);
    int64_t parts = balanced_parts(output[parallel_axis(output)].extent, batch * channel_parts, target);
    const PixelTile tile = default_pixel_tile(group, rows_of_part(group, parts), ranges[0].high, target);
    const int64_t pixels = tile.vectors * vector_extent(group, target);
    while (parts_overlap(output, parts, tile_along_parts(group, pixels, tile.rows))) parts--;
    return {"depthwise",
            {{"columns", tile.vectors},
             {"parts", parts},
             {"channel_parts", channel_parts},
             {"channels_outside", 0},
             {"register_rows", tile.rows}}};
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    Schedule schedule = in_tiles(group)             ? default_tiles(group, target)
                        : tiles_rows(group, target) ? default_planes(group, target)
                                                    : default_parts(group, target);
    choose_separable(schedule, group.stage(0));
    return schedule;
}

// Packed weights: channel, taps.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    return single_stage_arguments(request.group, 1,
                                  {stage.out_channels, taps(view_width), taps(view_height), taps(view_depth)},
                                  stage.out_channels, leaves_out_zeros(request.group));
}

// ---- the kernel

class Depthwise : public KernelGenerator<Depthwise> {
public:
    GeneratorParam<int> columns{"columns", 1}, parts{"parts", 1}, channel_parts{"channel_parts", 1};
    GeneratorParam<int> channels_outside{"channels_outside", 0}, row_tiles{"row_tiles", 1}, rows{"rows", 1};
    GeneratorParam<int> separable{"separable", 0}, register_rows{"register_rows", 1};

    void generate() {
        constrain_buffers();
        by_channel_ = vectors_of_channels(request().group, request().target);
        vector_ = static_cast<int>(vector_extent(request().group, request().target));
        multiplier_ = static_cast<int>(stage().multiplier());
        placed_ = placements(in_tiles(request().group));
        source_ = uses_strip(request().group) ? with_border(x(), stage(), placed_) : Func(x());
        if (separable != 0) {
            define_separable();
        } else if (is_literal(stage())) {
            define_literal();
        } else {
            define_loop();
        }
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            with_epilogues(accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_);
    }

    void schedule() {
        const Var task("task");
        const Var inner = schedule_output(task);
        if (uses_strip(request().group)) {
            const int channels = task_channels_ / multiplier_;
            const View view = with_channels(arguments()[0].view, channels);
            if (in_tiles(request().group)) {
                schedule_tile_strip(source_, output(), v_.z, lanes(), view, stage(), task_columns(), rows);
                source_.bound_extent(v_.c, channels);
            } else {
                schedule_strip(source_, output(), strip_loop(task), lanes(), view);
            }
        }
        if (separable != 0) schedule_row_pass(task);
        const Var along = by_channel_ ? v_.c : v_.x;
        // The bounds are stated because Halide does not see through every shifted tail that they are constant.
        accumulator_.compute_at(output(), inner).bound_extent(v_.c, by_channel_ ? vector_ : 1);
        accumulator_.bound_extent(v_.x, by_channel_ ? static_cast<int>(columns) : columns * vector_);
        accumulator_.bound_extent(v_.y, register_rows);
        for (const Var &var : {v_.g, v_.z, v_.n}) accumulator_.bound_extent(var, 1);
        accumulator_.vectorize(along, vector_).unroll(v_.c).unroll(v_.x).unroll(v_.y);
        if (is_literal(stage())) return;
        if (leaves_out_zeros(request().group)) schedule_update(accumulator_.update().specialize(nonfinite()), along);
        schedule_update(accumulator_.update(), along);
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    void schedule_update(Halide::Stage update, const Var &along) {
        update.reorder({v_.c, v_.x, v_.y, r_[0], r_[1], r_[2]});
        update.vectorize(along, vector_).unroll(v_.c).unroll(v_.x).unroll(v_.y);
        const int64_t row = stage_axis(stage(), view_width).kernel * columns * register_rows;
        if (row <= most_unrolled_taps) update.unroll(r_[0]);
        // Rows of a tile share the rows of the input that they read.
        const int64_t all = row * stage_axis(stage(), view_height).kernel;
        if (register_rows > 1 && all <= most_unrolled_taps) update.unroll(r_[1]);
    }

    // Of a tile's width.
    int tile_columns() const { return static_cast<int>(columns) * (by_channel_ ? 1 : vector_); }
    int task_columns() const { return tile_columns() * static_cast<int>(row_tiles); }

    // In the source, which is in padded coordinates where it is a strip.
    Expr position(const Expr &at, const Expr &tap, const Axis &axis) const {
        const int before = uses_strip(request().group) ? 0 : size(axis.pad_before);
        return at * size(axis.stride) + tap * size(axis.dilation) - before;
    }

    // Weights from memory: a loop over taps, those in padding of zeros left out.
    void define_loop() {
        const Axis ax = stage_axis(stage(), view_width), ay = stage_axis(stage(), view_height),
                   az = stage_axis(stage(), view_depth);
        const View view = arguments()[0].view;
        r_ = RDom(0, size(ax.kernel), 0, size(ay.kernel), 0, size(az.kernel), "r");
        const Expr ix = position(v_.x, r_[0], ax), iy = inside_rows(v_.y, r_[1], ay, view[view_height].extent),
                   iz = inside_rows(v_.z, r_[2], az, view[view_depth].extent);
        const int width = size(view[view_width].extent);
        const bool padded = !uses_strip(request().group) && (ax.pad_before > 0 || ax.pad_after > 0);
        const Expr column = padded ? Halide::clamp(Halide::likely(ix), 0, width - 1) : ix;
        const Expr product = weight() * source_(v_.c / multiplier_, v_.g, column, iy, iz, v_.n);
        if (padded && width_of(output_view(request().group)) % tile_columns() == 0) {
            const Expr first = first_of_tile(v_.x, tile_columns(), r_[0], ax);
            r_.where(first + (tile_columns() - 1) * size(ax.stride) >= size(ax.pad_before));
            r_.where(first < size(ax.pad_before) + width);
        }
        // The select is round the product: NaN or infinity times padding, or times a constant 0, contributes nothing.
        Expr term = padded ? Halide::select(Halide::likely(ix >= 0 && ix < width), product, 0.0f) : product;
        if (leaves_out_zeros(request().group)) {
            const Expr inside = within(ix, placed_[0]) && within(iy, placed_[1]) && within(iz, placed_[2]);
            term = Halide::select(nonfinite() && !inside, 0.0f, product);
        }
        if (stage().weights) term = Halide::select(weight() != 0.0f, term, 0.0f);
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = 0.0f;
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += term;
    }

    // Of the tap r_: from packed memory, or from a table in the object.
    Expr weight() {
        if (!stage().weights) return parameter(Parameter::Role::weight)(v_.c, r_[0], r_[1], r_[2]);
        if (!table_.defined()) {
            const Axis ax = stage_axis(stage(), view_width), ay = stage_axis(stage(), view_height),
                       az = stage_axis(stage(), view_depth);
            table_ = Halide::Buffer<float>({size(ax.kernel), size(ay.kernel), size(az.kernel)}, "taps");
            std::vector<double> taps = *stage().weights;
            if (stage().flip) std::reverse(taps.begin(), taps.end());
            std::copy(taps.begin(), taps.end(), table_.begin());
        }
        return table_(r_[0], r_[1], r_[2]);
    }

    // A tap's row (or plane), restricted to those inside the input.
    Expr inside_rows(const Var &at, const Halide::RVar &tap, const Axis &axis, int64_t extent) {
        const Expr row = position(at, tap, axis);
        if (uses_strip(request().group) || (axis.pad_before == 0 && axis.pad_after == 0)) return row;
        r_.where(row >= 0 && row < size(extent));
        return Halide::clamp(row, 0, size(extent) - 1);
    }

    // Weights as literals: the sum written out, zero taps left out.
    void define_literal() {
        const Stage &s = stage();
        const Axis ax = stage_axis(s, view_width), ay = stage_axis(s, view_height), az = stage_axis(s, view_depth);
        Expr sum = 0.0f;
        for (int64_t i = 0; i < s.kernel_volume(); i++) {
            const auto weight = static_cast<float>((*s.weights)[static_cast<size_t>(i)]);
            if (weight == 0.0f) continue;
            const Expr tap_x = tap(i % ax.kernel, ax), tap_y = tap(i / ax.kernel % ay.kernel, ay),
                       tap_z = tap(i / ax.kernel / ay.kernel, az);
            sum += weight * source_(v_.c / multiplier_, v_.g, v_.x * size(ax.stride) + tap_x,
                                    v_.y * size(ay.stride) + tap_y, v_.z * size(az.stride) + tap_z, v_.n);
        }
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = sum;
    }

    // A constant kernel of rank 1: every row of the strip under the row of the kernel, then the column.
    void define_separable() {
        const SeparableKernel factors = *factors_of(stage());
        const Axis ax = stage_axis(stage(), view_width), ay = stage_axis(stage(), view_height);
        Expr along = 0.0f, down = 0.0f;
        for (size_t j = 0; j < factors.row.size(); j++) {
            const auto weight = static_cast<float>(factors.row[j]);
            if (weight == 0.0f) continue;
            const Expr x_at = v_.x * size(ax.stride) + tap(static_cast<int64_t>(j), ax);
            along += weight * source_(v_.c / multiplier_, v_.g, x_at, v_.y, v_.z * depth_stride(), v_.n);
        }
        row_pass_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = along;
        for (size_t i = 0; i < factors.column.size(); i++) {
            const auto weight = static_cast<float>(factors.column[i]);
            if (weight == 0.0f) continue;
            const Expr y_at = v_.y * size(ay.stride) + tap(static_cast<int64_t>(i), ay);
            down += weight * row_pass_(v_.c, v_.g, v_.x, y_at, v_.z, v_.n);
        }
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = down;
    }

    int depth_stride() const { return size(stage_axis(stage(), view_depth).stride); }

    // The loop that a strip is computed in.
    Var strip_loop(const Var &task) const { return copies_planes(request().group, request().target) ? plane_ : task; }

    // Where the strip is: as many rows as it has.
    void schedule_row_pass(const Var &task) {
        const bool tiled = in_tiles(request().group);
        row_pass_.compute_at(output(), tiled ? v_.z : strip_loop(task)).store_in(Halide::MemoryType::Heap);
        if (by_channel_) {
            int vector = vector_;
            while (task_channels_ % vector != 0) vector /= 2;
            row_pass_.vectorize(v_.c, vector);
        } else {
            row_pass_.reorder_storage(v_.x, v_.y, v_.z, v_.c, v_.g, v_.n).reorder(v_.x, v_.y, v_.z, v_.c);
            row_pass_.vectorize(v_.x, vector_, TailStrategy::GuardWithIf);
        }
        if (!tiled) return;
        const Axis ay = stage_axis(stage(), view_height);
        row_pass_.bound_extent(v_.x, task_columns()).bound_extent(v_.c, task_channels_);
        row_pass_.bound_extent(v_.y, size(input_span(ay, rows)));
        for (const Var &var : {v_.g, v_.z, v_.n}) row_pass_.bound_extent(var, 1);
    }

    Expr tap(int64_t index, const Axis &axis) const {
        return size((stage().flip ? axis.kernel - 1 - index : index) * axis.dilation);
    }

    // Cuts the output into tasks and register tiles; returns the loop in which one tile is computed.
    Var schedule_output(const Var &task) {
        const View view = arguments().back().view;
        Var co("co"), ci("ci"), cp("cp"), xo("xo"), xi("xi"), yi("yi"), part("part");
        Func y = output();
        const int tile_c = by_channel_ ? vector_ : 1;
        const int channels = size(view[view_channel].extent);
        const int tiles = (channels + tile_c - 1) / tile_c;
        const int per_part = (tiles + channel_parts - 1) / channel_parts;
        task_channels_ = std::min(per_part * tile_c, channels);
        y.split(v_.c, cp, co, task_channels_, TailStrategy::ShiftInwards);
        y.split(co, co, ci, tile_c, TailStrategy::ShiftInwards);
        if (in_tiles(request().group)) return schedule_tiles(task, cp, co, ci);
        split_parts(y, view, parts, tile_columns(), part);
        y.split(v_.x, xo, xi, tile_columns(), TailStrategy::ShiftInwards);
        y.split(v_.y, v_.y, yi, register_rows, TailStrategy::ShiftInwards);
        if (channels_outside || !by_channel_) {
            y.reorder({ci, xi, yi, xo, v_.y, v_.z, co, part, cp, v_.g, v_.n});
        } else {
            y.reorder({ci, xi, yi, co, xo, v_.y, v_.z, part, cp, v_.g, v_.n});
        }
        plane_ = co;
        y.vectorize(by_channel_ ? ci : xi, vector_).unroll(ci).unroll(xi).unroll(yi);
        fuse_all(y, {part, cp, v_.g, v_.n}, task);
        y.parallel(task).never_partition(task);
        return channels_outside || !by_channel_ ? xo : co;
    }

    // The same where extents are known at run time only.
    Var schedule_tiles(const Var &task, const Var &cp, const Var &co, const Var &ci) {
        Var xo("xo"), xi("xi"), yi("yi");
        Func y = output();
        const auto [across, down] = split_tiles(y, task_columns(), rows);
        y.split(v_.x, xo, xi, tile_columns(), TailStrategy::RoundUp);
        y.split(v_.y, v_.y, yi, register_rows, TailStrategy::RoundUp);
        std::vector<Halide::VarOrRVar> order{ci, xi, yi, co, xo, v_.y};
        if (channels_outside || !by_channel_) order = {ci, xi, yi, xo, v_.y, co};
        order.insert(order.end(), {v_.z, across, down, cp, v_.g, v_.n});
        y.reorder(order).vectorize(by_channel_ ? ci : xi, vector_).unroll(ci).unroll(xi).unroll(yi);
        fuse_all(y, {across, down, cp, v_.g, v_.n}, task);
        y.parallel(task).never_partition_all();
        return channels_outside || !by_channel_ ? xo : co;
    }

    ActivationVars v_;
    RDom r_;
    Placements placed_;
    Func source_{"source"}, row_pass_{"row_pass"}, accumulator_{"accumulator"};
    Halide::Buffer<float> table_;
    Var plane_;  // the loop over channels, where vectors run over pixels
    bool by_channel_ = true;
    int vector_ = 1, multiplier_ = 1, task_channels_ = 1;
};

// ---- weight packing

class DepthwisePack : public PackGenerator<DepthwisePack> {
public:
    void pack_weights(Func raw, Func packed) const {
        Var c("c"), kx("kx"), ky("ky"), kz("kz");
        std::vector<Expr> where = raw_taps(stage(), {kx, ky, kz});
        where.push_back(0);
        where.push_back(c);
        packed(c, kx, ky, kz) = raw(where);
    }
};

}  // namespace

Algorithm depthwise_algorithm() {
    return {"depthwise", "one input channel an output channel, rows of outputs in registers",
            refusal,     knobs,
            conflict,    default_schedule,
            arguments,   notes};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Depthwise, depthwise)
HALIDE_REGISTER_GENERATOR(convc::DepthwisePack, depthwise_pack)
