// chain: several stages in one kernel, the tensors between them never whole.
//
// Idea. A task computes its part of the last output strip by strip, a few rows at a time, and before each strip those
// rows of every earlier stage that it needs. What lies between two stages stays in cache, and a layer forks once. Rows
// that two strips need (those round a 3x3) stay in a ring, which slides along; only where two tasks meet are rows
// computed twice. Strips of rows: Alwani et al., "Fused-Layer CNN Accelerators" (2016). Where the stages behind the
// first reach across rows but not across columns (1x7 -> 7x1), strips of columns compute nothing twice.
//
// The ring is Halide's sliding window. It slides one Func at a time, and safely only over rows that move evenly: with
// the rows clamped to the image, or with strips of unequal size, Halide 21 was seen to compute others than the consumer
// read. So the ring reaches past the image, where it holds nothing and takes no work, strips of a part are equal, and a
// chain has one ring: strips before it are computed row by row, those behind it need no rows twice.
//
// Inside a strip every stage is what it would be alone: a register tile of channels x pixels for convolutions that sum
// over channels (direct.cpp), a row of pixels for depthwise ones (depthwise.cpp).
//
// Padding. Rows in the padding are left out of the sum. Columns: a depthwise stage guards its first and last tile; a
// convolution that sums over channels reads a strip with zeros on either side, and takes a slower loop that leaves them
// out where a weight is NaN or infinite. The first stage copies its input as `direct` does where it pads.
//
// A shuffle costs nothing: the stage behind it reads the strip, and its packed weights, in the order in which they are
// (chain_channels.h).
//
// Whether it pays is asked in refusal(): where it repeats more work than it saves, the stages follow one another.
#include <fmt/format.h>

#include <limits>

#include "schedules/algorithms.h"
#include "schedules/chain_channels.h"
#include "schedules/chain_schedule.h"
#include "schedules/chain_shape.h"
#include "schedules/channel_tiles.h"
#include "schedules/group_generator.h"
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

constexpr int most_stages = 4;  // planning tries every length, and vectors0 to vectors3 are knobs

int as_int(int64_t value) {
    return static_cast<int>(value);
}

// ---- applicability

std::optional<std::string> too_large(const StageGroup &group, int i) {
    constexpr int64_t most = std::numeric_limits<int32_t>::max();
    const std::optional<int64_t> elements = group.stage(i).output.elements();
    if (!elements || *elements > most) {
        return fmt::format("the output of stage {} has more than 2^31 - 1 elements", group.first + i);
    }
    for (const Parameter &parameter : group.layer->stage_parameters(group.first + i)) {
        if (parameter.elements() > most / 2) return fmt::format("{} has more than 2^30 elements", parameter.name());
    }
    return std::nullopt;
}

// What stands against one stage of a chain, whichever its neighbours.
std::optional<std::string> stage_refusal(const StageGroup &group, int i, const Target &target) {
    const Stage &stage = group.stage(i);
    const bool inner = i > 0;
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (auto reason = too_large(group, i)) return reason;
    if (stage.kind == StageKind::shuffle) return std::nullopt;
    if (inner && has_padding(stage) && !pads_with_zeros(stage))
        return "pads no stage but the first with anything but zeros";
    const Axis depth = stage_axis(stage, view_depth);
    if (inner && (depth.kernel > 1 || depth.stride > 1 || is_padded(depth))) {
        return "a stage behind the first reaches over several planes, which would be computed again for each";
    }
    if (prefers_vectors_of_groups(stage, target)) {
        return "a stage has many groups of few channels, which vectors across groups compute faster alone";
    }
    if (stage.weights && !is_depthwise(stage)) return "takes constant weights of depthwise stages only";
    for (const ChainLink &link : chain_links(group)) {
        if (link.stage == i && link.depthwise && link.channels < target.vector_lanes()) {
            return "a depthwise stage has fewer channels than a vector";
        }
    }
    return std::nullopt;
}

