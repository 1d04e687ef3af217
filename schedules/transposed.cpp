// transposed: the gradient of a convolution with respect to its input, as one small convolution a stride phase.
//
// Idea. The forward layer, of stride s, dilation d and padding p, reads from output i through tap k the padded position
// i s + k d. So here output o gets input i through tap k where
//
//     o + p = i s + k d.
//
// With o = q s + phase, 0 <= phase < s, only taps with k d = phase + p (mod s) count. Let g = gcd(s, d). Where g does
// not divide phase + p there are none: the output is the epilogues of 0. Else they are k = first + t s/g, t = 0, 1,
// ..., where first = (phase + p)/g * (d/g)^-1 mod s/g, and
//
//     i = q + (phase + p - first d)/s - t d/g,
//
// a convolution from q to i of stride 1 and dilation d/g. An outer product of the
// phases of the three axes makes up the layer: no zero is ever inserted or multiplied. For k = 4, s = 2, p = 1:
//
//     o + p      1   2   3   4   5   6          phase 0 (odd o + p): taps 1 and 3, inputs q and q - 1
//     taps      1,3 0,2 1,3 0,2 1,3 0,2         phase 1 (even):      taps 0 and 2, inputs q + 1 and q
//
// This is the sub-pixel view of Shi et al., "Is the deconvolution layer the same as a convolutional layer?", arXiv
// 1609.07009, carried over to dilation.
//
// One phase after another of the same pixels is computed in the register tile of direct.cpp (vectors of output channels
// x neighbouring q of one phase); the phases of a task share its inputs in cache. Joining phases in one register tile
// would not save loads: a tile of 2 vectors x 3 columns x 2 phases loads 4 weights and 3 inputs for 12 multiply-adds,
// one of 2 vectors x 6 columns 2 weights and 6 inputs. But it would multiply zero weights wherever the phases do not
// have equally many taps, and reach less often evenly into a row.
//
// The vectors of the tile are of output channels, or, where a group has few of them (three colours, one channel of many
// groups) or channels lie apart, of pixels: vectors of `lanes` neighbouring q by single channels, weights broadcast.
// The inputs of neighbouring q are neighbours; the outputs lie `stride` apart, and where the pixels of a row lie side
// by side, those of all phases are interleaved in registers and stored as one vector (interleaves_phases()).
//
// A tile of all phases along the width is gathered before the epilogues write it: Halide's bounds inference knows
// intervals, and a tile of one phase is none. Phases along height and depth are outer loops.
//
// Extents known at run time only: a task is a tile of positions, and its strip reaches past the end of the input where
// the tile does.
//
// Borders. Where some tap of some output falls outside the input, each task first copies its rows of the input into a
// strip with zeros around it, in the workspace, so that the inner loop knows no borders; where none does (kernel =
// stride, no padding), the input is read in place.
#include <algorithm>
#include <array>

#include "schedules/algorithms.h"
#include "schedules/group_generator.h"
#include "schedules/padding.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"
#include "schedules/transposed_schedule.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

constexpr std::array<ViewAxis, 3> space{view_width, view_height, view_depth};

using namespace transposed;

// ---- arguments

// Packed weights: channel in the tile, input channel, taps, tile, group.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const int64_t tile = channel_tile(request);
    const int64_t tiles = channel_tiles(request);
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    const int64_t groups = groups_of(request.group);
    return single_stage_arguments(
        request.group, groups,
        {tile, summed_channels(stage), taps(view_width), taps(view_height), taps(view_depth), tiles, groups},
        tile * tiles, leaves_input(request.group));
}

// ---- the kernel

class Transposed : public KernelGenerator<Transposed> {
public:
    GeneratorParam<int> pixel_vectors{"pixel_vectors", 0}, vectors{"vectors", 1}, columns{"columns", 1};
    GeneratorParam<int> parts{"parts", 1}, channel_parts{"channel_parts", 1}, pixels_outside{"pixels_outside", 0},
        unroll{"unroll", 1}, row_tiles{"row_tiles", 1}, rows{"rows", 1};

