// depthwise: every output channel reads one input channel.
//
// Idea. There is no sum over channels, so there is little to reuse: a row of `columns` neighbouring outputs is computed
// together, and inputs that their taps share are loaded once (0.5 loads a multiply-add for 3 taps and 8 columns;
// XNNPACK needs 2.0, oneDNN 1.25). The vector runs over channels where they lie densely, and over pixels where they do
// not: in channels-first layouts and where there are fewer channels than lanes.
//
// Where the vector runs over pixels, rows are short of vectors (a row of 14 takes one of 16 lanes that reaches past its
// end, or two of 8 that overlap), and a sum of one accumulator waits for every multiply-add: there the register tile
// may hold several rows.
//
// Padding. With zeros and vectors of channels, no padded copy: rows outside are left out of the reduction, so are
// columns outside under a whole tile, and the select that guards the others stands in the first and last tile of a row
// only (Halide's loop partitioning, by likely()). Elsewhere the border is a strip in the workspace: where channels are
// planes apart (several small planes at a time, row by row with the border between (padding.h); a large one, or the
// rows of a row of register tiles where those of the next share few, which stay in L1: under a stride, columns copied
// apart into even and odd ones save the kernel its shuffles, and cost as much), but for large ones under a stride of 2,
// which are read in place; for constant weights, which become literals without the zero taps, since the unrolled taps
// would multiply the border code; where the border is anything but zeros; and where extents are known at run time only:
// there a task is a tile of constant size, and its strip reaches past the end of the input where the tile does.
//
// Where pixels lie a multiple of 512 bytes apart, those of a row share few sets of L1, and their vectors drive each
// other out before the next row reads them: with many taps, or rows far apart, a task may first copy a vector of
// channels of its input, so that pixels lie side by side (knob `copies`). The copy has the border before and behind
// each row: of a wide kernel most tiles have some tap in it, and a select at each costs more than the multiplications
// (31x31 at 56 x 56: 4.0 ms with selects, 2.5 without, 2.1 with 14 columns for 8, which were too long a body with
// them). And a load waits for a store before it whose address has the same last 12 bits. Tensors that follow one
// another in memory often lie 64 bytes more than some pages apart, and then all loads of a vector of channels wait for
// the stores of the one before: there a task hops through the channels in quarters (3x3 at 14 x 14, 512 channels: 0.016
// ms for 0.032).
#include <fmt/format.h>

#include "schedules/algorithms.h"
#include "schedules/depthwise_schedule.h"
#include "schedules/direct_schedule.h"
#include "schedules/group_generator.h"
#include "schedules/machine_model.h"
#include "schedules/padding.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using depthwise::copies_border;
using depthwise::copies_planes;
using depthwise::copies_rows;
using depthwise::factors_of;
using depthwise::fills_planes;
using depthwise::hops;
using depthwise::hops_of_channels;
using depthwise::in_tiles;
using depthwise::is_literal;
using depthwise::lanes_of_sums;
using depthwise::leaves_out_border_rows;
using depthwise::leaves_out_rows;
using depthwise::leaves_out_zeros;
using depthwise::most_copied_taps;
using depthwise::most_unrolled_taps;
using depthwise::output_view;
using depthwise::planes_at_a_time;
using depthwise::reads_rows_in_place;
using depthwise::shares_rows;
using depthwise::uses_strip;
using depthwise::vector_extent;
using depthwise::vectors_of_channels;
using depthwise::width_of;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::TailStrategy;
using Halide::Var;
// ---- applicability, notes (knobs and defaults: depthwise_schedule.cpp)

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (!is_depthwise(stage)) return "computes one input channel a group";
    return std::nullopt;
}

// Of many output channels an input channel, vectors of pixels would load each input once for every one of them.
std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    constexpr int64_t many = 8;
    if (group.stage(0).groups == 1 && !group.stage(0).weights && direct::streams_faster_than_depthwise(group, target)) {
        return "its tiles would store many outputs at once, which take longer than the products";
    }
    if (vectors_of_channels(group, target) || group.stage(0).multiplier() < many) return std::nullopt;
    return "an input is loaded once for each of its many output channels";
}

