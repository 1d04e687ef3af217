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
// Padding. Where the layer pads, each task first copies its rows of the input into a strip with the border around it,
// in the workspace, so that the inner loop knows no borders. Rows of the kernel that meet nothing but zeros are left
// out, and so are its columns that do so under a whole tile, where tiles fill the row: of the taps of a 3x3 kernel
// under dilation 18 at 33 x 33, half (12.2 ms to 6.0 ms for 512 -> 256 channels; 1.03 to 0.90 ms for 3x3 at 7 x 7). A
// pointwise layer reads its input in place, all pixels as one row.
//
// Extents known at run time only: tasks are tiles of constant size, read through a strip that reaches past the end of
// the input where a tile does, and stored as far as the output goes.
//
// A shuffle before or behind it is folded in (folded_shuffle.h).
//
// Channels past the end of a group's last tile are computed on zero weights and not stored; columns past the end of a
// row are computed twice (the last tile is shifted inwards).
#include "schedules/algorithms.h"
#include "schedules/folded_shuffle.h"
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
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

bool has_pixel_vectors(const Schedule &schedule) {
    return schedule.knob("pixel_vectors") == 1;
}

int64_t channel_tile(const KernelRequest &request) {
    const int64_t lanes = has_pixel_vectors(request.schedule) ? 1 : request.target.vector_lanes();
    return *request.schedule.knob("vectors") * lanes;
}

// Pixels in the register tile.
int64_t pixel_tile(const KernelRequest &request) {
    const int64_t lanes = has_pixel_vectors(request.schedule) ? request.target.vector_lanes() : 1;
    return *request.schedule.knob("columns") * lanes;
}

int64_t channel_tiles(const KernelRequest &request) {
    return ceil_divided(group_channels(request.group.stage(0)), channel_tile(request));
}

// Whether the work is cut into tiles: an extent is known at run time only.
bool in_tiles(const StageGroup &group) {
    return has_runtime_space(grouped_output(group));
}

// ---- applicability, knobs, default

std::optional<std::string> refusal_of_convolution(const StageGroup &group) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::shuffle) return "does not shuffle channels alone";
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (is_depthwise(stage) && stage.weights) return "takes no constant weights";
    return std::nullopt;
}

// `group`: the convolution alone.
bool copies_input(const StageGroup &group) {
    return has_padding(group.stage(0)) || in_tiles(group);
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (group.count == 1) return refusal_of_convolution(group);
    if (auto reason = fold_refusal(group)) return reason;
    return refusal_of_convolution(convolution_of(group));
}

// Pieces of `tile` pixels or of rows that the parallel axis falls into.
int64_t pieces(const View &output, int64_t tile) {
    const ViewAxis axis = parallel_axis(output);
    return ceil_divided(output[axis].extent, axis == view_width ? tile : 1);
}

// Whether the register tile may hold vectors of pixels.
bool allows_pixel_vectors(const StageGroup &group, const Target &target) {
    const View output = grouped_output(group);
    return !in_tiles(group) && !channels_last(group.input().layout) &&
           output[view_width].extent >= target.vector_lanes();
}

