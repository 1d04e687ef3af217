// direct: convolution as a sum over taps, dense or grouped, kept in registers.
//
// Idea. A tile of `vectors` x `columns` accumulators (vectors of output channels, columns of neighbouring pixels) stays
// in registers over the whole reduction. A step, one input channel at one tap, loads `vectors` of packed weights and
// broadcasts one input value a column: vectors * columns multiply-adds for vectors + columns loads. It is the register
// tile of every matrix product since Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008),
// with the im2col matrix never built (Zhang et al., "High Performance Zero-Memory Overhead Direct Convolutions", arXiv
// 1809.10170).
//
// The vectors of the tile are of output channels, or, where pixels lie densely (channels-first layouts), of pixels:
// then a step loads `columns` vectors of inputs and broadcasts `vectors` weights, and outputs are stored whole, which
// vectors of channels would scatter: 3x3 of 3 -> 64 channels at 224 x 224 takes 0.85 ms for 3.9 ms.
//
// Padding of zeros. The input is read where it lies. Rows of the kernel that meet nothing but zeros are left out, and
// so are its columns that do so under a whole tile, where tiles fill the row: of the taps of a 3x3 kernel under
// dilation 18 at 33 x 33, half (12.2 ms to 6.0 ms for 512 -> 256 channels; 1.03 to 0.90 ms for 3x3 at 7 x 7). Where
// only some pixels of a tile have a column of the kernel in the padding, which is at the ends of rows, a select leaves
// their products out; Halide cuts the loop over the kernel's columns in two or three, and the one that all tiles spend
// their time in has no select. 3x3 with stride 2 of 128 channels at 56 x 56 takes 0.92 of the time that it takes from a
// strip, and of 256 channels at 28 x 28 0.87. A pointwise layer's pixels are one row.
//
// Other padding, and vectors of pixels: each task first copies its rows of the input into a strip with the border
// around it, in the workspace, so that the inner loop knows no borders.
//
// Extents known at run time only: tasks are tiles of constant size, read through a strip that reaches past the end of
// the input where a tile does, and stored as far as the output goes.
//
// A shuffle before or behind it is folded in (folded_shuffle.h).
//
// Channels past the end of a group's last tile are computed on zero weights and not stored; columns past the end of a
// row are computed twice (the last tile is shifted inwards).
#include "schedules/algorithms.h"
#include "schedules/channel_tiles.h"
#include "schedules/direct_schedule.h"
#include "schedules/folded_shuffle.h"
#include "schedules/group_generator.h"
#include "schedules/padding.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using direct::channel_tile;
using direct::channel_tiles;
using direct::copies_input;
using direct::in_tiles;
using direct::pixel_tile;
using direct::stored_groups_share_lines;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

// ---- applicability, notes (knobs and defaults: direct_schedule.cpp)

std::optional<std::string> refusal_of_convolution(const StageGroup &group) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::shuffle) return "does not shuffle channels alone";
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (is_depthwise(stage) && stage.weights) return "takes no constant weights";
    return std::nullopt;
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (group.count == 1) return refusal_of_convolution(group);
    if (auto reason = fold_refusal(group)) return reason;
    return refusal_of_convolution(convolution_of(group));
}

// Whether a strip has zeros around the input, which weights that are not finite turn into NaN.
bool multiplies_zeros(const KernelRequest &request) {
    return pads_with_zeros(request.group.stage(0)) && copies_input(request);
}

// Packed weights: channel in the tile, input channel, taps, tile, group.
std::vector<KernelArgument> arguments(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const Stage &stage = request.group.stage(0);
    const int64_t tile = channel_tile(request);
    const int64_t tiles = channel_tiles(request);
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    std::vector<KernelArgument> all = single_stage_arguments(request.group, stage.groups,
                                                             {tile, stage.in_channels / stage.groups, taps(view_width),
                                                              taps(view_height), taps(view_depth), tiles, stage.groups},
                                                             tile * tiles, multiplies_zeros(request));
    fold_views(whole.group, all);
    return all;
}

// ---- the kernel

class Direct : public KernelGenerator<Direct> {
public:
    GeneratorParam<int> vectors{"vectors", 1}, columns{"columns", 1}, parts{"parts", 1};
    GeneratorParam<int> channel_parts{"channel_parts", 1}, pixels_outside{"pixels_outside", 0}, unroll{"unroll", 1};
    GeneratorParam<int> row_tiles{"row_tiles", 1}, rows{"rows", 1}, stages{"stages", 1};
    GeneratorParam<int> pixel_vectors{"pixel_vectors", 0};