std::optional<std::string> refusal(const StageGroup &group, const Target &target) {
    if (group.count < 2) return "computes several stages at a time";
    if (group.count > most_stages) return fmt::format("computes at most {} stages at a time", most_stages);
    if (group.input().has_runtime_extent()) return "needs every extent when it is compiled, and this layer has '?'";
    for (int i : {0, group.count - 1}) {
        if (group.stage(i).kind == StageKind::shuffle) return "neither begins nor ends with a shuffle";
    }
    if (group.input().elements().value_or(std::numeric_limits<int64_t>::max()) > std::numeric_limits<int32_t>::max()) {
        return "the input has more than 2^31 - 1 elements";
    }
    for (int i = 0; i < group.count; i++) {
        if (auto reason = stage_refusal(group, i, target)) return reason;
    }
    const int last = group.count - 1;
    if (is_depthwise(group.stage(last)) && is_permuted(group, last)) return "ends with depthwise behind a shuffle";

    const KernelRequest request{group, chain_default_schedule(group, target), target};
    if (auto reason = chain_work_refusal(request)) return reason;
    return chain_workspace_conflict(request);
}

// ---- knobs, default: chain_schedule.cpp

std::vector<std::string> notes(const KernelRequest &request) {
    const ChainShape shape(request);
    std::vector<std::string> all;
    for (int i = 0; i < shape.last(); i++) {
        const int64_t along = shape.strip_extent(i);
        const int64_t rows = shape.along_width() ? shape.strip_height(i).size() : along;
        const int64_t columns = shape.along_width() ? along : shape.strip_columns(i).size();
        all.push_back(fmt::format("strip behind stage {}: {} rows x {} columns x {} channels, {:.0f} KB",
                                  request.group.first + shape.link(i).stage, rows, columns,
                                  shape.link(i).groups * shape.link(i).channels,
                                  static_cast<double>(shape.strip_bytes(i)) / 1024));
    }
    all.push_back(
        fmt::format("{} tasks, {:.0f} KB of workspace for those at once; whole tensors between stages {:.0f} KB",
                    shape.tasks(), static_cast<double>(shape.workspace_bytes()) / 1024,
                    static_cast<double>(sequence_workspace_bytes(request.group)) / 1024));
    return all;
}

// ---- buffers

// The channels over which one output of link i sums, as loops over the strip before it: within a group of the strip,
// and over those groups where the link reads all of them.
struct SummedChannels {
    int64_t channels = 1;
    int64_t groups = 1;
};
SummedChannels summed_channels(const ChainShape &shape, int i) {
    const Stage &stage = shape.stage(i);
    if (i > 0 && stage.groups == 1) return {shape.link(i - 1).channels, shape.link(i - 1).groups};
    return {stage.in_channels / stage.groups, 1};
}

std::vector<int64_t> taps(const Stage &stage) {
    return {stage_axis(stage, view_width).kernel, stage_axis(stage, view_height).kernel,
            stage_axis(stage, view_depth).kernel};
}

// Packed weights of a depthwise link: channel, group, taps. Of others: channel in the tile, input channel, group of the
// input where all are summed, taps, tile, group.
View weight_view(const ChainShape &shape, int i) {
    const ChainLink &link = shape.link(i);
    std::vector<int64_t> extents{link.channels, link.groups};
    if (!link.depthwise) {
        const SummedChannels summed = summed_channels(shape, i);
        extents = {shape.channel_tile(i), summed.channels, summed.groups};
    }
    for (int64_t tap : taps(shape.stage(i))) extents.push_back(tap);
    if (!link.depthwise) extents.insert(extents.end(), {shape.channel_tiles(i), link.groups});
    return dense_view(extents);
}

// The link into whose strip a stage of the group writes: itself, or the one before a shuffle.
int link_of(const ChainShape &shape, int stage) {
    int found = 0;
    for (int i = 0; i <= shape.last(); i++) found = shape.link(i).stage <= stage ? i : found;
    return found;
}

