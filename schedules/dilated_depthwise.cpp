// dilated_depthwise: depthwise convolution under a long dilation, a whole phase of the image in registers.
//
// Idea. Under a dilation d, outputs whose positions leave the same remainder by d read inputs of that remainder alone:
// the image falls into d x d small ones, its phases, each convolved densely (the space-to-batch of Yu & Koltun,
// "Multi-Scale Context Aggregation by Dilated Convolutions", arXiv 1511.07122, as frameworks compute it, with nothing
// copied). Where d is so long that a phase has few pixels, all its outputs of a vector of channels are accumulators at
// once, each input is loaded once, and which taps meet padding is known when the kernel is compiled, so that these cost
// nothing: 3x3 under dilation 12 at 33 x 33 has 3 x 3 outputs a phase and 49 products for 9 loads, where `depthwise`
// walks through rows that lie 12 apart once for each tap.
//
// Where channels lie apart, vectors run along rows, and the phases are those of the height: vectors of all rows of one
// are accumulators at once. A plane is copied with the border before and behind each row; which rows of the kernel meet
// padding is known again. On Sapphire Rapids, two threads, of the time of `depthwise`: 3x3 under dilation 12 at 33 x 33
// 0.67, 6 0.78, 2 0.95; 24 at 65 x 65 0.27, whose border is larger than the image. What is left is twice the time of
// channels last: a third of it copies, and most loads and stores cross a cache line (several vectors of a row at once,
// or planes copied ahead: no faster).
//
// The last pixels of a row or column, whose phases are shorter by one, are guarded; Halide cuts the loops over phases
// in two, so that each guard is a constant.
#include <algorithm>

#include "schedules/algorithms.h"
#include "schedules/group_generator.h"
#include "schedules/machine_model.h"
#include "schedules/padding.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;

// ---- applicability

constexpr int64_t most_products = 1024;  // in a loop body; 400 take 0.7 s in all

// Phases that have outputs, and outputs of the longest one, along an axis.
int64_t phases(const StageGroup &group, ViewAxis along) {
    return std::min<int64_t>(stage_axis(group.stage(0), along).dilation, grouped_output(group)[along].extent);
}
int64_t phase_outputs(const StageGroup &group, ViewAxis along) {
    const int64_t of_axis = phases(group, along);
    return (grouped_output(group)[along].extent + of_axis - 1) / of_axis;
}

// Whether a vector runs over channels; else it runs along a row.
bool vectors_of_channels(const StageGroup &group) {
    return channels_last(group.output().layout);
}

// Vectors of outputs that are accumulators at once.
int64_t sums_of_phase(const StageGroup &group) {
    return phase_outputs(group, view_height) * (vectors_of_channels(group) ? phase_outputs(group, view_width) : 1);
}

std::optional<std::string> refusal(const StageGroup &group, const Target &target) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (!is_depthwise(stage) || stage.multiplier() != 1) return "computes one input and one output channel a group";
    if (stage.weights) return "takes no constant weights";
    if (channels_last(group.input().layout) != channels_last(group.output().layout)) return "needs one layout";
    if (has_runtime_space(grouped_output(group))) return "needs extents that are known";
    const Axis x = stage_axis(stage, view_width), y = stage_axis(stage, view_height), z = stage_axis(stage, view_depth);
    if (z.kernel != 1 || z.stride != 1 || is_padded(z)) return "needs a kernel in two dimensions";
    if (y.dilation < 2) return "needs a dilation along the height";
    if (vectors_of_channels(group) && x.dilation < 2) return "needs a dilation along the width";
    if (x.stride != 1 || y.stride != 1) return "needs stride 1 along width and height";
    if (has_padding(stage) && !pads_with_zeros(stage)) return "needs padding of zeros";
    const int64_t sums = sums_of_phase(group);
    if (!fits_registers({1, sums}, target)) return "a phase has more outputs than there are registers";
    if (sums * stage.kernel_volume() > most_products) return "a phase has more products than a loop body may";
    return std::nullopt;
}

// Of a vector of pixels: as few as hold a short row.
int64_t pixel_lanes(const StageGroup &group, const Target &target) {
    int64_t lanes = 1;
    while (lanes < target.vector_lanes() && lanes < grouped_output(group)[view_width].extent) lanes *= 2;
    return lanes;
}

// Whether vectors of pixels reach past the ends of a row.
bool copies_planes(const StageGroup &group, const Target &target) {
    return !vectors_of_channels(group) && (is_padded(stage_axis(group.stage(0), view_width)) ||
                                           grouped_output(group)[view_width].extent < pixel_lanes(group, target));
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    constexpr int64_t most_taps = 25;  // 7x7 under dilation 3 at 14 x 14: 1.56 times the time of `depthwise`; 5x5 0.97
    // Of vectors of pixels, LLVM computes one output after the other and loads their inputs again: 5x5 under dilation 6
    // at 33 x 33 (150 products) 0.82 of the time of `depthwise`, under dilation 2 at 14 x 14 (175) 1.31.
    constexpr int64_t most_shared = 160;
    const Stage &stage = group.stage(0);
    if (vectors_of_channels(group) && stage.out_channels < target.vector_lanes()) {
        return "its vectors run over channels, of which there are few";
    }
    const bool long_sums = vectors_of_channels(group) ? stage.kernel_volume() > most_taps
                                                      : sums_of_phase(group) * stage.kernel_volume() > most_shared;
    if (long_sums) return "its sums are long enough for rows of them";
    return std::nullopt;
}