std::vector<Knob> knobs_of_convolution(const StageGroup &group, const Target &target) {
    const View output = grouped_output(group);
    const int64_t lanes = target.vector_lanes();
    const int64_t vectors = ceil_divided(group_channels(group.stage(0)), lanes);
    if (in_tiles(group)) {
        return {
            {"vectors", "vectors of output channels in the register tile", 1, std::min<int64_t>(vectors, 6)},
            {"columns", "pixels in the register tile", 1, 30},
            {"row_tiles", "register tiles in a row of a task", 1, 64},
            {"rows", "rows of a task", 1, 64},
            {"pixels_outside", "1: all channel tiles of a pixel tile before the next pixels", 0, 1},
            {"unroll", "input channels in one turn of the inner loop", 1, 16},
        };
    }
    const bool pixels = allows_pixel_vectors(group, target);
    std::vector<Knob> all;
    if (pixels)
        all.push_back({"pixel_vectors", "1: vectors of pixels, of single channels, in the register tile", 0, 1});
    const int64_t most_vectors = pixels ? group_channels(group.stage(0)) : vectors;
    const std::array<Knob, 6> others{{
        {"vectors",
         pixels ? "vectors of output channels (or single channels) in the register tile"
                : "vectors of output channels in the register tile",
         1, std::min<int64_t>(most_vectors, pixels ? 30 : 6)},
        {"columns", pixels ? "pixels (or vectors of them) in the register tile" : "pixels in the register tile", 1,
         std::min<int64_t>(output[view_width].extent, 30)},
        {"parts", "parallel parts of the outermost spatial axis", 1, output[parallel_axis(output)].extent},
        {"channel_parts", "parallel parts of the output channels of a group", 1, most_vectors},
        {"pixels_outside", "1: all channel tiles of a pixel tile before the next pixels", 0, 1},
        {"unroll", "input channels in one turn of the inner loop", 1, 16},
    }};
    all.insert(all.end(), others.begin(), others.end());
    return all;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    return with_stages_knob(group, knobs_of_convolution(convolution_of(group), target));
}

std::optional<std::string> conflict(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const Schedule &schedule = request.schedule;
    RegisterTile tile{*schedule.knob("vectors"), *schedule.knob("columns")};
    const Stage &stage = request.group.stage(0);
    if (has_pixel_vectors(schedule)) {
        std::swap(tile.vectors, tile.columns);
        if (pixel_tile(request) > grouped_output(request.group)[view_width].extent) {
            return "columns vectors of pixels exceed a row";
        }
    } else if (tile.vectors > ceil_divided(group_channels(stage), request.target.vector_lanes())) {
        return "vectors exceed the channels of a group";
    }
    if (!fits_registers(tile, request.target)) return "the tile and its operands exceed the vector registers";
    const int64_t channel_parts = schedule.knob("channel_parts").value_or(1);
    if (channel_tiles(request) % channel_parts != 0) return "channel_parts does not divide the number of channel tiles";
    if (channel_parts > 1 && group_channels(stage) % channel_tile(request) != 0) {
        return "channel_parts needs channel tiles without a tail";
    }
    if (stage.in_channels / stage.groups % *schedule.knob("unroll") != 0) {
        return "unroll does not divide the input channels of a group";
    }
    if (!copies_input(request.group)) return std::nullopt;
    if (in_tiles(request.group)) {
        const int64_t columns = *schedule.knob("row_tiles") * pixel_tile(request);
        return strip_refusal(stage, {columns, *schedule.knob("rows"), 1}, stage.in_channels / stage.groups);
    }
    return strip_refusal(stage, outputs_of_part(grouped_output(request.group), *schedule.knob("parts")),
                         stage.in_channels / stage.groups);
}

// Bytes of the strip that a task of `columns` x `rows` outputs reads.
int64_t strip_bytes(const Stage &stage, int64_t columns, int64_t rows) {
    const auto span = [&](ViewAxis axis, int64_t outputs) { return input_span(stage_axis(stage, axis), outputs); };
    return span(view_width, columns) * span(view_height, rows) * span(view_depth, 1) * stage.in_channels /
           stage.groups * 4;
}

constexpr int64_t many_pixels = 5040;  // which no register tile divides badly

// Tasks of some 32 x 8 outputs, or fewer where their strip would not stay in half of L2.
Schedule default_tiles(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const RegisterTile tile = best_register_tile(group_channels(stage), many_pixels, target);
    const bool one_row = grouped_output(group)[view_height].extent == 1;
    const int64_t row_tiles = ((one_row ? 128 : 32) + tile.columns - 1) / tile.columns;
    int64_t rows = one_row ? 1 : 8;
    while (rows > 1 && strip_bytes(stage, row_tiles * tile.columns, rows) > target.l2_bytes / 2) rows--;
    const int64_t panel =
        tile.vectors * target.vector_lanes() * stage.in_channels / stage.groups * stage.kernel_volume() * 4;
    return {"direct",
            {{"vectors", tile.vectors},
             {"columns", tile.columns},
             {"row_tiles", row_tiles},
             {"rows", rows},
             {"pixels_outside", panel > target.l2_bytes / 2 ? 1 : 0},
             {"unroll", default_unroll(stage.in_channels / stage.groups, tile)}}};
}

