// dot: convolution to few output channels, with vectors that run over the input channels.
//
// Idea. Where a group has fewer output channels than a vector has lanes, vectors of outputs stay nearly empty: one lane
// of 16 for the single channel of a saliency map, a depth map or a discriminator's verdict. But an output is a dot
// product over taps and input channels, and these are many and lie side by side in channels-last layouts. So a vector
// holds neighbouring input channels here, inputs and weights are both loaded whole, and the lanes of a sum are added
// once at the end. A register tile of `channels` x `columns` outputs loads `channels` + `columns` vectors for
// `channels` * `columns` multiply-adds; `vectors` sums an output, of different input channels, keep both multipliers
// busy where the tile is small. 3x3 of 64 channels to one at 112 x 112 takes 0.084 ms, 0.38 in direct; a sum over all
// of 4 x 4 x 512 takes 0.43 us, 11 in direct (Sapphire Rapids, two threads).
//
// Padding. With zeros, no padded copy, as in depthwise.cpp: rows outside are left out of the reduction, and the select
// that guards columns outside stands in the first and last tile of a row only. Else the border is a strip in the
// workspace.
#include <algorithm>

#include "schedules/algorithms.h"
#include "schedules/direct_schedule.h"
#include "schedules/group_generator.h"
#include "schedules/knob_values.h"
#include "schedules/machine_model.h"
#include "schedules/padding.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"
#include "schedules/vector_width.h"
#include "schedules/winograd_schedule.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::TailStrategy;
using Halide::Var;

constexpr int64_t most_channels = 4;     // in a register tile
constexpr int64_t independent_sums = 8;  // two multiply-adds a cycle, each done after 4
constexpr double adding_lanes = 10;      // cycles an output

// ---- applicability

std::optional<std::string> refusal(const StageGroup &group, const Target &target) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind != StageKind::convolution || is_depthwise(stage)) return "sums over several input channels";
    if (group_channels(stage) >= target.vector_lanes()) return "computes fewer output channels than a vector has lanes";
    if (stage.weights) return "takes no constant weights";
    if (group.input().has_runtime_extent()) return "needs every extent when it is compiled";
    if (activation_view(group.input(), stage.groups, false)[view_channel].stride != 1)
        return "needs the input's channels side by side";
    if (channel_block(stage, target) < 4) return "needs input channels that divide into vectors";
    return std::nullopt;
}

// ---- knobs, default, model

struct Tile {
    int64_t vectors, channels, columns;

    explicit Tile(const Schedule &schedule)
        : vectors(*schedule.knob("vectors")),
          channels(*schedule.knob("channels")),
          columns(*schedule.knob("columns")) {}
};

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    return {{"vectors", "sums of an output, each of a vector of input channels", 1,
             std::min<int64_t>(input_channels(stage) / channel_block(stage, target), independent_sums)},
            {"channels", "output channels in the register tile", 1,
             std::min<int64_t>(group_channels(stage), most_channels)},
            {"columns", "pixels in the register tile", 1, std::min<int64_t>(output[view_width].extent, 28)},
            {"parts", "parallel parts of the outermost spatial axis", 1, output[parallel_axis(output)].extent}};
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const Tile tile(request.schedule);
    if (tile.vectors * (tile.channels * tile.columns + tile.channels) + 1 > request.target.vector_registers())
        return Conflict{ConflictKind::registers, "the tile's sums and weights exceed the vector registers"};
    if (input_channels(stage) % (tile.vectors * channel_block(stage, request.target)) != 0)
        return Conflict{ConflictKind::division, "vectors does not divide the vectors of input channels"};
    if (group_channels(stage) % tile.channels != 0)
        return Conflict{ConflictKind::division, "channels does not divide the output channels of a group"};
    if (!has_padding(stage) || pads_with_zeros(stage)) return std::nullopt;
    const auto outputs = outputs_of_part(grouped_output(request.group), *request.schedule.knob("parts"));
    return conflict_of(ConflictKind::memory, strip_refusal(stage, outputs, input_channels(stage)));
}