// Whether zeros of a border meet weights, which may be NaN or infinite, and have to be left out then.
bool meets_zeros(const KernelRequest &request) {
    return leaves_out_zeros(request.group, request.target) || copies_border(request);
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

// Packed weights: channel, taps.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    return single_stage_arguments(request.group, 1,
                                  {stage.out_channels, taps(view_width), taps(view_height), taps(view_depth)},
                                  stage.out_channels, meets_zeros(request));
}

// ---- the kernel

class Depthwise : public KernelGenerator<Depthwise> {
public:
    GeneratorParam<int> columns{"columns", 1}, parts{"parts", 1}, channel_parts{"channel_parts", 1};
    GeneratorParam<int> channels_outside{"channels_outside", 0}, row_tiles{"row_tiles", 1}, rows{"rows", 1};
    GeneratorParam<int> separable{"separable", 0}, register_rows{"register_rows", 1}, copies{"copies", 0};

    void generate() {
        constrain_buffers();
        by_channel_ = vectors_of_channels(request().group, request().target);
        vector_ = static_cast<int>(lanes_of_sums(request().group, request().target));
        multiplier_ = static_cast<int>(stage().multiplier());
        placed_ = placements(in_tiles(request().group));
        source_ = source();
        if (copies) {
            const Func copied = copies_border(request()) ? bordered_rows() : source_;
            copy_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = copied(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n);
            source_ = copy_;
        }
        if (separable != 0) {
            define_separable();
        } else if (is_literal(stage())) {
            define_literal();
        } else {
            define_loop();
        }
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = finish_sum(accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_);
    }