// ---- knobs

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    if (vectors_of_channels(group))
        return {{"parts", "parallel parts of the phases along the height", 1, phases(group, view_height)}};
    return {{"parts", "parallel parts of the channels", 1, group.stage(0).out_channels},
            {"planes", "channels that are copied before they are convolved", 1,
             copies_planes(group, target) ? std::min<int64_t>(group.stage(0).out_channels, 64) : 1}};
}

int64_t channels_of_part(const StageGroup &group, int64_t parts) {
    return ceil_divided(group.stage(0).out_channels, parts);
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const StageGroup &group = request.group;
    if (vectors_of_channels(group)) return std::nullopt;
    const int64_t planes = *request.schedule.knob("planes");
    if (channels_of_part(group, *request.schedule.knob("parts")) % planes != 0) {
        return Conflict{ConflictKind::division, "planes does not divide the channels of a part"};
    }
    if (!copies_planes(group, request.target)) return std::nullopt;
    return conflict_of(ConflictKind::memory,
                       strip_refusal(group.stage(0), outputs_of_part(grouped_output(group), 1), planes));
}

double cycles_of_one_thread(const StageGroup &group, const Target &target) {
    // An input and an output move between L2 and registers, or a copy too (3x3 under dilation 12, 256 channels at 33 x
    // 33).
    const double cycles_a_vector = vectors_of_channels(group) ? 7 : 13;
    return modelled_outputs(grouped_output(group)) / static_cast<double>(target.vector_lanes()) * cycles_a_vector;
}

// What parallel parts are cut from.
int64_t parallel_pieces(const StageGroup &group) {
    return vectors_of_channels(group) ? phases(group, view_height) : group.stage(0).out_channels;
}

// A load that takes parts from several stores waits until they have left the store buffer: once a block of planes. A
// block of more than a little of L1 drives out what comes next (planes of 6 KB: two at a time 1.0, four 1.17 of the
// time; of less than 1 KB: four 0.81).
int64_t default_planes(const StageGroup &group, int64_t parts, const Target &target) {
    if (!copies_planes(group, target)) return 1;
    const View input = activation_view(group.input(), 1, false);
    const Axis x = stage_axis(group.stage(0), view_width);
    const int64_t pitch = input[view_width].extent + std::max(x.pad_before, x.pad_after);
    const int64_t bytes = pitch * input[view_height].extent * input[view_depth].extent * int64_t{sizeof(float)};
    const int64_t channels = channels_of_part(group, parts);
    int64_t planes = std::clamp<int64_t>(target.l1_bytes / 12 / bytes, 1, std::min<int64_t>(channels, 64));
    while (channels % planes != 0) planes--;
    return planes;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    const int64_t parts = fine_parts(parallel_pieces(group), modelled_extent(grouped_output(group), view_batch),
                                     cycles_of_one_thread(group, target), target);
    if (vectors_of_channels(group)) return {"dilated_depthwise", {{"parts", parts}}};
    return {"dilated_depthwise", {{"parts", parts}, {"planes", default_planes(group, parts, target)}}};
}

double cycles(const KernelRequest &request) {
    const StageGroup &group = request.group;
    const double share = share_of_slowest(parallel_pieces(group), *request.schedule.knob("parts"),
                                          modelled_extent(grouped_output(group), view_batch), request.target);
    return cycles_of_one_thread(group, request.target) * share;
}

// Whether zeros of a copy's border meet weights, which may be NaN or infinite.
bool multiplies_zeros(const StageGroup &group) {
    return !vectors_of_channels(group) && is_padded(stage_axis(group.stage(0), view_width));
}

// Packed weights: channel, taps.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    return single_stage_arguments(
        request.group, 1,
        {stage.out_channels, stage_axis(stage, view_width).kernel, stage_axis(stage, view_height).kernel},
        stage.out_channels, multiplies_zeros(request.group));
}

// ---- the kernel

class DilatedDepthwise : public KernelGenerator<DilatedDepthwise> {
public:
    GeneratorParam<int> parts{"parts", 1}, planes{"planes", 1};

