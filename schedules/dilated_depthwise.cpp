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

std::optional<std::string> refusal(const StageGroup &group, const Target &target) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (!is_depthwise(stage) || stage.multiplier() != 1) return "computes one input and one output channel a group";
    if (stage.weights) return "takes no constant weights";
    if (!channels_last(group.input().layout) || !channels_last(group.output().layout)) return "needs channels last";
    if (has_runtime_space(grouped_output(group))) return "needs extents that are known";
    const Axis x = stage_axis(stage, view_width), y = stage_axis(stage, view_height), z = stage_axis(stage, view_depth);
    if (z.kernel != 1 || z.stride != 1 || is_padded(z)) return "needs a kernel in two dimensions";
    if (x.dilation < 2 || y.dilation < 2) return "needs a dilation along width and height";
    if (x.stride != 1 || y.stride != 1) return "needs stride 1 along width and height";
    if (has_padding(stage) && !pads_with_zeros(stage)) return "needs padding of zeros";
    const RegisterTile tile{1, phase_outputs(group, view_width) * phase_outputs(group, view_height)};
    if (!fits_registers(tile, target)) return "a phase has more outputs than there are registers";
    if (tile.columns * stage.kernel_volume() > most_products) return "a phase has more products than a loop body may";
    return std::nullopt;
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    constexpr int64_t most_taps = 25;  // 7x7 under dilation 3 at 14 x 14: 1.56 times the time of `depthwise`; 5x5 0.97
    const Stage &stage = group.stage(0);
    if (stage.out_channels < target.vector_lanes()) return "its vectors run over channels, of which there are few";
    if (stage.kernel_volume() > most_taps) return "its sums are long enough for rows of them";
    return std::nullopt;
}

// ---- knobs

std::vector<Knob> knobs(const StageGroup &group, const Target &) {
    return {{"parts", "parallel parts of the phases along the height", 1, phases(group, view_height)}};
}

std::optional<Conflict> conflict(const KernelRequest &) {
    return std::nullopt;
}

double cycles_of_one_thread(const StageGroup &group, const Target &target) {
    // An input and an output move between L2 and registers (3x3 under dilation 12, 256 channels at 33 x 33).
    constexpr double cycles_a_vector = 7;
    return modelled_outputs(grouped_output(group)) / static_cast<double>(target.vector_lanes()) * cycles_a_vector;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    const int64_t parts = fine_parts(phases(group, view_height), modelled_extent(grouped_output(group), view_batch),
                                     cycles_of_one_thread(group, target), target);
    return {"dilated_depthwise", {{"parts", parts}}};
}

double cycles(const KernelRequest &request) {
    const StageGroup &group = request.group;
    const double share = share_of_slowest(phases(group, view_height), *request.schedule.knob("parts"),
                                          modelled_extent(grouped_output(group), view_batch), request.target);
    return cycles_of_one_thread(group, request.target) * share;
}

// Packed weights: channel, taps.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    return single_stage_arguments(
        request.group, 1,
        {stage.out_channels, stage_axis(stage, view_width).kernel, stage_axis(stage, view_height).kernel},
        stage.out_channels, false);
}

// ---- the kernel

class DilatedDepthwise : public KernelGenerator<DilatedDepthwise> {
public:
    GeneratorParam<int> parts{"parts", 1};

    // One expression, no Func of the sums: Halide would not see that x % dilation is one number in the loop over
    // phases.
    void generate() {
        constrain_buffers();
        const Axis ax = stage_axis(stage(), view_width), ay = stage_axis(stage(), view_height);
        placed_ = placements(false);
        const Func input = in_place(x(), placed_), weight = parameter(Parameter::Role::weight);
        Expr sum = start_of_sum(v_);
        for (int ky = 0; ky < size(ay.kernel); ky++) {
            for (int kx = 0; kx < size(ax.kernel); kx++) {
                const Expr x_at = under_tap(v_.x, kx, ax), y_at = under_tap(v_.y, ky, ay);
                const Expr product = weight(v_.c, kx, ky) * input(v_.c, v_.g, x_at, y_at, v_.z, v_.n);
                sum += has_padding(stage()) ? inside(x_at, y_at, product) : product;
            }
        }
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = finish_sum(sum, v_);
    }

    void schedule() {
        Var co("co"), ci("ci"), part("part"), task("task");
        const int across = size(phases(request().group, view_width)), down = size(phases(request().group, view_height));
        const Plane in_phase{Var("qx"), Var("qy")}, of_phase{Var("px"), Var("py")};
        Func y = output();
        const bool shifts = stage().out_channels >= lanes();  // the last vector inwards
        y.split(v_.c, co, ci, lanes(), shifts ? TailStrategy::ShiftInwards : TailStrategy::GuardWithIf);
        y.split(v_.x, in_phase.x, of_phase.x, across, TailStrategy::GuardWithIf);
        y.split(v_.y, in_phase.y, of_phase.y, down, TailStrategy::GuardWithIf);
        split_evenly(y, of_phase.y, down, 1, parts, part);
        make_tasks(y, {ci, in_phase.x, in_phase.y, co, of_phase.x, of_phase.y, v_.z}, {part, v_.g, v_.n}, task);
        y.vectorize(ci).unroll(in_phase.x).unroll(in_phase.y).never_partition({co, v_.z, task});
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    struct Plane {
        Var x, y;
    };

    // The select is round the product: NaN or infinity times padding contributes nothing.
    Expr inside(const Expr &x_at, const Expr &y_at, const Expr &product) const {
        Expr all = Halide::Internal::const_true();
        if (placed_[0].padded) all = within(x_at, placed_[0]);
        if (placed_[1].padded) all = all && within(y_at, placed_[1]);
        return Halide::select(all, Halide::likely(product), 0.0f);
    }

    ActivationVars v_;
    Placements placed_;
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