    void schedule() {
        const Var task("task");
        const Var inner = schedule_output(task);
        if (uses_strip(request().group, request().target)) {
            const int channels = task_channels_ / multiplier_;
            const View view = with_channels(arguments()[0].view, channels);
            if (filled_) {
                schedule_filled_plane(*filled_, output(), plane_, planes(), lanes());
            } else if (in_tiles(request().group)) {
                schedule_tile_strip(source_, output(), v_.z, lanes(), view, stage(), task_columns(), rows);
                source_.bound_extent(v_.c, channels);
            } else {
                schedule_strip(source_, output(), strip_loop(task), lanes(), view);
            }
        }
        if (copies) schedule_copy();
        if (separable != 0) schedule_row_pass(task);
        const Var along = by_channel_ ? v_.c : v_.x;
        // The bounds are stated because Halide does not see through every shifted tail that they are constant.
        accumulator_.compute_at(output(), inner);
        accumulator_.bound_extent(v_.c, by_channel_ ? vector_ : 1);
        accumulator_.bound_extent(v_.x, by_channel_ ? static_cast<int>(columns) : columns * vector_);
        accumulator_.bound_extent(v_.y, register_rows);
        for (const Var &var : {v_.g, v_.z, v_.n}) accumulator_.bound_extent(var, 1);
        accumulator_.vectorize(along, vector_).unroll(v_.c).unroll(v_.x).unroll(v_.y);
        if (is_literal(stage())) return;
        if (meets_zeros(request())) schedule_update(accumulator_.update().specialize(nonfinite()), along);
        schedule_update(accumulator_.update(), along);
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    Func source() {
        if (!uses_strip(request().group, request().target)) return x();
        if (!fills_planes(request().group, request().target)) return with_border(x(), stage(), placed_);
        const bool in_rows_alone = leaves_out_border_rows(request());
        const Stage bordered = in_rows_alone ? without_border_rows(stage()) : stage();
        filled_ = with_filled_border(x(), bordered, placed_, arguments()[0].view, read_of_plane());
        if (!in_rows_alone) return filled_->bordered;
        Placements in_plane = placed_;
        in_plane[0].padded = in_plane[2].padded = false;  // by then
        return convc::in_place(filled_->bordered, in_plane);
    }

    void schedule_update(Halide::Stage update, const Var &along) {
        const int64_t sums = static_cast<int64_t>(columns) * static_cast<int>(register_rows);
        const int64_t row = stage_axis(stage(), view_width).kernel * sums;
        const int64_t column = stage_axis(stage(), view_height).kernel * sums;
        // Rows of a tile share the rows of the input that they read: a column of the kernel loads each of them once.
        const bool down = shares_rows(stage(), register_rows, sums);
        const Halide::RVar inner = down ? r_[1] : r_[0], outer = down ? r_[0] : r_[1];
        update.reorder({v_.c, v_.x, v_.y, inner, outer, r_[2]});
        update.vectorize(along, vector_).unroll(v_.c).unroll(v_.x).unroll(v_.y);
        const int64_t most = copies_border(request()) ? most_copied_taps : most_unrolled_taps;
        if (down || row <= most) update.unroll(inner);
        if (down && stage_axis(stage(), view_width).kernel * column <= most_unrolled_taps) update.unroll(outer);
    }

    // Of a tile's width.
    int tile_columns() const { return static_cast<int>(columns) * (by_channel_ ? 1 : vector_); }
    int task_columns() const { return tile_columns() * static_cast<int>(row_tiles); }

    // In the source, which is in padded coordinates where it is a strip.
    Expr position(const Expr &at, const Expr &tap, const Axis &axis) const {
        const int before = uses_strip(request().group, request().target) ? 0 : size(axis.pad_before);
        return at * size(axis.stride) + tap * size(axis.dilation) - before;
    }

    // Weights from memory: a loop over taps, those in padding of zeros left out.
    void define_loop() {
        const Axis ax = stage_axis(stage(), view_width), ay = stage_axis(stage(), view_height),
                   az = stage_axis(stage(), view_depth);
        const View view = arguments()[0].view;
        r_ = RDom(0, size(ax.kernel), 0, size(ay.kernel), 0, size(az.kernel), "r");
        const Expr x = position(v_.x, r_[0], ax) + (copies_border(request()) ? size(ax.pad_before) : 0);
        const Expr row = position(v_.y, r_[1], ay);
        const bool knows_rows = leaves_out_border_rows(request());
        const Expr y = in_place() ? Halide::clamp(Halide::likely(row), 0, size(view[view_height].extent) - 1)
                                  : inside_rows(v_.y, r_[1], ay, view[view_height].extent);
        const Expr z = inside_rows(v_.z, r_[2], az, view[view_depth].extent);
        if (!knows_rows && leaves_out_rows(request().group, register_rows, request().target)) leave_out_rows(ay);
        if (selects_columns() && !in_place()) leave_out_columns(ax);
        const Expr column = selects_columns() ? nearest_column(x, row) : x;
        const Expr product = weight() * source_(v_.c / multiplier_, v_.g, column, y, z, v_.n);
        // The selects are round the product: NaN or infinity times padding, or times a constant 0, contributes nothing.
        Expr term = product;
        if (selects_columns()) term = Halide::select(inside(x, view_width), term, 0.0f);
        if (in_place()) term = Halide::select(inside(row, view_height), term, 0.0f);
        if (meets_zeros(request())) term = Halide::select(nonfinite() && !inside_border(x, y, z), 0.0f, product);
        if (knows_rows) term = Halide::select(within(row, placed_[1]), term, 0.0f);
        if (stage().weights) term = Halide::select(weight() != 0.0f, term, 0.0f);
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = start_of_sum(v_);
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += term;
    }

    bool in_place() const { return reads_rows_in_place(request().group, request().target); }

    // Whether a column that a tap reads may lie before or behind its row: it has no copy with the border there.
    bool selects_columns() const {
        const bool copied = uses_strip(request().group, request().target) || copies_border(request());
        return !copied && is_padded(stage_axis(stage(), view_width));
    }

    // Of whole tiles, the rows and columns that lie in padding.
    void leave_out_rows(const Axis &axis) {
        const int tile = register_rows;
        const Expr first = first_of_tile(v_.y, tile, r_[1], axis);
        r_.where(reaches_input(first, (tile - 1) * size(axis.stride), placed_[1]));
    }
    void leave_out_columns(const Axis &axis) {
        if (width_of(output_view(request().group)) % tile_columns() != 0) return;
        const Expr first = first_of_tile(v_.x, tile_columns(), r_[0], axis);
        r_.where(first + (tile_columns() - 1) * size(axis.stride) >= size(axis.pad_before));
        r_.where(first < size(axis.pad_before) + size(arguments()[0].view[view_width].extent));
    }

    Expr nearest_column(const Expr &x, const Expr &row) const {
        const View view = arguments()[0].view;
        const Expr nearest = Halide::clamp(Halide::likely(x), 0, size(view[view_width].extent) - 1);
        return in_place() ? Halide::select(between_rows(row, view), x, nearest) : nearest;
    }

    Expr inside(const Expr &position, ViewAxis axis) const {
        return Halide::likely(position >= 0 && position < size(arguments()[0].view[axis].extent));
    }

    // Of positions in a strip, or in a copy, whose border is before and behind rows alone.
    Expr inside_border(const Expr &x, const Expr &y, const Expr &z) const {
        if (copies_border(request())) return within(x, placed_[0]);
        return within(x, placed_[0]) && within(y, placed_[1]) && within(z, placed_[2]);
    }

    // The input with the border before and behind each row.
    Func bordered_rows() {
        Placements placed = placed_;
        for (const size_t axis : {1, 2}) placed[axis].before = 0, placed[axis].padded = false;
        return with_border(x(), stage(), placed);
    }

    // Whether what lies before and behind a row is in its plane too.
    static Expr between_rows(const Expr &row, const View &view) {
        return Halide::likely(row > 0 && row < size(view[view_height].extent) - 1);
    }

    // Of the tap r_: from packed memory, or from a table in the object.
    Expr weight() {
        if (!stage().weights) return parameter(Parameter::Role::weight)(v_.c, r_[0], r_[1], r_[2]);
        if (!table_.defined()) table_ = constant_taps();
        return table_(r_[0], r_[1], r_[2]);
    }

    // A tap's row (or plane), restricted to those inside the input.
    Expr inside_rows(const Var &at, const Halide::RVar &tap, const Axis &axis, int64_t extent) {
        const Expr row = position(at, tap, axis);
        if (uses_strip(request().group, request().target) || (axis.pad_before == 0 && axis.pad_after == 0)) return row;
        r_.where(row >= 0 && row < size(extent));
        return Halide::clamp(row, 0, size(extent) - 1);
    }

    // Weights as literals: the sum written out, zero taps left out.
    void define_literal() {
        const Stage &s = stage();
        const Axis ax = stage_axis(s, view_width), ay = stage_axis(s, view_height), az = stage_axis(s, view_depth);
        Expr sum = start_of_sum(v_);
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
        Expr along = 0.0f, down = start_of_sum(v_);
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

    // Of a whole plane of one vector of channels: which rows a task needs, Halide does not see through their clamps.
    void schedule_copy() {
        const View view = arguments()[0].view;
        copy_.compute_at(output(), plane_).store_in(Halide::MemoryType::Heap).vectorize(v_.c, vector_);
        copy_.bound_extent(v_.c, vector_).bound_extent(v_.g, 1).bound_extent(v_.n, 1);
        const std::array<std::pair<Var, ViewAxis>, 3> space{
            {{v_.x, view_width}, {v_.y, view_height}, {v_.z, view_depth}}};
        for (const auto &[var, axis] : space) {
            const Axis along = stage_axis(stage(), axis);
            const bool bordered = axis == view_width && copies_border(request());
            const int64_t border = bordered ? along.pad_before + along.pad_after : 0;
            copy_.bound(var, 0, size(view[axis].extent + border));
        }
    }

    int planes() const { return size(planes_at_a_time(request().group, task_channels_, request().target)); }

    // All that is read has to be said: Halide takes it for a fact, and computes what would read more elsewhere. The
    // last part of a row ends where the row does, and its sums reach past that.
    std::array<int, 3> read_of_plane() const {
        const View view = output_view(request().group);
        const auto span = [&](ViewAxis axis, int64_t outputs) {
            return size(input_span(stage_axis(stage(), axis), outputs));
        };
        const int64_t columns_of_row = std::max<int64_t>(view[view_width].extent, vector_);
        const int rows_read = leaves_out_border_rows(request()) ? size(arguments()[0].view[view_height].extent)
                                                                : span(view_height, view[view_height].extent);
        return {span(view_width, columns_of_row), rows_read, span(view_depth, view[view_depth].extent)};
    }

    int depth_stride() const { return size(stage_axis(stage(), view_depth).stride); }

    // The loop that a strip is computed in.
    Var strip_loop(const Var &task) const {
        if (!copies_planes(request().group, request().target)) return task;
        return separable == 0 && copies_rows(stage(), register_rows) ? v_.y : plane_;
    }

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
        Var co("co"), ci("ci"), cp("cp"), xo("xo"), xi("xi"), yi("yi"), part("part"), hop("hop");
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
        const TailStrategy tail = by_channel_ ? TailStrategy::ShiftInwards : tail_of_row(vector_);
        y.split(v_.x, xo, xi, tile_columns(), tail);
        y.split(v_.y, v_.y, yi, register_rows, TailStrategy::ShiftInwards);
        Var innermost = co;
        std::vector<Halide::VarOrRVar> order{ci, xi, yi, co, xo, v_.y, v_.z};
        if (channels_outside || !by_channel_) {
            innermost = xo;
            order = {ci, xi, yi, xo, v_.y, v_.z, co};
        } else if (hops(request().group, per_part)) {
            innermost = hop;
            y.split(co, hop, co, per_part / hops_of_channels);
            order = {ci, xi, yi, hop, co, xo, v_.y, v_.z};
        }
        make_tasks(y, order, {part, cp, v_.g, v_.n}, task);
        plane_ = co;
        if (filled_) {
            y.split(co, block_, co, planes());
            plane_ = block_;
        }
        if (tail == TailStrategy::ShiftInwards) {
            y.vectorize(by_channel_ ? ci : xi, vector_).unroll(ci).unroll(xi);
        } else {
            y.vectorize(xi);  // one vector, which Halide does not split once more
        }
        y.unroll(yi).never_partition(task);
        // In the first and the last rows too, only the first and the last tiles ask for the border.
        const bool ends =
            stage_axis(stage(), view_width).pad_before > 0 && view[view_width].extent > int64_t{2} * tile_columns();
        if (ends && reads_rows_in_place(request().group, request().target)) y.always_partition(xo);
        return innermost;
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
        order.emplace_back(v_.z);
        make_tasks(y, order, {across, down, cp, v_.g, v_.n}, task);
        y.vectorize(by_channel_ ? ci : xi, vector_).unroll(ci).unroll(xi).unroll(yi).never_partition_all();
        return channels_outside || !by_channel_ ? xo : co;
    }

    ActivationVars v_;
    RDom r_;
    Placements placed_;
    std::optional<FilledPlane> filled_;
    Func source_{"source"}, row_pass_{"row_pass"}, copy_{"copy"}, accumulator_{"accumulator"};
    Halide::Buffer<float> table_;
    Var plane_, block_{"block"};  // the loop over channels, or vectors of them; over blocks of planes
    bool by_channel_ = true;
    int vector_ = 1, multiplier_ = 1, task_channels_ = 1;
};

// ---- weight packing

class DepthwisePack : public PackGenerator<DepthwisePack> {
public:
    void pack_weights(Func raw, Func packed) const {
        Var c("c"), kx("kx"), ky("ky"), kz("kz");
        packed(c, kx, ky, kz) = raw(raw_weight(stage(), {kx, ky, kz}, 0, 0, c));
    }
};

}  // namespace

Algorithm depthwise_algorithm() {
    return {"depthwise",
            "one input channel an output channel, rows of outputs in registers",
            refusal,
            depthwise::knobs,
            depthwise::conflict,
            depthwise::default_schedule,
            arguments,
            notes,
            1,
            reluctance,
            nullptr,
            nullptr,
            depthwise::cycles};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Depthwise, depthwise)
HALIDE_REGISTER_GENERATOR(convc::DepthwisePack, depthwise_pack)