    void generate() {
        constrain_buffers();
        channel_tile_ = size(channel_tile(request()));
        position_tile_ = size(position_tile(request()));
        tiled_ = in_tiles(request().group);
        for (size_t i = 0; i < space.size(); i++) {
            axes_[i] = phased_axis(request().group, space[i]);
            const bool known = axes_[i].input != runtime_extent;
            extent_[i] = known ? Expr(size(axes_[i].input)) : Expr(x().dim(static_cast<int>(space[i])).extent());
        }
        leaves_input_ = leaves_input(request().group);
        // Vectors of pixels need them side by side.
        uses_strip_ = leaves_input_ || (pixel_vectors && arguments()[0].view[view_width].stride > 1);
        source_ = uses_strip_ ? strip() : Func(x());
        define_sum();
        // The output at o is the sum at phase o % stride, position o / stride.
        std::vector<Expr> at{v_.c, v_.g};
        const std::array<Var, 3> o{v_.x, v_.y, v_.z};
        for (size_t i = 0; i < space.size(); i++) at.push_back(axes_[i].position(Expr(o[i])));
        for (size_t i = 0; i < space.size(); i++) at.push_back(axes_[i].phase(Expr(o[i]), space[i]));
        at.emplace_back(v_.n);
        Func y = output();
        y(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = finish_sum(phases_(at), v_);
    }

    void schedule() {
        phases_.compute_at(output(), schedule_output()).reorder(v_.c, q_[0], phase_[0]);
        sum_.compute_at(phases_, phase_[0]);
        phases_.bound_extent(phase_[0], size(axes_[0].phases));
        sum_.bound_extent(phase_[0], 1);
        for (Func tile : {phases_, sum_}) {
            // The bounds are stated because Halide does not see through every shifted or masked tail that they are
            // constant.
            tile.bound_extent(v_.c, channel_tile_).bound_extent(q_[0], position_tile_);
            for (const Var &var : {phase_[1], phase_[2], q_[1], q_[2], v_.g, v_.n}) tile.bound_extent(var, 1);
            if (pixel_vectors) tile.reorder_storage(q_[0], v_.c);
            tile.vectorize(along(), lanes()).unroll(v_.c).unroll(q_[0]);
        }
        if (leaves_input_) schedule_update(sum_.update().specialize(nonfinite()), 1);
        schedule_update(sum_.update(), unroll);
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    Var along() const { return pixel_vectors ? q_[0] : v_.c; }  // what a vector runs along

    // The input with zeros around it, from the least position that any tap of output 0 reads.
    Func strip() {
        const View view = arguments()[0].view;
        Halide::Region bounds(view.size(), Halide::Range{Expr(), Expr()});
        for (size_t i = 0; i < space.size(); i++) {
            if (tiled_ || axes_[i].leaves_input()) bounds[space[i]] = {0, extent_[i]};
        }
        Func exterior = Halide::BoundaryConditions::constant_exterior(Func(x()), 0.0f, bounds);
        Func padded("padded");
        padded(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            exterior(v_.c, v_.g, v_.x + size(axes_[0].low), v_.y + size(axes_[1].low), v_.z + size(axes_[2].low), v_.n);
        return padded;
    }

    // sum(channel, group, position and phase along each axis, image)
    void define_sum() {
        const Stage &s = stage();
        r_ = RDom(0, size(summed_channels(s)), 0, size(axes_[0].taps), 0, size(axes_[1].taps), 0, size(axes_[2].taps),
                  "r");
        std::array<Expr, 3> tap, input;
        Expr inside = Halide::Internal::const_true();
        for (size_t i = 0; i < space.size(); i++) {
            const PhasedAxis &axis = axes_[i];
            const Expr of_phase = phase_[i], t = r_[static_cast<int>(i) + 1];
            tap[i] = axis.first_tap(of_phase) + t * size(axis.tap_step);
            if (axis.common > 1) r_.where((of_phase + size(axis.pad)) % size(axis.common) == 0);
            if (!axis.has_equal_phases()) r_.where(tap[i] < size(axis.kernel));
            const Expr offset = axis.offset(of_phase, t);
            // From the strip's first element. Clamped only so that Halide, which takes all phases' offsets and taps
            // together, sees how far they reach.
            input[i] =
                q_[i] + (uses_strip_ ? Halide::clamp(offset - size(axis.low), 0, size(axis.high - axis.low)) : offset);
            if (!axis.leaves_input()) continue;
            const Expr here = input[i] >= size(-axis.low) && input[i] < extent_[i] - size(axis.low);
            inside = inside && here;
            // A row of taps that meets nothing but zeros is left out.
            if (i > 0) r_.where(reaches_input(input[i], 0, {extent_[i], size(-axis.low)}));
        }
        Func weights = parameter(Parameter::Role::weight);
        Expr product = weights(v_.c % channel_tile_, r_[0], tap[0], tap[1], tap[2], v_.c / channel_tile_, v_.g) *
                       source_(input_channel(), v_.g, input[0], input[1], input[2], v_.n);
        if (leaves_input_) product = Halide::select(nonfinite() && !inside, 0.0f, product);
        const std::vector<Var> all{v_.c, v_.g, q_[0], q_[1], q_[2], phase_[0], phase_[1], phase_[2], v_.n};
        sum_(all) = start_of_sum(v_);
        const std::vector<Expr> here(all.begin(), all.end());
        sum_(here) += product;
        phases_(all) = sum_(here);
    }

    // Within the group. A tile may reach past the last channel: what is computed there is not stored, but it must not
    // be loaded.
    Expr input_channel() const {
        if (!merges_groups(request().group)) return r_[0];
        const int last = size(stage().in_channels) - 1;
        const bool whole_tiles = stage().out_channels % channel_tile_ == 0;
        const Expr channel = v_.c / size(stage().multiplier());
        return whole_tiles ? channel : Halide::min(Halide::likely(channel), last);
    }

    void schedule_update(Halide::Stage update, int unrolled) {
        RVar ro("ro"), ri("ri");
        // The broadcasts outside: each is in a register only while its vectors are used.
        const Var inner = along(), outer = pixel_vectors ? v_.c : q_[0];
        update.split(r_[0], ro, ri, unrolled)
            .reorder({inner, outer, ri, ro, r_[1], r_[2], r_[3]})
            .vectorize(along(), lanes())
            .unroll(v_.c)
            .unroll(q_[0])
            .unroll(ri);
    }

    // Cuts the output into tasks, phases and register tiles; returns the loop in which one tile is computed.
    Var schedule_output() {
        const View view = arguments().back().view;
        Var co("co"), ci("ci"), cp("cp"), xo("xo"), xi("xi"), of_row("of_row"), task("task"), part("part");
        Func y = output();
        const int channels = size(view[view_channel].extent);
        const bool whole_tiles = channels % channel_tile_ == 0;
        const int tiles = (channels + channel_tile_ - 1) / channel_tile_;
        const TailStrategy tail = pixel_vectors ? TailStrategy::GuardWithIf : TailStrategy::PredicateStores;
        y.split(v_.c, co, ci, channel_tile_, whole_tiles ? TailStrategy::RoundUp : tail);
        const bool by_channel_parts = channel_parts > 1;
        if (by_channel_parts) y.split(co, cp, co, tiles / channel_parts, TailStrategy::RoundUp);
        const std::array<Var, 3> o{v_.x, v_.y, v_.z};
        for (size_t i = 0; i < space.size(); i++) {
            const bool whole = view[space[i]].extent % axes_[i].phases == 0;
            y.split(o[i], q_[i], phase_[i], size(axes_[i].phases),
                    whole ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
        }
        SpaceTiles tiles_of_space;
        const int part_rows = tiled_ ? split_space(y, tiles_of_space) : split_part(y, part);
        y.split(q_[0], xo, xi, position_tile_, tiled_ ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
        // The phases stand outside the rows: the weights of one phase stay in cache while the pixels stream past them.
        std::vector<Halide::VarOrRVar> order{ci, phase_[0], xi};
        const bool interleaves = interleaves_phases(request());
        if (interleaves) {
            y.fuse(phase_[0], xi, of_row);
            order = {of_row, ci};
        } else if (pixel_vectors) {
            order = {xi, ci, phase_[0]};
        }
        std::vector<Halide::VarOrRVar> pixels{xo, q_[1], q_[2], phase_[1], phase_[2]};
        if (tiled_) pixels = {xo, q_[1], phase_[1], phase_[2]};
        if (pixels_outside) order.emplace_back(co);
        order.insert(order.end(), pixels.begin(), pixels.end());
        if (!pixels_outside) order.emplace_back(co);
        if (tiled_) order.emplace_back(q_[2]);
        std::vector<Var> parts_of_group{part};
        if (tiled_) parts_of_group = {tiles_of_space.across, tiles_of_space.down};
        if (by_channel_parts) parts_of_group.push_back(cp);
        // Innermost among loops over tiles, Halide 21 loses the group's index.
        const bool groups_innermost = !tiled_ && groups_share_lines(request().group);
        make_tasks(y, order, task_loops(parts_of_group, v_.g, v_.n, groups_innermost), task);
        // Halide does not cut a loop again whose tail is stored under a mask: there the whole tile is one long vector.
        if (interleaves)
            y.vectorize(of_row, lanes() * size(axes_[0].phases));
        else if (pixel_vectors)
            y.vectorize(xi, lanes());
        else if (whole_tiles)
            y.vectorize(ci, lanes()).unroll(ci);
        else
            y.vectorize(ci);
        y.never_partition({xo, q_[1], q_[2], phase_[1], phase_[2], task});
        if (!interleaves) y.never_partition({xi, phase_[0]});
        // Partitioned, the last tile alone guards its loads.
        const bool guards = reads_operands() || merges_groups(request().group);
        if (!guards || whole_tiles) y.never_partition(co);
        if (tiled_) y.never_partition_all();
        if (uses_strip_) bound_strip(y, tiled_ ? q_[2] : task, part_rows);
        return pixels_outside ? co : xo;
    }

    // Cuts the positions of the outermost axis into `parts` of equal size, which it returns.
    int split_part(Func y, const Var &part) {
        const ViewAxis axis = part_axis(request().group);
        const int unit = axis == view_width ? position_tile_ : 1;
        return split_evenly(std::move(y), q_[axis - view_width], size(axes_[axis - view_width].positions), unit, parts,
                            part);
    }

    // Cuts the positions into tiles; returns the rows of one.
    int split_space(Func y, const SpaceTiles &tiles) {
        y.split(q_[0], tiles.across, q_[0], position_tile_ * static_cast<int>(row_tiles), TailStrategy::GuardWithIf);
        y.split(q_[1], tiles.down, q_[1], rows, TailStrategy::GuardWithIf);
        return rows;
    }

    // Positions along one axis that a strip serves.
    int64_t strip_positions(size_t i, int part_rows) const {
        if (!tiled_) return space[i] == part_axis(request().group) ? part_rows : axes_[i].positions;
        const std::array<int64_t, 3> tile{int64_t{position_tile_} * static_cast<int>(row_tiles), part_rows, 1};
        return tile[i];
    }

    void bound_strip(const Func &y, const Var &task, int part_rows) {
        const View view = arguments()[0].view;
        const int channels = size(view[view_channel].extent) / (merges_groups(request().group) ? channel_parts : 1);
        schedule_strip(source_, y, task, lanes(), with_channels(view, channels));
        source_.bound_extent(v_.c, channels);
        const std::vector<Var> args = source_.args();
        if (pixel_vectors) {
            source_.reorder_storage(args[view_width], args[view_height], args[view_depth], args[view_channel],
                                    args[view_group], args[view_batch]);
        }
        for (size_t i = 0; i < space.size(); i++) {
            source_.bound_extent(args[space[i]], size(axes_[i].strip(strip_positions(i, part_rows))));
        }
    }

    ActivationVars v_;
    std::array<Var, 3> q_{Var("qx"), Var("qy"), Var("qz")};
    std::array<Var, 3> phase_{Var("px"), Var("py"), Var("pz")};
    std::array<PhasedAxis, 3> axes_{};
    std::array<Expr, 3> extent_;  // of the input
    RDom r_;
    Func source_{"source"}, sum_{"sum"}, phases_{"phases"};
    bool leaves_input_ = false, uses_strip_ = false, tiled_ = false;
    int channel_tile_ = 1, position_tile_ = 1;
};

// ---- weight packing

class TransposedPack : public PackGenerator<TransposedPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const StageGroup &group = request().group;
        const int tile = static_cast<int>(channel_tile(request()));
        const int channels = static_cast<int>(group_channels(group));
        const int multiplier = static_cast<int>(stage().out_channels / stage().groups);
        Var c("c"), i("i"), kx("kx"), ky("ky"), kz("kz"), t("t"), g("g");
        const Expr channel = Halide::min(t * tile + c, channels - 1);
        const std::vector<Expr> taps{kx, ky, kz};
        const auto where = merges_groups(group)
                               ? raw_weight(stage(), taps, channel / multiplier, 0, channel % multiplier)
                               : raw_weight(stage(), taps, g, i, channel);
        packed(c, i, kx, ky, kz, t, g) = Halide::select(t * tile + c < channels, raw(where), 0.0f);
    }
};

}  // namespace

Algorithm transposed_algorithm() {
    return {"transposed",
            "one small convolution a stride phase, in the register tile of direct",
            transposed::refusal,
            transposed::knobs,
            transposed::conflict,
            transposed::default_schedule,
            arguments,
            nullptr,
            1,
            nullptr,
            nullptr,
            transposed::worthwhile,
            transposed::cycles};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Transposed, transposed)
HALIDE_REGISTER_GENERATOR(convc::TransposedPack, transposed_pack)
