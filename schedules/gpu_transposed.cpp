// gpu_transposed: transposed convolution on a GPU, one small convolution a stride phase.
//
// Idea. As transposed.cpp, whose derivation of the phases it uses: an output o = q s + phase sums over the taps of its
// phase alone, so no zero is inserted or multiplied. A block of threads computes one phase along height and depth: its
// threads take the same taps, and nothing diverges. Along the width a thread computes all phases of `columns` positions
// q, one after another, for `vector` output channels, as in gpu_direct.cpp: neighbouring outputs, stored together.
// Inputs and weights come through L1. A load outside the input is a select.
//
// Halide's bounds inference knows intervals: of the remainders of several outputs along the width it would compute all
// phases anyway, and of several rows all along the height, so there are no tiles of rows.
#include <array>

#include "schedules/algorithms.h"
#include "schedules/gpu_block.h"
#include "schedules/group_generator.h"
#include "schedules/padding.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

constexpr std::array<ViewAxis, 3> space{view_width, view_height, view_depth};
constexpr int64_t most_sums = 64;  // of a thread, all phases included: with what they are made of, they have to fit 255
                                   // registers

// ---- applicability, knobs, default

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    if (group.stage(0).kind != StageKind::transposed) return "computes transposed convolutions";
    for (const ViewAxis axis : space) {
        if (!is_indexable(group, axis)) return "indexes no more than 2^29 positions";
    }
    return std::nullopt;
}

// The output, of positions in place of pixels.
View positions_view(const StageGroup &group) {
    View view = grouped_output(group);
    for (const ViewAxis axis : space) {
        if (view[axis].extent.known()) view[axis].extent = phased_axis(group, axis).positions;
    }
    return view;
}

int64_t most_along(const View &positions, ViewAxis axis, int64_t most) {
    return positions[axis].extent.known() ? std::min<int64_t>(positions[axis].extent, most) : most;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &) {
    const View positions = positions_view(group);
    std::vector<Knob> all{
        {"vector", "neighbouring output channels of a thread", 1, 4},
        {"columns", "neighbouring positions of a row of a thread", 1, most_along(positions, view_width, 16)}};
    for (const Knob &knob : thread_knobs()) all.push_back(knob);
    all.push_back({"unroll", "input channels in one turn of the inner loop", 1,
                   std::min<int64_t>(input_channels(group.stage(0)), 8)});
    return all;
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const auto value = [&](const char *name) { return *request.schedule.knob(name); };
    if (auto reason = block_conflict(request.schedule)) return reason;
    if (value("vector") == 3) return Conflict{ConflictKind::shape, "there are no loads of three numbers"};
    if (value("vector") > 1 && value("vector") / 2 >= group_channels(stage)) {
        return Conflict{ConflictKind::shape, "the vector exceeds the channels of a group"};
    }
    if (input_channels(stage) % value("unroll") != 0) {
        return Conflict{ConflictKind::division, "unroll does not divide the input channels of a group"};
    }
    if (value("vector") * value("columns") > most_sums) {
        return Conflict{ConflictKind::registers, "a thread's sums exceed its registers"};
    }
    return std::nullopt;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const View positions = positions_view(group);
    const int64_t channels = group_channels(stage), width = modelled_extent(positions, view_width);
    const int64_t vector = channels_in_vector(channels);
    const auto enough = static_cast<double>(gpu_facts(target).multiprocessors * 256);
    const double outputs = modelled_outputs(grouped_output(group)) / static_cast<double>(vector);
    int64_t columns = 1;
    for (const int64_t more : {2, 4}) {
        if (more <= width && outputs / static_cast<double>(more) >= enough) columns = more;
    }
    int64_t unroll = 1;
    for (const int64_t more : {2, 4}) {
        if (input_channels(stage) % more == 0) unroll = more;
    }
    const ThreadBlock threads = thread_block({ceil_divided(channels, vector) * stage.groups,
                                              ceil_divided(width, columns), modelled_extent(positions, view_height)},
                                             !channels_lie_densely(positions), 128);
    return {"gpu_transposed",
            {{"vector", vector},
             {"columns", columns},
             {"channel_threads", threads.channels},
             {"column_threads", threads.columns},
             {"row_threads", threads.rows},
             {"unroll", unroll}}};
}