// Modelled cycles of an output: loads and multiply-adds of a step, two each a cycle, or what a sum waits for the one
// before; the lanes; what storing it takes.
double output_cycles_of(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const Tile tile(request.schedule);
    const double turns = request.target.splits_vectors() ? 2 : 1, latency = 4;
    const auto sums = static_cast<double>(tile.channels * tile.columns), vectors = static_cast<double>(tile.vectors);
    const double step = std::max(
        {vectors * sums * turns / 2, vectors * static_cast<double>(tile.channels + tile.columns) * turns / 2, latency});
    const double steps = static_cast<double>(input_channels(stage) * stage.kernel_volume()) *
                         share_of_taps(request.group, view_height, 1) /
                         static_cast<double>(channel_block(stage, request.target)) / vectors;
    return steps * step / sums + adding_lanes;
}

double cycles(const KernelRequest &request) {
    const View output = grouped_output(request.group);
    const int64_t unit = parallel_axis(output) == view_width ? Tile(request.schedule).columns : 1;
    const double share =
        share_of_slowest(ceil_divided(output[parallel_axis(output)].extent, unit), *request.schedule.knob("parts"),
                         output[view_batch].extent * request.group.stage(0).groups, request.target);
    return share * modelled_outputs(output) * output_cycles_of(request);
}

// The tile with the fewest cycles; of equals the one that cuts rows into equal pieces.
Schedule default_schedule(const StageGroup &group, const Target &target) {
    const View output = grouped_output(group);
    const int64_t width = output[view_width].extent;
    Schedule best, tried{"dot", {{"vectors", 1}, {"channels", 1}, {"columns", 1}, {"parts", 1}}};
    double least = 0;
    const std::vector<Knob> ranges = knobs(group, target);
    for (int64_t vectors = 1; vectors <= ranges[0].high; vectors *= 2) {
        for (int64_t channels = 1; channels <= ranges[1].high; channels++) {
            for (int64_t columns = 1; columns <= ranges[2].high; columns++) {
                tried.knobs = {{"vectors", vectors}, {"channels", channels}, {"columns", columns}, {"parts", 1}};
                const KernelRequest request{group, tried, target};
                if (conflict(request)) continue;
                const auto computed = static_cast<double>(ceil_divided(width, columns) * columns);
                const double cost = output_cycles_of(request) * computed / static_cast<double>(width);
                if (!best.algorithm.empty() && cost >= least) continue;
                best = tried, least = cost;
            }
        }
    }
    const int64_t unit = parallel_axis(output) == view_width ? Tile(best).columns : 1;
    const int64_t parts = fine_parts(ceil_divided(output[parallel_axis(output)].extent, unit),
                                     output[view_batch].extent * groups_for_threads(group),
                                     modelled_outputs(output) * output_cycles_of({group, best, target}), target);
    set_knob(best, "parts", parts);
    return best;
}

// What the others take by their own models.
double cycles_of_others(const StageGroup &group, const Target &target) {
    double least = direct::cycles(kernel_request(group, direct::default_schedule(group, target), target));
    if (!winograd::refusal(group, target) && !winograd::reluctance(group, target)) {
        const Schedule schedule = winograd::default_schedule(group, target);
        least = std::min(least, winograd::cycles(kernel_request(group, schedule, target)));
    }
    return least;
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    const double own = cycles(kernel_request(group, default_schedule(group, target), target));
    if (own < cycles_of_others(group, target)) return std::nullopt;
    return "vectors of output channels take less time";
}

// Packed weights: lane of the input channels summed at a time, block of these, taps, output channel, group.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    const int64_t at_a_time = Tile(request.schedule).vectors * channel_block(stage, request.target);
    return single_stage_arguments(request.group, stage.groups,
                                  {at_a_time, input_channels(stage) / at_a_time, taps(view_width), taps(view_height),
                                   taps(view_depth), group_channels(stage), stage.groups},
                                  group_channels(stage), false);
}

// ---- the kernel

class Dot : public KernelGenerator<Dot> {
public:
    GeneratorParam<int> vectors{"vectors", 1}, channels{"channels", 1}, columns{"columns", 1}, parts{"parts", 1};

