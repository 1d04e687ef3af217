// grouped: convolution in many groups of few channels, with vectors that run across groups.
//
// Idea. Where a group has fewer output channels than a vector has lanes, vectors of channels stay partly empty: a
// quarter full for ResNeXt's 32 groups of 4 (arXiv 1611.05431) under AVX-512. But groups are many and all do the same,
// so lane l of every vector here belongs to group l of `lanes` neighbours. The register tile is `channels` vectors (one
// output channel of each group) x `columns` pixels; a step, one input channel of each group at one tap, loads
// `channels` vectors of packed weights and `columns` vectors of inputs. It is direct.cpp's loop with both operands
// vectors, and no lane is empty: 3x3 of 32 groups of 4 channels at 56 x 56 takes 0.17 ms, 0.60 ms in direct.
//
// For that the same channel of neighbouring groups has to lie side by side. Each task copies its rows of the input into
// a strip in that order, with the border around it, in the workspace; the channels of the outputs are put back in order
// as they are stored. Both cost a shuffle an element, against taps x channels multiply-adds. (Loading channels as they
// are and permuting lanes for every tap, as performance guides have it, costs a permutation a load in the inner loop.)
#include <algorithm>

#include "schedules/algorithms.h"
#include "schedules/folded_shuffle.h"
#include "schedules/group_generator.h"
#include "schedules/knob_values.h"
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

constexpr int64_t most_channels = 12;  // in a register tile: more leave too few registers for pixels

// ---- applicability, knobs, default

std::optional<std::string> refusal_of_convolution(const StageGroup &group, const Target &target) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (!prefers_vectors_of_groups(stage, target)) {
        return "computes grouped convolutions, channels last, with fewer channels a group than groups in a vector";
    }
    if (group.input().has_runtime_extent()) return "needs every extent when it is compiled";
    return std::nullopt;
}

std::optional<std::string> refusal(const StageGroup &group, const Target &target) {
    if (group.count == 1) return refusal_of_convolution(group, target);
    if (auto reason = fold_refusal(group)) return reason;
    return refusal_of_convolution(convolution_of(group), target);
}

std::vector<Knob> knobs(const StageGroup &whole, const Target &) {
    const StageGroup group = convolution_of(whole);
    const View output = grouped_output(group);
    std::vector<Knob> all{
        {"channels", "output channels of each group in the register tile", 1,
         std::min<int64_t>(group_channels(group.stage(0)), most_channels)},
        {"columns", "pixels in the register tile", 1, std::min<int64_t>(output[view_width].extent, 30)},
        {"parts", "parallel parts of the outermost spatial axis", 1, output[parallel_axis(output)].extent},
        {"unroll", "input channels in one turn of the inner loop", 1, 16},
    };
    return with_stages_knob(whole, all);
}

std::optional<Conflict> conflict(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const Schedule &schedule = request.schedule;
    const Stage &stage = request.group.stage(0);
    const RegisterTile tile{*schedule.knob("channels"), *schedule.knob("columns")};
    if (!fits_registers(tile, request.target))
        return Conflict{ConflictKind::registers, "channels * columns + channels + 1 exceed the vector registers"};
    if (group_channels(stage) % tile.vectors != 0)
        return Conflict{ConflictKind::division, "channels does not divide the output channels of a group"};
    if (input_channels(stage) % *schedule.knob("unroll") != 0) {
        return Conflict{ConflictKind::division, "unroll does not divide the input channels of a group"};
    }
    return conflict_of(ConflictKind::memory,
                       strip_refusal(stage, outputs_of_part(grouped_output(request.group), *schedule.knob("parts")),
                                     input_channels(stage) * groups_in_vector(stage, request.target)));
}

// All channels of a group where they fit, since they are stored together; and the columns with the fewest modelled
// cycles a multiply-add.
RegisterTile default_tile(const Stage &stage, int64_t width, const Target &target) {
    const int64_t all = group_channels(stage);
    RegisterTile best{std::min(all, most_channels), 1};
    while (all % best.vectors != 0 || (best.vectors > 1 && !fits_registers({best.vectors, 2}, target))) best.vectors--;
    const auto cycles = [&](const RegisterTile &tile) {
        return tile_cycles(tile, all * target.vector_lanes(), width, 1, target);
    };
    for (RegisterTile tile = best; tile.columns <= width && fits_registers(tile, target); tile.columns++) {
        if (cycles(tile) < cycles(best)) best = tile;
    }
    return best;
}

// All outputs of such a register tile, on one thread.
double cycles_of_sums(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const View output = grouped_output(request.group);
    const RegisterTile tile{*request.schedule.knob("channels"), *request.schedule.knob("columns")};
    const int64_t lanes = groups_in_vector(stage, request.target);
    // A vector that the groups do not fill takes as long as a whole one.
    Target target = request.target;
    target.half_vectors = target.half_vectors || (target.isa == Isa::avx512 && lanes * 2 <= target.vector_lanes());
    const double waste = static_cast<double>(target.vector_lanes()) / static_cast<double>(lanes);
    const double products = static_cast<double>(input_channels(stage) * stage.kernel_volume()) *
                            share_of_taps(request.group, view_height, 1);
    const double sum = products * lane_cycles_of_vectors(tile, group_channels(stage) * target.vector_lanes(),
                                                         output[view_width].extent, target);
    return modelled_outputs(output) * waste * (sum + output_cycles(target));
}