// Cycles that storing a vector of channels takes where they do not lie densely: more where planes are whole pages, so
// that the lines of all channels fall into one set of L1 (3x3 of 3 -> 64 channels: 7 cycles an output at 224 x 224).
double scatter_cycles(const View &output, const Target &target) {
    constexpr int64_t page = 4096;
    const bool collide = output[view_channel].stride * static_cast<int64_t>(sizeof(float)) % page == 0;
    return static_cast<double>(target.vector_lanes()) * (collide ? 7 : 1.5);
}

// A narrower tile where that leaves out far more taps: 33 columns under dilation 18 in tiles of 3, not of 11 (6.3
// to 5.4 ms for 512 -> 256 channels).
RegisterTile tile_of_channels(const StageGroup &group, const Target &target) {
    constexpr double least_gain = 0.93;
    const int64_t channels = group_channels(group.stage(0)), width = grouped_output(group)[view_width].extent;
    RegisterTile best = best_register_tile(channels, width, target);
    const auto cycles = [&](const RegisterTile &tile) {
        return tile_cycles(tile, channels, width, 1, target) * share_of_taps(group, view_width, tile.columns);
    };
    const double usual = cycles(best);
    const int64_t most_vectors = std::min<int64_t>(4, ceil_divided(channels, target.vector_lanes()));
    for (RegisterTile tile{1, 1}; tile.vectors <= most_vectors; tile.vectors++) {
        for (tile.columns = 1; tile.columns < width && fits_registers(tile, target); tile.columns++) {
            if (cycles(tile) < std::min(least_gain * usual, cycles(best))) best = tile;
        }
    }
    return best;
}

// Whether all channels of a pixel tile come before the next pixels. A panel of weights that stays in L2 is read once
// and the pixels stream past it; else the other way round. So do pixels that do not stay where all weights would: with
// stride 2, 128 channels at 56 x 56, 1.13 to 1.00 ms. (A 1x1 layer reads its pixels in their order, which costs
// nothing.)
bool prefers_pixels_outside(const StageGroup &group, const Schedule &schedule, int64_t tiles, int64_t weight_bytes,
                            const Target &target) {
    const Stage &stage = group.stage(0);
    const bool of_pixels = has_pixel_vectors(schedule);
    const double share = share_of_taps(group, view_width, of_pixels ? 1 : *schedule.knob("columns")) *
                         share_of_taps(group, view_height, 1);
    const int64_t panel = weight_bytes / stage.groups / tiles;
    if (share * static_cast<double>(panel) > 0.5 * static_cast<double>(target.l2_bytes)) return true;
    const int64_t channel_parts = *schedule.knob("channel_parts"), parts = *schedule.knob("parts");
    const int64_t weights = weight_bytes / stage.groups / channel_parts;
    const View input = activation_view(group.input(), stage.groups, false);
    const int64_t pixels = input[view_channel].extent * input[view_width].extent * input[view_height].extent *
                           input[view_depth].extent * 4 / parts;
    return stage.kernel_volume() > 1 && tiles > channel_parts && weights * 5 < target.l2_bytes * 3 &&
           pixels * 5 > target.l2_bytes * 3;
}

// Vectors of pixels and single channels. Loads are aligned only where rows are one.
double pixel_load(const StageGroup &group, const Target &target) {
    return flattens(group) ? 1 : unaligned_load(stage_axis(group.stage(0), view_width).stride, target);
}

RegisterTile tile_of_pixels(const StageGroup &group, const Target &target) {
    const int64_t width = grouped_output(group)[view_width].extent;
    const int64_t whole_vectors = width / target.vector_lanes();
    return best_register_tile(width, group_channels(group.stage(0)), target, pixel_load(group, target), whole_vectors);
}