// Packed weights: channel in the group, group, input channel, taps.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const int64_t vector = *request.schedule.knob("vector");
    const int64_t channels = ceil_divided(group_channels(stage), vector) * vector;
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    return single_stage_arguments(
        request.group, stage.groups,
        {channels, stage.groups, input_channels(stage), taps(view_width), taps(view_height), taps(view_depth)},
        channels, leaves_input(request.group));
}

// ---- the kernel

class GpuTransposed : public KernelGenerator<GpuTransposed> {
public:
    GeneratorParam<int> vector{"vector", 1}, columns{"columns", 1}, unroll{"unroll", 1};
    GeneratorParam<int> channel_threads{"channel_threads", 1}, column_threads{"column_threads", 1},
        row_threads{"row_threads", 1};

    void generate() {
        constrain_buffers();
        Halide::Region bounds(6, Halide::Range{Expr(), Expr()});
        for (size_t i = 0; i < space.size(); i++) {
            axes_[i] = phased_axis(request().group, space[i]);
            const bool known = axes_[i].input != runtime_extent;
            extent_[i] = known ? Expr(size(axes_[i].input)) : Expr(x().dim(static_cast<int>(space[i])).extent());
            if (axes_[i].leaves_input()) bounds[space[i]] = {0, extent_[i]};
        }
        source_ = Halide::BoundaryConditions::constant_exterior(Func(x()), 0.0f, bounds);
        define_sum();
        // The output at o is the sum at phase o % stride, position o / stride.
        std::vector<Expr> at{v_.c, v_.g};
        const std::array<Var, 3> o{v_.x, v_.y, v_.z};
        for (size_t i = 0; i < space.size(); i++) at.push_back(axes_[i].position(Expr(o[i])));
        for (size_t i = 0; i < space.size(); i++) at.push_back(axes_[i].phase(Expr(o[i]), space[i]));
        at.emplace_back(v_.n);
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = finish_sum(phases_(at), v_);
    }