    void generate() {
        constrain_buffers();
        lanes_ = size(channel_block(stage(), request().target));
        const Axis ax = stage_axis(stage(), view_width), ay = stage_axis(stage(), view_height),
                   az = stage_axis(stage(), view_depth);
        placed_ = placements(false);
        source_ = copies_input() ? with_border(x(), stage(), placed_) : in_place(x(), placed_);
        const int at_a_time = lanes_ * vectors;
        r_ = RDom(0, size(input_channels(stage())) / at_a_time, 0, size(ax.kernel), 0, size(ay.kernel), 0,
                  size(az.kernel), "r");
        const Expr ix = under_tap(v_.x, r_[1], ax), iy = under_tap(v_.y, r_[2], ay), iz = under_tap(v_.z, r_[3], az);
        Expr product = parameter(Parameter::Role::weight)(u_, r_[0], r_[1], r_[2], r_[3], v_.c, v_.g) *
                       source_(r_[0] * at_a_time + u_, v_.g, ix, iy, iz, v_.n);
        if (!copies_input()) {
            if (placed_[1].padded) r_.where(within(iy, placed_[1]));
            if (placed_[2].padded) r_.where(within(iz, placed_[2]));
            // The select is round the product: NaN or infinity times padding contributes nothing.
            if (placed_[0].padded) product = Halide::select(within(ix, placed_[0]), Halide::likely(product), 0.0f);
        }
        partial_(u_, v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = 0.0f;
        partial_(u_, v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += product;
        lane_ = RDom(0, lanes_, "lane");
        Expr lane_sum = partial_(lane_, v_.c, v_.g, v_.x, v_.y, v_.z, v_.n);
        for (int i = 1; i < vectors; i++) lane_sum += partial_(i * lanes_ + lane_, v_.c, v_.g, v_.x, v_.y, v_.z, v_.n);
        sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = start_of_sum(v_);
        sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += lane_sum;
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = finish_sum(sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_);
    }

    void schedule() {
        const Var task("task"), tile = schedule_output(task);
        for (Func func : {sum_, partial_}) {
            func.compute_at(output(), tile).bound_extent(v_.c, channels).bound_extent(v_.x, columns);
            for (const Var &var : {v_.g, v_.y, v_.z, v_.n}) func.bound_extent(var, 1);
            func.unroll(v_.c).unroll(v_.x);
        }
        sum_.update().reorder(lane_.x, v_.c, v_.x).atomic().vectorize(lane_.x).unroll(v_.c).unroll(v_.x);
        partial_.bound_extent(u_, lanes_ * vectors).vectorize(u_, lanes_).unroll(u_);
        partial_.update().reorder({u_, v_.c, v_.x, r_[0], r_[1], r_[2], r_[3]}).vectorize(u_, lanes_).unroll(u_);
        partial_.update().unroll(v_.c).unroll(v_.x);
        if (copies_input()) {
            const View view = with_channels(arguments()[0].view, size(input_channels(stage())));
            schedule_strip(source_, output(), task, lanes(), view);
        }
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    bool copies_input() const { return has_padding(stage()) && !pads_with_zeros(stage()); }

    // Cuts the output into tasks and register tiles; returns the loop in which one tile is computed.
    Var schedule_output(const Var &task) {
        Var co("co"), ci("ci"), xo("xo"), xi("xi"), part("part");
        Func y = output();
        y.split(v_.c, co, ci, channels, TailStrategy::RoundUp);
        split_parts(y, arguments().back().view, parts, columns, part);
        y.split(v_.x, xo, xi, columns, TailStrategy::ShiftInwards);
        make_tasks(y, {ci, xi, co, xo, v_.y, v_.z}, task_loops({part}, v_.g, v_.n, groups_share_lines(request().group)),
                   task);
        y.unroll(ci).unroll(xi).never_partition({co, xo, v_.y, v_.z, task});
        return co;
    }

    ActivationVars v_;
    Var u_{"u"};  // one of the input channels summed at a time
    RDom r_, lane_;
    Placements placed_;
    Func source_{"source"}, partial_{"partial"}, sum_{"sum"};
    int lanes_ = 1;
};

// ---- weight packing

class DotPack : public PackGenerator<DotPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const int lanes = static_cast<int>(channel_block(stage(), request().target));
        const int at_a_time = knob("vectors") * lanes;
        Var u("u"), i("i"), kx("kx"), ky("ky"), kz("kz"), c("c"), g("g");
        packed(u, i, kx, ky, kz, c, g) = raw(raw_weight(stage(), {kx, ky, kz}, g, i * at_a_time + u, c));
    }
};

}  // namespace

Algorithm dot_algorithm() {
    return {"dot",     "few output channels: dot products over vectors of input channels",
            refusal,   knobs,
            conflict,  default_schedule,
            arguments, nullptr,
            1,         reluctance,
            nullptr,   nullptr,
            cycles};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Dot, dot)
HALIDE_REGISTER_GENERATOR(convc::DotPack, dot_pack)