std::vector<KernelArgument> arguments(const KernelRequest &request) {
    using Role = KernelArgument::Role;
    const StageGroup &group = request.group;
    const ChainShape shape(request);
    std::vector<KernelArgument> all;
    const int64_t input_groups = shape.link(0).depthwise ? 1 : shape.link(0).groups;
    all.push_back({Role::input, {}, -1, activation_view(group.input(), input_groups, false)});
    for (int stage = 0; stage < group.count; stage++) {
        const int i = link_of(shape, stage);
        for (const Parameter &parameter : group.layer->stage_parameters(group.first + stage)) {
            const bool weight = parameter.role == Parameter::Role::weight;
            all.push_back(
                {Role::parameter, parameter, -1,
                 weight ? weight_view(shape, i) : dense_view({shape.stored_channels(i), shape.link(i).groups})});
        }
    }
    if (shape.needs_flag()) all.push_back({Role::nonfinite, {}, -1, dense_view({1})});
    for (const int operand : further_tensors(group)) {
        const TensorType &type = group.layer->inputs[static_cast<size_t>(operand)].type;
        all.push_back({Role::operand, {}, operand, activation_view(type, 1, false)});
    }
    all.push_back({Role::output, {}, -1, activation_view(group.output(), shape.link(shape.last()).groups, false)});
    return all;
}

// ---- the kernel

class Chain : public KernelGenerator<Chain> {
public:
    GeneratorParam<int> stages{"stages", 1}, along_width{"along_width", 0}, parts{"parts", 1}, rows{"rows", 1};
    GeneratorParam<int> vectors0{"vectors0", 1}, vectors1{"vectors1", 1}, vectors2{"vectors2", 1};
    GeneratorParam<int> vectors3{"vectors3", 1}, columns0{"columns0", 1}, columns1{"columns1", 1};
    GeneratorParam<int> columns2{"columns2", 1}, columns3{"columns3", 1};

    void generate() {
        constrain_buffers();
        shape_.emplace(request());
        links_.resize(shape_->links().size());
        if (shape_->copies_input()) copy_ = with_border(x(), shape_->stage(0), placements(true));
        for (int i = 0; i <= shape_->last(); i++) define_link(i);
    }

    void schedule() {
        schedule_output();
        for (int i = 0; i < shape_->last(); i++) schedule_strip(i);
        if (shape_->copies_input()) schedule_copy();
    }

private:
    struct Link {
        RDom r;
        Func accumulator, strip;
        Expr all_inside;  // whether a tap reads no zero in place of padding, where that matters
    };
    Link &at(int i) { return links_[static_cast<size_t>(i)]; }

    // ---- the algorithm

    static Expr clamped_to(const Expr &position, int extent) { return Halide::clamp(position, 0, extent - 1); }