    // One expression, no Func of the sums: Halide would not see that x % dilation is one number in the loop over
    // phases.
    void generate() {
        constrain_buffers();
        const Axis ax = stage_axis(stage(), view_width), ay = stage_axis(stage(), view_height);
        placed_ = placements(false);
        const Func input = source(), weight = parameter(Parameter::Role::weight);
        Expr sum = start_of_sum(v_);
        for (int ky = 0; ky < size(ay.kernel); ky++) {
            for (int kx = 0; kx < size(ax.kernel); kx++) {
                const Expr x_at = under_tap(v_.x, kx, ax), y_at = under_tap(v_.y, ky, ay);
                sum += inside(x_at, y_at, weight(v_.c, kx, ky) * input(v_.c, v_.g, x_at, y_at, v_.z, v_.n));
            }
        }
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = finish_sum(sum, v_);
    }

    void schedule() {
        if (vectors_of_channels(request().group)) {
            schedule_channels_last();
        } else {
            schedule_channels_first();
        }
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    // In padded coordinates.
    Func source() {
        if (!copies_planes(request().group, request().target)) return in_place(x(), placed_);
        const View view = arguments()[0].view;
        const int64_t columns = std::max(int64_t{arguments().back().view[view_width].extent}, lanes_of_row());
        const int read = size(input_span(stage_axis(stage(), view_width), columns));
        filled_ = with_filled_border(x(), without_border_rows(stage()), placed_, view,
                                     {read, size(view[view_height].extent), size(view[view_depth].extent)});
        Placements rows = placed_;
        rows[0].padded = false;  // by then
        return in_place(filled_->bordered, rows);
    }

    int64_t lanes_of_row() const { return pixel_lanes(request().group, request().target); }

    void schedule_channels_last() {
        Var co("co"), ci("ci"), qx("qx"), qy("qy"), px("px"), py("py"), part("part"), task("task");
        const int across = size(phases(request().group, view_width)), down = size(phases(request().group, view_height));
        Func y = output();
        const bool shifts = stage().out_channels >= lanes();  // the last vector inwards
        y.split(v_.c, co, ci, lanes(), shifts ? TailStrategy::ShiftInwards : TailStrategy::GuardWithIf);
        y.split(v_.x, qx, px, across, TailStrategy::GuardWithIf);
        y.split(v_.y, qy, py, down, TailStrategy::GuardWithIf);
        split_evenly(y, py, down, 1, parts, part);
        make_tasks(y, {ci, qx, qy, co, px, py, v_.z}, {part, v_.g, v_.n}, task);
        y.vectorize(ci).unroll(qx).unroll(qy).never_partition({co, v_.z, task});
    }

    void schedule_channels_first() {
        Var xo("xo"), xi("xi"), qy("qy"), py("py"), part("part"), task("task"), block("block");
        Func y = output();
        const int down = size(phases(request().group, view_height)), channels = size(stage().out_channels);
        const int vector = size(lanes_of_row());
        split_evenly(y, v_.c, channels, 1, parts, part);
        y.split(v_.c, block, v_.c, planes, TailStrategy::RoundUp);
        y.split(v_.x, xo, xi, vector, tail_of_row(vector));
        y.split(v_.y, qy, py, down, TailStrategy::GuardWithIf);
        make_tasks(y, {xi, qy, xo, py, v_.z, v_.c, block}, {part, v_.g, v_.n}, task);
        y.vectorize(xi).unroll(qy).never_partition({xo, v_.c, block, v_.z, task});
        if (multiplies_zeros(request().group)) y.specialize(nonfinite());
        if (filled_) schedule_filled_plane(*filled_, y, block, planes, lanes());
    }

    // The select is round the product: NaN or infinity times padding contributes nothing.
    Expr inside(const Expr &x_at, const Expr &y_at, const Expr &product) {
        Expr all = Halide::Internal::const_true(), value = product;
        if (placed_[1].padded) all = within(y_at, placed_[1]);
        if (multiplies_zeros(request().group)) {
            value = Halide::select(nonfinite() && !within(x_at, placed_[0]), 0.0f, product);
        } else if (placed_[0].padded) {
            all = all && within(x_at, placed_[0]);
        }
        return Halide::select(all, Halide::likely(value), 0.0f);
    }

    ActivationVars v_;
    Placements placed_;
    std::optional<FilledPlane> filled_;
};

// ---- weight packing

class DilatedDepthwisePack : public PackGenerator<DilatedDepthwisePack> {
public:
    void pack_weights(Func raw, Func packed) const {
        Var c("c"), kx("kx"), ky("ky");
        packed(c, kx, ky) = raw(raw_weight(stage(), {kx, ky, 0}, 0, 0, c));
    }
};

}  // namespace

Algorithm dilated_depthwise_algorithm() {
    Algorithm row{"dilated_depthwise",
                  "depthwise under a long dilation: all outputs of a phase in registers",
                  refusal,
                  knobs,
                  conflict,
                  default_schedule,
                  arguments};
    row.reluctance = reluctance;
    row.cycles = cycles;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::DilatedDepthwise, dilated_depthwise)
HALIDE_REGISTER_GENERATOR(convc::DilatedDepthwisePack, dilated_depthwise_pack)