// Of one thread, for the strips that the tasks turn into vectors of groups.
double copying_cycles(const StageGroup &group, int64_t parts, const Target &target) {
    constexpr double cycles_a_vector = 5;
    const View output = grouped_output(group);
    const auto copies = static_cast<double>(parts * modelled_extent(output, view_batch));
    const double elements = copies * strip_elements(group.stage(0), outputs_of_part(output, parts));
    return cycles_a_vector * elements / target.vector_lanes();
}

Schedule default_schedule(const StageGroup &whole, const Target &target) {
    const StageGroup group = convolution_of(whole);
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const RegisterTile tile = default_tile(stage, output[view_width].extent, target);
    const int64_t columns = parallel_axis(output) == view_width ? tile.columns : 1;
    const int64_t pieces = ceil_divided(output[parallel_axis(output)].extent, columns);
    const int64_t lanes = groups_in_vector(stage, target);
    Schedule schedule{"grouped",
                      {{"channels", tile.vectors},
                       {"columns", tile.columns},
                       {"parts", 1},
                       {"unroll", default_unroll(input_channels(stage), tile)}}};
    int64_t parts = fine_parts(pieces, modelled_extent(output, view_batch) * stage.groups / lanes,
                               cycles_of_sums({group, schedule, target}), target,
                               [&](int64_t cut) { return copying_cycles(group, cut, target); });
    // Pixels alone: strips of more than L2 would be for nothing, since their borders do not overlap.
    const int64_t strips = output[view_width].extent * input_channels(stage) * lanes * 4 * 2 / target.l2_bytes;
    if (flattens(group)) parts = std::max(parts, std::min(pieces, ceil_divided(strips, parts) * parts));
    set_knob(schedule, "parts", parts);
    return with_stages_knob(whole, schedule);
}

double cycles(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const View output = grouped_output(request.group);
    const int64_t columns = parallel_axis(output) == view_width ? *request.schedule.knob("columns") : 1;
    const double share =
        share_of_slowest(ceil_divided(output[parallel_axis(output)].extent, columns), *request.schedule.knob("parts"),
                         output[view_batch].extent * request.group.stage(0).groups /
                             groups_in_vector(request.group.stage(0), request.target),
                         request.target);
    return share * cycles_of_sums(request);
}

std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob) {
    if (knob.name != "columns") return usual_values(so_far, knob);
    // All that fit: how many pixels a row has decides.
    std::vector<int64_t> values;
    for (int64_t columns = 2; columns <= knob.high; columns++) {
        if (fits_registers({*so_far.schedule.knob("channels"), columns}, so_far.target)) values.push_back(columns);
    }
    if (values.empty()) values.push_back(1);
    return values;
}

// Packed weights: group in the vector, channel in the tile, input channel, taps, tile, vector.
std::vector<KernelArgument> arguments(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const Stage &stage = request.group.stage(0);
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    const int64_t lanes = groups_in_vector(stage, request.target), tile = *request.schedule.knob("channels");
    std::vector<KernelArgument> all =
        single_stage_arguments(request.group, stage.groups,
                               {lanes, tile, input_channels(stage), taps(view_width), taps(view_height),
                                taps(view_depth), group_channels(stage) / tile, stage.groups / lanes},
                               group_channels(stage), pads_with_zeros(stage));
    fold_views(whole.group, all);
    return all;
}

// ---- the kernel

class Grouped : public KernelGenerator<Grouped> {
public:
    GeneratorParam<int> channels{"channels", 1}, columns{"columns", 1}, parts{"parts", 1}, unroll{"unroll", 1};
    GeneratorParam<int> stages{"stages", 1};