// Whether vectors of pixels, stored whole, take less time than vectors of channels.
bool prefers_pixel_vectors(const StageGroup &group, const Target &target) {
    if (!allows_pixel_vectors(group, target)) return false;
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const int64_t channels = group_channels(stage), width = output[view_width].extent;
    const int64_t products = stage.in_channels / stage.groups * stage.kernel_volume();
    const auto sum = static_cast<double>(products);
    const double by_pixels =
        sum * tile_cycles(tile_of_pixels(group, target), width, channels, pixel_load(group, target), target);
    const double by_channels = sum * tile_cycles(tile_of_channels(group, target), channels, width, 1, target);
    return by_pixels < by_channels + scatter_cycles(output, target);
}

// The register tile: as knobs, and its vectors and broadcasts, whichever those are.
std::pair<Schedule, RegisterTile> default_tile(const StageGroup &group, const Target &target) {
    if (prefers_pixel_vectors(group, target)) {
        const RegisterTile tile = tile_of_pixels(group, target);
        return {{"direct", {{"pixel_vectors", 1}, {"vectors", tile.columns}, {"columns", tile.vectors}}}, tile};
    }
    const RegisterTile tile = tile_of_channels(group, target);
    Schedule schedule{"direct", {{"vectors", tile.vectors}, {"columns", tile.columns}}};
    if (allows_pixel_vectors(group, target)) schedule.knobs.insert(schedule.knobs.begin(), {"pixel_vectors", 0});
    return {schedule, tile};
}

// Whether groups store into the same cache lines. Then a thread takes all groups of its pixels: two that write one
// line in turn wait for each other (3x3 of 8 groups and a shuffle at 28 x 28, with the convolution behind them: 0.15 to
// 0.38 ms, as the threads happened to meet).
bool groups_share_lines(const StageGroup &group) {
    constexpr int64_t cache_line = 64;
    const Stage &stage = convolution_of(group).stage(0);
    if (stage.groups == 1 || !channels_last(group.output().layout)) return false;
    return folded_shuffle(group).fold == FoldedShuffle::Fold::output_strides ||
           group_channels(stage) * static_cast<int64_t>(sizeof(float)) % cache_line != 0;
}

Schedule default_of_convolution(const StageGroup &group, bool share_lines, const Target &target) {
    if (in_tiles(group)) return default_tiles(group, target);
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const auto [schedule_of_tile, tile] = default_tile(group, target);
    Schedule schedule = schedule_of_tile;
    const KernelRequest request{group, schedule, target};
    const int64_t tiles = channel_tiles(request);

    // Where the weights are the big operand, each core takes a share of them; else a share of the rows.
    const int64_t weight_bytes = stage.out_channels * (stage.in_channels / stage.groups) * stage.kernel_volume() * 4;
    const int64_t input_bytes = group.input().elements().value_or(0) * 4;
    int64_t channel_parts = 1;
    const bool whole_tiles = group_channels(stage) % channel_tile(request) == 0;
    if (weight_bytes > input_bytes && whole_tiles) {
        const int64_t wanted = balanced_parts(tiles, stage.groups * group.input().batch, target);
        for (int64_t parts = 1; parts <= wanted; parts++) channel_parts = tiles % parts == 0 ? parts : channel_parts;
    }
    const int64_t batch = output[view_batch].extent;
    const int64_t others = batch * channel_parts * (share_lines ? 1 : stage.groups);
    const int64_t parts = balanced_parts(pieces(output, pixel_tile(request)), others, target);

    schedule.knobs.emplace_back("parts", parts);
    schedule.knobs.emplace_back("channel_parts", channel_parts);
    const bool outside = prefers_pixels_outside(group, schedule, tiles, weight_bytes, target);
    schedule.knobs.emplace_back("pixels_outside", outside ? 1 : 0);
    schedule.knobs.emplace_back("unroll", default_unroll(stage.in_channels / stage.groups, tile));
    return schedule;
}