    void define_link(int i) {
        const Stage &stage = shape_->stage(i);
        const SummedChannels summed = shape_->link(i).depthwise ? SummedChannels{} : summed_channels(*shape_, i);
        const std::vector<int64_t> kernel = taps(stage);
        Link &link = at(i);
        link.accumulator = Func(fmt::format("accumulator{}", i));
        link.r = RDom(0, as_int(summed.channels), 0, as_int(summed.groups), 0, as_int(kernel[0]), 0, as_int(kernel[1]),
                      0, as_int(kernel[2]), fmt::format("r{}", i));
        const Expr term = shape_->link(i).depthwise ? depthwise_term(i) : dense_term(i);
        link.accumulator(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = start_of_sum(v_, shape_->link(i).stage);
        link.accumulator(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += term;
        const Expr value = with_all_epilogues(i, link.accumulator(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n));
        if (i == shape_->last()) {
            output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = value;
            return;
        }
        link.strip = Func(fmt::format("strip{}", i));
        const int width = output_extent(i, view_width);
        const bool border = shape_->bordered(i + 1);
        link.strip(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            border ? Halide::select(v_.x >= 0 && v_.x < width, value, 0.0f) : value;
    }

    Expr dense_term(int i) {
        const Link &link = at(i);
        const int tile = as_int(shape_->channel_tile(i));
        Func weights = parameter(Parameter::Role::weight, shape_->link(i).stage);
        const Expr weight =
            weights(v_.c % tile, link.r[0], link.r[1], link.r[2], link.r[3], link.r[4], v_.c / tile, v_.g);
        return without_padding(i, weight * source(i, summed_channel(i)));
    }

    Expr depthwise_term(int i) {
        const Link &link = at(i);
        const Stage &stage = shape_->stage(i);
        const Expr channel = v_.c / as_int(stage.multiplier());
        const Expr from = source(i, {channel, v_.g});
        if (stage.weights) {
            const Expr weight = constant_taps(shape_->link(i).stage)(link.r[2], link.r[3], link.r[4]);
            // NaN or infinity under a tap of 0 counts for nothing. Not a select of products: with the condition of a
            // row of one tap, Halide 21 takes the whole loop for one that does nothing, and leaves it out.
            return without_padding(i, weight * Halide::select(weight != 0.0f, from, 0.0f));
        }
        Func weights = parameter(Parameter::Role::weight, shape_->link(i).stage);
        return without_padding(i, weights(v_.c, v_.g, link.r[2], link.r[3], link.r[4]) * from);
    }

    // The channel of the strip before link i (or of x) that the reduction is at.
    StoredChannel summed_channel(int i) {
        const Link &link = at(i);
        const Stage &stage = shape_->stage(i);
        if (i == 0) return {link.r[0], v_.g};
        if (stage.groups == 1) return {link.r[0], link.r[1]};
        const int before = shape_->link(i).stage - 1;
        if (!is_permuted(request().group, before) && shape_->link(i - 1).groups == stage.groups) {
            return {link.r[0], v_.g};
        }
        return place_of(request().group, before, v_.g * as_int(stage.in_channels / stage.groups) + link.r[0]);
    }

    // The input of link i at this channel and the tap that the reduction is at.
    Expr source(int i, const StoredChannel &channel) {
        Link &link = at(i);
        const Expr ix = column(i, link.r[2]), iy = row(i, view_height, v_.y, link.r[3]),
                   iz = row(i, view_depth, v_.z, link.r[4]);
        if (i > 0) return at(i - 1).strip(channel.channel, channel.group, ix, iy, iz, v_.n);
        if (shape_->copies_input()) return copy_(channel.channel, channel.group, ix, iy, iz, v_.n);
        return x()(channel.channel, channel.group, ix, iy, iz, v_.n);
    }

    bool reads_copy(int i) const { return i == 0 && shape_->copies_input(); }
    int output_extent(int i, ViewAxis axis) const { return as_int(extent_along(shape_->stage(i).output, axis)); }
    int input_extent(int i, ViewAxis axis) const {
        return i == 0 ? as_int(extent_along(request().group.input(), axis)) : output_extent(i - 1, axis);
    }

    // Of a copy of the input in padded coordinates, which has the border in it.
    Expr position(int i, const Expr &at, const Expr &tap, const Axis &axis) const {
        return at * as_int(axis.stride) + tap * as_int(axis.dilation) - (reads_copy(i) ? 0 : as_int(axis.pad_before));
    }

    // A tap's row (or plane), those in the padding left out of the reduction.
    Expr row(int i, ViewAxis axis, const Var &at_row, const RVar &tap) {
        const Axis geometry = stage_axis(shape_->stage(i), axis);
        const Expr raw = position(i, at_row, tap, geometry);
        const bool exceeds = axis == view_height && shape_->exceeds_height(i);
        if (!exceeds && (reads_copy(i) || !is_padded(geometry))) return raw;
        if (reads_copy(i)) {
            at(i).r.where(at_row >= 0 && at_row < output_extent(i, axis));
            return raw;
        }
        const int extent = input_extent(i, axis);
        at(i).r.where(raw >= 0 && raw < extent);
        // The ring is read as far as it reaches: Halide slides only what moves evenly.
        return i > 0 && i - 1 == shape_->ring() && axis == view_height ? raw : clamped_to(raw, extent);
    }

    Expr column(int i, const RVar &tap) const {
        const Expr raw = position(i, v_.x, tap, stage_axis(shape_->stage(i), view_width));
        if (reads_copy(i)) return raw;
        const bool outside_x = i == 0 && shape_->exceeds_width(0);
        if (!shape_->guarded(i) && !outside_x) return raw;
        return clamped_to(Halide::likely(raw), input_extent(i, view_width));
    }

    // The select is round the product: NaN or infinity times padding contributes nothing.
    Expr without_padding(int i, const Expr &product) {
        Link &link = at(i);
        const Axis width = stage_axis(shape_->stage(i), view_width);
        const Expr raw = position(i, v_.x, link.r[2], width);
        if (shape_->guarded(i)) {
            return Halide::select(Halide::likely(raw >= 0 && raw < input_extent(i, view_width)), product, 0.0f);
        }
        if (!shape_->reads_zeros(i)) return product;
        Expr inside = inside_along(i, view_width, raw);
        if (reads_copy(i)) {
            const Stage &stage = shape_->stage(i);
            inside = inside &&
                     inside_along(i, view_height, position(i, v_.y, link.r[3], stage_axis(stage, view_height))) &&
                     inside_along(i, view_depth, position(i, v_.z, link.r[4], stage_axis(stage, view_depth)));
        }
        return Halide::select(nonfinite() && !inside, 0.0f, product);
    }

    Expr inside_along(int i, ViewAxis axis, const Expr &raw) const {
        const int first = reads_copy(i) ? as_int(stage_axis(shape_->stage(i), axis).pad_before) : 0;
        return raw >= first && raw < first + input_extent(i, axis);
    }

    // The epilogues of link i and of the shuffles behind it.
    Expr with_all_epilogues(int i, Expr value) {
        const StageGroup &group = request().group;
        const int end = i == shape_->last() ? group.count : shape_->link(i + 1).stage;
        Expr at_x = v_.x, at_y = v_.y;
        if (shape_->exceeds_width(i)) at_x = clamped_to(Halide::likely(at_x), output_extent(i, view_width));
        if (shape_->exceeds_height(i)) at_y = clamped_to(at_y, output_extent(i, view_height));
        for (int s = shape_->link(i).stage; s < end; s++) {
            const auto channels = [&](Parameter::Role role) { return Expr(parameter(role, s)(v_.c, v_.g)); };
            EpilogueOperands operands;
            operands.bias = [&] { return channels(Parameter::Role::bias); };
            operands.scale = [&] { return channels(Parameter::Role::scale); };
            operands.tensor = [&](int index) {
                return operand_at(index, {channel_at(group, s, {v_.c, v_.g}), 0, at_x, at_y, v_.z, v_.n});
            };
            // Behind the convolution stand shuffles.
            const bool sums = s == shape_->link(i).stage;
            value = sums ? convc::finish_sum(stage(s), value, operands) : apply_epilogues(stage(s), value, operands);
        }
        return value;
    }

    // ---- the schedule

    void schedule_output() {
        const int last = shape_->last();
        const View view = arguments().back().view;
        Var part("part"), strip_rows("strip_rows");
        Func y = output();
        const Var along = shape_->along_width() ? v_.x : v_.y;
        y.split(along, part, along, as_int(shape_->piece()), TailStrategy::ShiftInwards);
        y.split(along, strip_, along, rows, TailStrategy::ShiftInwards);
        const Var inner = schedule_tiles(last, y, as_int(shape_->link(last).channels), {strip_, v_.z, part, v_.n});
        y.fuse(part, v_.n, task_).parallel(task_).never_partition({strip_, v_.z, task_});
        schedule_accumulator(last, y, inner);
    }

    void schedule_strip(int i) {
        Func strip = at(i).strip;
        const Var inner = schedule_tiles(i, strip, as_int(shape_->stored_channels(i)), {v_.z, v_.n});
        in_strips(i);
        strip.bound(v_.c, 0, as_int(shape_->stored_channels(i))).bound(v_.g, 0, as_int(shape_->link(i).groups));
        const Range across = shape_->along_width() ? shape_->strip_height(i) : shape_->strip_columns(i);
        strip.bound(shape_->along_width() ? v_.y : v_.x, as_int(across.first), as_int(across.size()));
        schedule_accumulator(i, strip, inner);
    }

    // Halide keeps the rows of one Func from strip to strip, but sees that it may only where nothing behind it slides.
    void in_strips(int i) {
        Func strip = at(i).strip;
        const int extent = as_int(shape_->strip_extent(i)), ring = shape_->ring();
        strip.store_in(Halide::MemoryType::Heap);
        if (i < ring) {
            strip.compute_at(at(ring).strip, v_.y).bound_extent(v_.y, 1);
        } else if (i == ring && shape_->slides()) {
            strip.store_at(output(), v_.z).compute_at(output(), strip_).fold_storage(v_.y, extent);
        } else {
            strip.compute_at(output(), strip_).bound_extent(shape_->along_width() ? v_.x : v_.y, extent);
        }
    }

    // Cuts one strip of so many channels into register tiles; returns the loop in which one is computed.
    Var schedule_tiles(int i, Func func, int channels, const std::vector<Var> &outer) {
        Var co("co"), xo("xo"), xi("xi");
        if (shape_->link(i).depthwise) return schedule_depthwise_tiles(i, func, outer);
        const ChannelTiles tiles(func, v_.c, channels, as_int(shape_->vectors(i)), as_int(shape_->lanes(i)), co);
        func.split(v_.x, xo, xi, as_int(shape_->columns(i)), TailStrategy::ShiftInwards);
        std::vector<Halide::VarOrRVar> order = tiles.loops();
        order.insert(order.end(), {xi, xo});
        // The ring's rows one after the other: strips before it are computed row by row.
        if (i == shape_->ring() && i > 0) {
            order.insert(order.end(), {co, v_.g, v_.y});
        } else {
            order.insert(order.end(), {v_.y, co, v_.g});
        }
        order.insert(order.end(), outer.begin(), outer.end());
        func.reorder(order);
        tiles.vectorize(func);
        func.unroll(xi).never_partition({v_.y, v_.g, xo});
        if (!reads_operands()) func.never_partition(co);
        return xo;
    }

    // All channels of a tile of pixels, down the strip, then the next tile: the rows that its taps share stay in L1,
    // where rows of 14 KB would not (32 channels at 112 x 112: 0.965 of the time). (All pixels of a vector of channels
    // first reads a strip once into L1 too, and takes 3 to 10 % longer all the same.)
    Var schedule_depthwise_tiles(int i, Func func, const std::vector<Var> &outer) {
        Var co("co"), ci("ci"), xo("xo"), xi("xi");
        const bool is_ring = i == shape_->ring() && i > 0;
        func.split(v_.c, co, ci, as_int(shape_->channel_tile(i)), TailStrategy::ShiftInwards);
        func.split(v_.x, xo, xi, as_int(shape_->columns(i)), TailStrategy::ShiftInwards);
        std::vector<Halide::VarOrRVar> order{ci, xi, co, v_.y, xo, v_.g};
        if (is_ring) order = {ci, xi, xo, co, v_.g, v_.y};
        order.insert(order.end(), outer.begin(), outer.end());
        func.reorder(order);
        func.vectorize(ci, as_int(shape_->lanes(i))).unroll(ci).unroll(xi).never_partition({v_.y, v_.g});
        return is_ring ? xo : co;
    }

    void schedule_accumulator(int i, Func consumer, const Var &inner) {
        Func accumulator = at(i).accumulator;
        accumulator.compute_at(consumer, inner);
        accumulator.bound_extent(v_.c, as_int(shape_->channel_tile(i))).bound_extent(v_.x, as_int(shape_->columns(i)));
        accumulator.bound_extent(v_.y, 1);
        accumulator.vectorize(v_.c, as_int(shape_->lanes(i))).unroll(v_.c).unroll(v_.x);
        if (shape_->reads_zeros(i)) schedule_update(i, accumulator.update().specialize(nonfinite()), false);
        schedule_update(i, accumulator.update(), true);
    }

    void schedule_update(int i, Halide::Stage update, bool fast) {
        const RDom &r = at(i).r;
        RVar ro("ro"), ri("ri");
        const int64_t columns = shape_->columns(i);
        update.split(r[0], ro, ri, fast ? unrolled_channels(i) : 1)
            .reorder({v_.c, v_.x, ri, ro, r[1], r[2], r[3], r[4]})
            .vectorize(v_.c, as_int(shape_->lanes(i)))
            .unroll(v_.c)
            .unroll(v_.x)
            .unroll(ri);
        const bool few_taps = taps(shape_->stage(i))[0] * columns <= chain_unrolled_taps;
        if (shape_->link(i).depthwise && fast && few_taps) update.unroll(r[2]);
    }

    int unrolled_channels(int i) const {
        if (shape_->link(i).depthwise) return 1;
        const int64_t channels = summed_channels(*shape_, i).channels;
        for (int unroll : {4, 3, 2}) {
            if (channels % unroll == 0 && unroll * shape_->vectors(i) * shape_->columns(i) <= 128) return unroll;
        }
        return 1;
    }

    void schedule_copy() {
        const View input = arguments()[0].view;
        const std::vector<Var> args = copy_.args();
        const int ring = shape_->ring();
        copy_.store_in(Halide::MemoryType::Heap)
            .bound_extent(args[shape_->strip_axis()], as_int(shape_->copy_extent()));
        if (ring > 0) {
            copy_.compute_at(at(ring).strip, v_.y);
        } else {
            copy_.compute_at(output(), strip_);
        }
        int vector = lanes();
        while (input[view_channel].extent % vector != 0) vector /= 2;
        if (input[view_channel].stride == 1) {
            if (vector > 1) copy_.vectorize(args[view_channel], vector);
        } else if (!shape_->link(0).depthwise) {
            copy_.reorder_storage(args[view_width], args[view_height], args[view_depth], args[view_channel],
                                  args[view_group], args[view_batch]);
            copy_.reorder(args[view_width], args[view_height], args[view_depth], args[view_channel]);
        }
    }

    ActivationVars v_;
    Var strip_{"strip"}, task_{"task"};
    std::optional<ChainShape> shape_;
    std::vector<Link> links_;
    Func copy_{"copy"};
};

// ---- weight packing

class ChainPack : public PackGenerator<ChainPack> {
public:
    void pack_parameter(const KernelArgument &argument, const Func &raw, const Func &packed) {
        const ChainShape shape(request());
        const int i = link_of(shape, stage_of(argument));
        if (argument.parameter.role != Parameter::Role::weight) {
            pack_channels_of(shape, i, stage_of(argument), raw, packed);
        } else if (shape.link(i).depthwise) {
            pack_depthwise(shape, i, raw, packed);
        } else {
            pack_dense(shape, i, raw, packed);
        }
    }

private:
    void pack_channels_of(const ChainShape &shape, int i, int in_stage, Func raw, Func packed) const {
        const int channels = as_int(shape.link(i).channels);
        Var c("c"), g("g");
        const Expr from = channel_at(request().group, in_stage, {Halide::min(c, channels - 1), g});
        packed(c, g) = Halide::select(c < channels, raw(clamped(from, shape.link(i))), 0.0f);
    }

    void pack_depthwise(const ChainShape &shape, int i, Func raw, Func packed) const {
        Var c("c"), g("g"), kx("kx"), ky("ky"), kz("kz");
        std::vector<Expr> where = raw_taps(shape.stage(i), {kx, ky, kz});
        where.emplace_back(0);
        where.push_back(clamped(channel_at(request().group, shape.link(i).stage, {c, g}), shape.link(i)));
        packed(c, g, kx, ky, kz) = raw(where);
    }

    void pack_dense(const ChainShape &shape, int i, Func raw, Func packed) const {
        const ChainLink &link = shape.link(i);
        const int tile = as_int(shape.channel_tile(i)), channels = as_int(link.channels);
        Var c("c"), s("s"), sg("sg"), kx("kx"), ky("ky"), kz("kz"), t("t"), g("g");
        const Expr channel = t * tile + c;
        std::vector<Expr> where = raw_taps(shape.stage(i), {kx, ky, kz});
        const bool all_groups = i > 0 && shape.stage(i).groups == 1;
        where.push_back(all_groups ? clamped(channel_at(request().group, link.stage - 1, {s, sg}), shape.link(i - 1))
                                   : Expr(s));
        where.push_back(g * channels + Halide::min(channel, channels - 1));
        packed(c, s, sg, kx, ky, kz, t, g) = Halide::select(channel < channels, raw(where), 0.0f);
    }

    // Halide does not see that a permutation stays within the channels.
    static Expr clamped(const Expr &channel, const ChainLink &link) {
        return Halide::clamp(channel, 0, as_int(link.groups * link.channels) - 1);
    }
};

}  // namespace

Algorithm chain_algorithm() {
    return {"chain",        "several stages strip by strip, what lies between them in cache",
            refusal,        chain_knobs,
            chain_conflict, chain_default_schedule,
            arguments,      notes,
            most_stages,    chain_reluctance,
            chain_time,     chain_worthwhile,
            chain_cycles};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Chain, chain)
HALIDE_REGISTER_GENERATOR(convc::ChainPack, chain_pack)