    void generate() {
        constrain_buffers();
        const KernelRequest convolution_alone = convolution_of(request());
        tile_ = size(channel_tile(convolution_alone));
        pixel_tile_ = size(pixel_tile(convolution_alone));
        folded_ = folded_shuffle(request().group);
        const Stage &s = convolution();
        const Axis ax = stage_axis(s, view_width), ay = stage_axis(s, view_height), az = stage_axis(s, view_depth);
        const Placements placed = placements(in_tiles(convolution_group()), folded_.convolution);
        const Func input = input_of_groups(x(), folded_, input_channels());
        source_ = copies_input(convolution_alone) ? with_border(input, s, placed) : in_place(input, placed);
        r_ = RDom(0, input_channels(), 0, size(ax.kernel), 0, size(ay.kernel), 0, size(az.kernel), "r");
        Func weights = parameter(Parameter::Role::weight, folded_.convolution);
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = start_of_sum(v_, folded_.convolution);
        const Expr x_at = under_tap(v_.x, r_[1], ax), y_at = under_tap(v_.y, r_[2], ay),
                   z_at = under_tap(v_.z, r_[3], az);
        Expr product = weights(v_.c % tile_, r_[0], r_[1], r_[2], r_[3], v_.c / tile_, v_.g) *
                       source_(r_[0], v_.g, x_at, y_at, z_at, v_.n);
        if (multiplies_zeros(convolution_alone)) {
            const Expr inside = within(x_at, placed[0]) && within(y_at, placed[1]) && within(z_at, placed[2]);
            product = Halide::select(nonfinite() && !inside, 0.0f, product);
        } else if (pads_with_zeros(s) && placed[0].padded) {
            product = Halide::select(within(x_at, placed[0]), Halide::likely(product), 0.0f);
        }
        if (pads_with_zeros(s)) skip_padding(placed, y_at, z_at);
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += product;
        Func y = output();
        y(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            finish_sum(accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_, folded_.convolution);
    }

    void schedule() {
        const Var inner = in_tiles(convolution_group()) ? schedule_tiles() : schedule_output();
        // The bounds are stated because Halide does not see through every shifted or masked tail that they are
        // constant.
        accumulator_.compute_at(output(), inner).bound_extent(v_.c, tile_).bound_extent(v_.x, pixel_tile_);
        for (const Var &var : {v_.g, v_.y, v_.z, v_.n}) accumulator_.bound_extent(var, 1);
        if (pixel_vectors) accumulator_.reorder_storage(v_.x, v_.c);
        accumulator_.vectorize(along(), lanes()).unroll(v_.c).unroll(v_.x);
        schedule_update(accumulator_.update(), unroll);
        // The whole nest twice: a second loop beside the first would spill accumulators of both.
        if (multiplies_zeros(convolution_of(request()))) output().specialize(nonfinite());
    }

private:
    StageGroup convolution_group() const { return convolution_of(request().group); }
    const Stage &convolution() const { return stage(folded_.convolution); }

    int input_channels() const { return size(convolution().in_channels / convolution().groups); }

    // As the convolution's groups see the input: behind a shuffle, neighbouring channels lie apart.
    View input_view() const {
        View view = with_channels(arguments()[0].view, input_channels());
        if (folded_.fold == FoldedShuffle::Fold::input_indices) {
            view[view_channel].stride = times(view[view_channel].stride, folded_.channels / folded_.groups);
        }
        return view;
    }

    Var along() const { return pixel_vectors ? v_.x : v_.c; }  // what a vector runs along

    static int size(int64_t value) { return static_cast<int>(value); }

    void schedule_update(Halide::Stage update, int unrolled) {
        RVar ro("ro"), ri("ri");
        // The broadcasts outside: each is in a register only while its vectors are used.
        const Var inner = along(), outer = pixel_vectors ? v_.c : v_.x;
        update.split(r_[0], ro, ri, unrolled)
            .reorder({inner, outer, ri, ro, r_[1], r_[2], r_[3]})
            .vectorize(along(), lanes())
            .unroll(v_.c)
            .unroll(v_.x)
            .unroll(ri);
    }

    // Leaves out the taps that meet nothing but zeros: a row of the kernel, or a column under all pixels of the tile.
    void skip_padding(const Placements &placed, const Expr &y_at, const Expr &z_at) {
        if (placed[1].padded) r_.where(reaches_input(y_at, 0, placed[1]));
        if (placed[2].padded) r_.where(reaches_input(z_at, 0, placed[2]));
        if (!placed[0].padded || !whole_tiles_of_columns()) return;
        const Axis axis = stage_axis(convolution(), view_width);
        const int span = (pixel_tile_ - 1) * size(axis.stride);
        r_.where(reaches_input(first_of_tile(v_.x, pixel_tile_, r_[1], axis), span, placed[0]));
    }

    bool whole_tiles_of_columns() const {
        return !in_tiles(convolution_group()) &&
               grouped_output(convolution_group())[view_width].extent % pixel_tile_ == 0;
    }

    // Cuts the output into tasks and register tiles; returns the loop in which one tile is computed.
    Var schedule_output() {
        const View view = arguments().back().view;
        Var co("co"), ci("ci"), cp("cp"), xo("xo"), xi("xi"), task("task"), part("part");
        Func y = output();
        std::vector<Halide::VarOrRVar> order = split_channels(co, ci, xi);
        const int channels = size(view[view_channel].extent);
        const int tiles = (channels + tile_ - 1) / tile_;
        const bool by_channel_parts = channel_parts > 1;
        if (by_channel_parts) y.split(co, cp, co, tiles / channel_parts, TailStrategy::RoundUp);
        split_parts(y, view, parts, pixel_tile_, part);
        y.split(v_.x, xo, xi, pixel_tile_, TailStrategy::ShiftInwards);
        const std::vector<Halide::VarOrRVar> tiles_of_pixels{xo, v_.y, v_.z};
        if (pixels_outside) order.emplace_back(co);
        order.insert(order.end(), tiles_of_pixels.begin(), tiles_of_pixels.end());
        if (!pixels_outside) order.emplace_back(co);
        std::vector<Var> parts_of_group{part};
        if (by_channel_parts) parts_of_group.push_back(cp);
        make_tasks(y, order, task_loops(parts_of_group, v_.g, v_.n, stored_groups_share_lines(request().group)), task);
        vectorize_tile(ci, xi);
        y.never_partition({xo, v_.y, v_.z, task});
        // Partitioned, the last tile alone guards its loads of further tensors.
        if (!reads_operands() || channels % tile_ == 0) y.never_partition(co);
        if (copies_input(convolution_of(request()))) schedule_strip(source_, y, task, lanes(), input_view());
        return pixels_outside ? co : xo;
    }

    // The same where extents are known at run time only.
    Var schedule_tiles() {
        Var co("co"), ci("ci"), xo("xo"), xi("xi"), task("task");
        Func y = output();
        std::vector<Halide::VarOrRVar> order = split_channels(co, ci, xi);
        const int row = pixel_tile_ * static_cast<int>(row_tiles);
        const auto [across, down] = split_tiles(y, row, rows);
        y.split(v_.x, xo, xi, pixel_tile_, TailStrategy::RoundUp);
        if (pixels_outside) order.emplace_back(co);
        order.insert(order.end(), {xo, v_.y});
        if (!pixels_outside) order.emplace_back(co);
        order.emplace_back(v_.z);
        make_tasks(y, order, {across, down, v_.g, v_.n}, task);
        vectorize_tile(ci, xi);
        y.never_partition_all();
        schedule_tile_strip(source_, y, v_.z, lanes(), input_view(), convolution(), row, rows);
        source_.bound_extent(v_.c, input_channels());
        return pixels_outside ? co : xo;
    }

    // Cuts the channels into tiles; returns the loops over one of channels x pixels, innermost first.
    std::vector<Halide::VarOrRVar> split_channels(const Var &co, const Var &ci, const Var &xi) {
        const auto channels = static_cast<int>(group_channels(convolution()));
        if (pixel_vectors) {
            const bool whole = channels % tile_ == 0;
            output().split(v_.c, co, ci, tile_, whole ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
            return {xi, ci};
        }
        tiles_.emplace(output(), v_.c, channels, vectors, lanes(), co);
        std::vector<Halide::VarOrRVar> loops = tiles_->loops();
        loops.emplace_back(xi);
        return loops;
    }

    void vectorize_tile(const Var &ci, const Var &xi) {
        if (pixel_vectors)
            output().vectorize(xi, lanes()).unroll(ci);
        else
            tiles_->vectorize(output());
        output().unroll(xi);
    }

    ActivationVars v_;
    RDom r_;
    Func source_{"source"}, accumulator_{"accumulator"};
    std::optional<ChannelTiles> tiles_;
    FoldedShuffle folded_;
    int tile_ = 1, pixel_tile_ = 1;  // channels and pixels in the register tile
};

// ---- weight packing

class DirectPack : public PackGenerator<DirectPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const KernelRequest r = convolution_of(request());
        const Stage &s = r.group.stage(0);
        const int tile = static_cast<int>(channel_tile(r)), channels = static_cast<int>(group_channels(s));
        Var c("c"), i("i"), kx("kx"), ky("ky"), kz("kz"), t("t"), g("g");
        const Expr channel = t * tile + c;
        const Expr input = folded_shuffle(request().group).packed_input(Expr(i));
        const Expr weight =
            raw(raw_weight(s, {kx, ky, kz}, g, input, output_channel(Halide::min(channel, channels - 1))));
        packed(c, i, kx, ky, kz, t, g) = Halide::select(channel < channels, weight, 0.0f);
    }

    // Of bias and scale, like the filters.
    Expr output_channel(const Expr &at) const { return folded_shuffle(request().group).packed_filter(at); }
};

}  // namespace

Algorithm direct_algorithm() {
    return {"direct",
            "a sum over taps in a register tile of channels x pixels",
            refusal,
            direct::knobs,
            direct::conflict,
            direct::default_schedule,
            arguments,
            fold_notes,
            2,
            direct::reluctance,
            direct::time,
            direct::worthwhile,
            direct::cycles};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Direct, direct)
HALIDE_REGISTER_GENERATOR(convc::DirectPack, direct_pack)