    void generate() {
        constrain_buffers();
        folded_ = folded_shuffle(request().group);
        vector_ = size(groups_in_vector(convolution(), request().target));
        const Axis ax = stage_axis(convolution(), view_width), ay = stage_axis(convolution(), view_height),
                   az = stage_axis(convolution(), view_depth);
        const Placements placed = placements(false, folded_.convolution);
        const int channels_in = size(input_channels(convolution()));
        source_ = with_border(input_of_groups(x(), folded_, channels_in), convolution(), placed);
        r_ = RDom(0, channels_in, 0, size(ax.kernel), 0, size(ay.kernel), 0, size(az.kernel), "r");
        const Expr x_at = under_tap(v_.x, r_[1], ax), y_at = under_tap(v_.y, r_[2], ay),
                   z_at = under_tap(v_.z, r_[3], az);
        Func weights = parameter(Parameter::Role::weight, folded_.convolution);
        Expr product =
            weights(v_.g % vector_, v_.c % channels, r_[0], r_[1], r_[2], r_[3], v_.c / channels, v_.g / vector_) *
            source_(r_[0], v_.g, x_at, y_at, z_at, v_.n);
        if (pads_with_zeros(convolution())) {
            const Expr inside = within(x_at, placed[0]) && within(y_at, placed[1]) && within(z_at, placed[2]);
            product = Halide::select(nonfinite() && !inside, 0.0f, product);
            if (placed[1].padded) r_.where(reaches_input(y_at, 0, placed[1]));
            if (placed[2].padded) r_.where(reaches_input(z_at, 0, placed[2]));
        }
        sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = start_of_sum(v_, folded_.convolution);
        sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += product;
        Func y = output();
        y(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            finish_sum(sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_, folded_.convolution);
    }

    void schedule() {
        const Var task("task");
        sum_.compute_at(output(), schedule_output(task)).reorder_storage(v_.g, v_.c, v_.x);
        sum_.bound_extent(v_.c, channels).bound_extent(v_.g, vector_).bound_extent(v_.x, columns);
        for (const Var &var : {v_.y, v_.z, v_.n}) sum_.bound_extent(var, 1);
        sum_.vectorize(v_.g, vector_).unroll(v_.c).unroll(v_.x);
        if (pads_with_zeros(convolution())) schedule_update(sum_.update().specialize(nonfinite()), 1);
        schedule_update(sum_.update(), unroll);
        schedule_source(task);
    }

private:
    const Stage &convolution() const { return stage(folded_.convolution); }

    static int size(int64_t value) { return static_cast<int>(value); }

    void schedule_update(Halide::Stage update, int unrolled) {
        RVar ro("ro"), ri("ri");
        update.split(r_[0], ro, ri, unrolled)
            .reorder({v_.g, v_.c, v_.x, ri, ro, r_[1], r_[2], r_[3]})
            .vectorize(v_.g, vector_)
            .unroll(v_.c)
            .unroll(v_.x)
            .unroll(ri);
    }

    // Cuts the output into tasks and register tiles; returns the loop in which one tile is computed.
    Var schedule_output(const Var &task) {
        Var co("co"), ci("ci"), go("go"), gi("gi"), xo("xo"), xi("xi"), part("part");
        Func y = output();
        y.split(v_.c, co, ci, channels, TailStrategy::RoundUp);
        y.split(v_.g, go, gi, vector_, TailStrategy::RoundUp);
        split_parts(y, arguments().back().view, parts, columns, part);
        y.split(v_.x, xo, xi, columns, TailStrategy::ShiftInwards);
        // The channels of a tile are stored one after another, so that Halide makes dense stores of them.
        make_tasks(y, {gi, ci, xi, co, xo, v_.y, v_.z}, {part, go, v_.n}, task);
        y.vectorize(gi, vector_).unroll(ci).unroll(xi).never_partition({co, xo, v_.y, v_.z, task});
        return co;
    }

    // The strip, in which neighbouring groups lie side by side.
    void schedule_source(const Var &task) {
        const std::vector<Var> args = source_.args();
        const Var &c = args[view_channel], &g = args[view_group];
        source_.compute_at(output(), task).store_in(Halide::MemoryType::Heap);
        source_.bound_extent(c, size(input_channels(convolution()))).bound_extent(g, vector_);
        source_.reorder_storage(g, c, args[view_width], args[view_height], args[view_depth], args[view_batch]);
        int unrolled = 16;  // more is only more code
        while (input_channels(convolution()) % unrolled != 0) unrolled--;
        const Var outer("outer"), inner("inner");
        source_.split(c, outer, inner, unrolled).reorder(g, inner, outer, args[view_width]);
        source_.vectorize(g, vector_).unroll(inner);
    }

    ActivationVars v_;
    RDom r_;
    FoldedShuffle folded_;
    Func source_{"source"}, sum_{"sum"};
    int vector_ = 1;
};

// ---- weight packing

class GroupedPack : public PackGenerator<GroupedPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const Stage &s = convolution_of(request().group).stage(0);
        const int lanes = static_cast<int>(groups_in_vector(s, request().target));
        const int tile = static_cast<int>(*request().schedule.knob("channels"));
        const int channels = static_cast<int>(group_channels(s));
        Var l("l"), c("c"), i("i"), kx("kx"), ky("ky"), kz("kz"), t("t"), v("v");
        std::vector<Expr> where = raw_taps(s, {kx, ky, kz});
        where.emplace_back(i);
        where.push_back((v * lanes + l) * channels + t * tile + c);
        packed(l, c, i, kx, ky, kz, t, v) = raw(where);
    }
};

}  // namespace

Algorithm grouped_algorithm() {
    return {"grouped", "many groups of few channels, in vectors across groups",
            refusal,   knobs,
            conflict,  default_schedule,
            arguments, fold_notes,
            2,         nullptr,
            nullptr,   worthwhile,
            cycles};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Grouped, grouped)
HALIDE_REGISTER_GENERATOR(convc::GroupedPack, grouped_pack)