    void schedule() {
        const View view = arguments().back().view;
        const std::array<Var, 3> o{v_.x, v_.y, v_.z};
        for (size_t i = 0; i < space.size(); i++) {
            const bool whole = view[space[i]].extent.known() && view[space[i]].extent % axes_[i].phases == 0;
            output().split(o[i], q_[i], phase_[i], size(axes_[i].phases),
                           whole ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
        }
        const Var thread = spread_over_threads(
            output(), {v_.c, v_.g, q_[0], q_[1], q_[2], v_.n, {phase_[1], phase_[2]}, {phase_[0]}},
            positions_view(request().group), {vector, columns, 1, request().target.gpu == Gpu::cuda},
            {channel_threads, column_threads, row_threads});
        phases_.compute_at(output(), thread).reorder(v_.c, q_[0], phase_[0]);
        sum_.compute_at(phases_, phase_[0]);
        const int phases = size(axes_[0].phases);
        const bool in_registers = phases * columns * vector <= size(most_sums);
        phases_.bound_extent(phase_[0], phases);
        sum_.bound_extent(phase_[0], 1);
        for (Func tile : {phases_, sum_}) {
            tile.bound_extent(v_.c, vector).bound_extent(q_[0], columns);
            for (const Var &var : {phase_[1], phase_[2], q_[1], q_[2], v_.g, v_.n}) tile.bound_extent(var, 1);
            tile.unroll(v_.c).unroll(q_[0]).never_partition_all();
        }
        sum_.store_in(Halide::MemoryType::Register);
        if (in_registers) phases_.unroll(phase_[0]).store_in(Halide::MemoryType::Register);
        if (in_registers) output().unroll(phase_[0]);
        if (leaves_input(request().group)) {
            flag_.compute_at(output(), thread).store_in(Halide::MemoryType::Register);
            schedule_update(sum_.update().specialize(flag_() > 0.0f));
        }
        schedule_update(sum_.update());
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    // sum(channel, group, position and phase along each axis, image)
    void define_sum() {
        r_ = RDom(0, size(input_channels(stage())), 0, size(axes_[0].taps), 0, size(axes_[1].taps), 0,
                  size(axes_[2].taps), "r");
        std::array<Expr, 3> tap, input;
        Expr inside = Halide::Internal::const_true();
        for (size_t i = 0; i < space.size(); i++) {
            const PhasedAxis &axis = axes_[i];
            const Expr of_phase = phase_[i], t = r_[static_cast<int>(i) + 1];
            tap[i] = axis.first_tap(of_phase) + t * size(axis.tap_step);
            if (axis.common > 1) r_.where((of_phase + size(axis.pad)) % size(axis.common) == 0);
            if (!axis.has_equal_phases()) r_.where(tap[i] < size(axis.kernel));
            input[i] = q_[i] + axis.offset(of_phase, t);
            if (axis.leaves_input()) inside = inside && input[i] >= 0 && input[i] < extent_[i];
        }
        Expr weight = parameter(Parameter::Role::weight)(v_.c, v_.g, r_[0], tap[0], tap[1], tap[2]);
        if (leaves_input(request().group)) {
            flag_() = Halide::cast<float>(nonfinite());  // as in gpu_direct.cpp
            weight = Halide::select(flag_() > 0.0f && !inside, 0.0f, weight);
        }
        const Expr product = weight * source_(r_[0], v_.g, input[0], input[1], input[2], v_.n);
        const std::vector<Var> all{v_.c, v_.g, q_[0], q_[1], q_[2], phase_[0], phase_[1], phase_[2], v_.n};
        sum_(all) = start_of_sum(v_);
        const std::vector<Expr> here(all.begin(), all.end());
        sum_(here) += product;
        phases_(all) = sum_(here);
    }

    void schedule_update(Halide::Stage update) {
        RVar ro("ro"), ri("ri");
        update.split(r_[0], ro, ri, unroll).reorder({v_.c, q_[0], ri, ro, r_[1], r_[2], r_[3]});
        update.unroll(q_[0]).unroll(ri);
        if (vector > 1)
            update.vectorize(v_.c);
        else
            update.unroll(v_.c);
    }

    ActivationVars v_;
    std::array<Var, 3> q_{Var("qx"), Var("qy"), Var("qz")};
    std::array<Var, 3> phase_{Var("px"), Var("py"), Var("pz")};
    std::array<PhasedAxis, 3> axes_{};
    std::array<Expr, 3> extent_;  // of the input
    RDom r_;
    Func source_{"source"}, sum_{"sum"}, phases_{"phases"}, flag_{"flag"};
};

// ---- weight packing

class GpuTransposedPack : public PackGenerator<GpuTransposedPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const int channels = static_cast<int>(group_channels(stage()));
        Var c("c"), g("g"), i("i"), kx("kx"), ky("ky"), kz("kz");
        const Expr weight = raw(raw_weight(stage(), {kx, ky, kz}, g, i, Halide::min(c, channels - 1)));
        packed(c, g, i, kx, ky, kz) = Halide::select(c < channels, weight, 0.0f);
    }
};

}  // namespace

Algorithm gpu_transposed_algorithm() {
    Algorithm row{"gpu_transposed", "one small convolution a stride phase, a phase a block",
                  refusal,          knobs,
                  conflict,         default_schedule,
                  arguments};
    row.on_gpu = true;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::GpuTransposed, gpu_transposed)
HALIDE_REGISTER_GENERATOR(convc::GpuTransposedPack, gpu_transposed_pack)