double time(const StageGroup &whole, const Target &target) {
    const StageGroup group = convolution_of(whole);
    const int64_t channels = group_channels(group.stage(0));
    if (in_tiles(group)) {
        return lane_cycles(best_register_tile(channels, many_pixels, target), channels, many_pixels, 1, target);
    }
    const int64_t width = grouped_output(group)[view_width].extent;
    const auto [schedule, tile] = default_tile(group, target);
    if (has_pixel_vectors(schedule)) return lane_cycles(tile, width, channels, pixel_load(group, target), target);
    return lane_cycles(tile, channels, width, 1, target);
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    return with_stages_knob(group, default_of_convolution(convolution_of(group), groups_share_lines(group), target));
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
                                                             tile * tiles, pads_with_zeros(stage));
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
        source_ = copies_input(convolution_group()) ? with_border(input, s, placed) : input;
        r_ = RDom(0, input_channels(), 0, size(ax.kernel), 0, size(ay.kernel), 0, size(az.kernel), "r");
        Func weights = parameter(Parameter::Role::weight, folded_.convolution);
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = 0.0f;
        const Expr x_at = under_tap(v_.x, r_[1], ax), y_at = under_tap(v_.y, r_[2], ay),
                   z_at = under_tap(v_.z, r_[3], az);
        Expr product = weights(v_.c % tile_, r_[0], r_[1], r_[2], r_[3], v_.c / tile_, v_.g) *
                       source_(r_[0], v_.g, x_at, y_at, z_at, v_.n);
        if (pads_with_zeros(s)) {
            const Expr inside = within(x_at, placed[0]) && within(y_at, placed[1]) && within(z_at, placed[2]);
            product = Halide::select(nonfinite() && !inside, 0.0f, product);
            skip_padding(placed, y_at, z_at);
        }
        accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += product;
        Func y = output();
        y(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            with_epilogues(accumulator_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_, folded_.convolution);
    }

    void schedule() {
        const Var inner = in_tiles(convolution_group()) ? schedule_tiles() : schedule_output();
        // The bounds are stated because Halide does not see through every shifted or masked tail that they are
        // constant.
        accumulator_.compute_at(output(), inner).bound_extent(v_.c, tile_).bound_extent(v_.x, pixel_tile_);
        for (const Var &var : {v_.g, v_.y, v_.z, v_.n}) accumulator_.bound_extent(var, 1);
        if (pixel_vectors) accumulator_.reorder_storage(v_.x, v_.c);
        accumulator_.vectorize(along(), lanes()).unroll(v_.c).unroll(v_.x);
        if (pads_with_zeros(convolution())) schedule_update(accumulator_.update().specialize(nonfinite()), 1);
        schedule_update(accumulator_.update(), unroll);
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
        split_channels(co, ci);
        const int channels = size(view[view_channel].extent);
        const int tiles = (channels + tile_ - 1) / tile_;
        const bool by_channel_parts = channel_parts > 1;
        if (by_channel_parts) y.split(co, cp, co, tiles / channel_parts, TailStrategy::RoundUp);
        split_parts(y, view, parts, pixel_tile_, part);
        y.split(v_.x, xo, xi, pixel_tile_, TailStrategy::ShiftInwards);
        std::vector<Halide::VarOrRVar> order{ci, xi};
        if (pixel_vectors) order = {xi, ci};
        if (cuts_vectors()) order.insert(order.begin(), lane_);
        const std::vector<Halide::VarOrRVar> tiles_of_pixels{xo, v_.y, v_.z};
        if (pixels_outside) order.emplace_back(co);
        order.insert(order.end(), tiles_of_pixels.begin(), tiles_of_pixels.end());
        if (!pixels_outside) order.emplace_back(co);
        std::vector<Var> tasks{part};
        if (by_channel_parts) tasks.push_back(cp);
        tasks.insert(groups_share_lines(request().group) ? tasks.begin() : tasks.end(), v_.g);
        tasks.push_back(v_.n);
        order.insert(order.end(), tasks.begin(), tasks.end());
        y.reorder(order);
        vectorize_tile(ci, xi);
        fuse_all(y, tasks, task);
        y.parallel(task);
        y.never_partition({xo, v_.y, v_.z, task});
        // Partitioned, the last tile alone guards its loads of further tensors.
        if (!reads_operands() || channels % tile_ == 0) y.never_partition(co);
        if (has_padding(convolution())) schedule_strip(source_, y, task, lanes(), input_view());
        return pixels_outside ? co : xo;
    }

    // The same where extents are known at run time only.
    Var schedule_tiles() {
        Var co("co"), ci("ci"), xo("xo"), xi("xi"), task("task");
        Func y = output();
        split_channels(co, ci);
        const int row = pixel_tile_ * static_cast<int>(row_tiles);
        const auto [across, down] = split_tiles(y, row, rows);
        y.split(v_.x, xo, xi, pixel_tile_, TailStrategy::RoundUp);
        std::vector<Halide::VarOrRVar> order{ci, xi, xo, v_.y, co};
        if (pixels_outside) order = {ci, xi, co, xo, v_.y};
        if (cuts_vectors()) order.insert(order.begin(), lane_);
        order.insert(order.end(), {v_.z, across, down, v_.g, v_.n});
        y.reorder(order);
        vectorize_tile(ci, xi);
        fuse_all(y, {across, down, v_.g, v_.n}, task);
        y.parallel(task);
        y.never_partition_all();
        schedule_tile_strip(source_, y, v_.z, lanes(), input_view(), convolution(), row, rows);
        source_.bound_extent(v_.c, input_channels());
        return pixels_outside ? co : xo;
    }

    bool whole_channel_tiles() const { return group_channels(convolution()) % tile_ == 0; }

    // Whether the last vector of a group, but no tile, has a tail. Elsewhere the whole tile has it: Halide does not cut
    // a loop again whose tail is stored under a mask, so that the tile is one long vector there. (One of 24 lanes LLVM
    // takes apart into 16 and 8, and adds them up so.)
    bool cuts_vectors() const {
        const int64_t all = ceil_divided(group_channels(convolution()), lanes());
        return !pixel_vectors && !whole_channel_tiles() && all % vectors == 0;
    }

    void split_channels(const Var &co, const Var &ci) {
        if (cuts_vectors()) {
            output().split(v_.c, ci, lane_, lanes(), TailStrategy::PredicateStores).split(ci, co, ci, vectors);
            return;
        }
        const TailStrategy tail = pixel_vectors ? TailStrategy::GuardWithIf : TailStrategy::PredicateStores;
        output().split(v_.c, co, ci, tile_, whole_channel_tiles() ? TailStrategy::RoundUp : tail);
    }

    void vectorize_tile(const Var &ci, const Var &xi) {
        if (cuts_vectors())
            output().vectorize(lane_).unroll(ci);
        else if (pixel_vectors)
            output().vectorize(xi, lanes()).unroll(ci);
        else if (whole_channel_tiles())
            output().vectorize(ci, lanes()).unroll(ci);
        else
            output().vectorize(ci);
        output().unroll(xi);
    }

    ActivationVars v_;
    Var lane_{"lane"};
    RDom r_;
    Func source_{"source"}, accumulator_{"accumulator"};
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
        std::vector<Expr> where = raw_taps(s, {kx, ky, kz});
        where.push_back(input_channel(i));
        where.push_back(g * channels + output_channel(Halide::min(channel, channels - 1)));
        packed(c, i, kx, ky, kz, t, g) = Halide::select(channel < channels, raw(where), 0.0f);
    }

    // Of bias and scale, like the filters.
    Expr output_channel(const Expr &at) const {
        const FoldedShuffle folded = folded_shuffle(request().group);
        return folded.fold == FoldedShuffle::Fold::output_weights ? folded.source(at) : at;
    }

private:
    Expr input_channel(const Expr &at) const {
        const FoldedShuffle folded = folded_shuffle(request().group);
        return folded.fold == FoldedShuffle::Fold::input_weights ? folded.destination(at) : at;
    }
};

}  // namespace

Algorithm direct_algorithm() {
    return {"direct",  "a sum over taps in a register tile of channels x pixels",
            refusal,   knobs,
            conflict,  default_schedule,
            arguments, fold_notes,
            2,         nullptr,
            time};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Direct, direct)
HALIDE_REGISTER_GENERATOR(convc::DirectPack, direct_pack)
