// col2im: a transposed convolution with few output channels, as a matrix product and a sum over its columns.
//
// Idea. A pixel of the input adds to an output of every tap and channel. With few output channels (three colours) these
// taps x channels fill vectors, where the channels alone do not: 4x4 to 3 channels is 48 numbers, three vectors of 16.
// So the products are one 1x1 convolution of the input with a channel each (a "column", of caffe's im2col, whose
// inverse this sums by: Chellapilla et al., "High Performance Convolutional Neural Networks for Document Processing",
// 2006), in the register tile of direct.cpp and without any shuffle. Then each output adds up the columns that meet it,
// kernel / stride of them along each axis. Their indices are those of transposed.cpp. That sum is one load an addition,
// and nothing is gathered or interleaved: 4x4 stride 2 of 64 channels to 3 at 32 x 32 took 0.023 ms on Sapphire Rapids,
// where transposed.cpp took 0.055; 3x3 of 64 channels to 3 at 64 x 64 0.058 and 0.146.
//
// Columns of rows outside the input are zeros; of pixels outside, a select at the first and the last outputs of a row.
#include <algorithm>
#include <array>

#include "schedules/algorithms.h"
#include "schedules/group_generator.h"
#include "schedules/machine_model.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"
#include "schedules/transposed_schedule.h"
#include "schedules/winograd_schedule.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

constexpr std::array<ViewAxis, 3> space{view_width, view_height, view_depth};
constexpr int64_t most_added = 1024;  // columns, in the body that adds them up: all phases of a row, all channels

int64_t columns_of_pixel(const Stage &stage) {
    return stage.kernel_volume() * stage.out_channels;
}

int64_t taps_of_output(const StageGroup &group) {
    int64_t taps = 1;
    for (const ViewAxis axis : space) taps *= phased_axis(group, axis).taps;
    return taps;
}

// Inputs along an axis that a task computes the columns of: along the width all.
int64_t inputs_of_task(const StageGroup &group, ViewAxis along, int64_t parts) {
    const PhasedAxis axis = phased_axis(group, along);
    if (along == view_width) return axis.input;
    return axis.strip(along == part_axis(group) ? ceil_divided(axis.positions, parts) : axis.positions);
}

int64_t most_parts(const StageGroup &group) {
    const ViewAxis axis = part_axis(group);
    return axis == view_width ? 1 : phased_axis(group, axis).positions;
}

// In memory, whole register tiles.
int64_t padded_columns(const KernelRequest &request) {
    const int64_t tile = *request.schedule.knob("vectors") * request.target.vector_lanes();
    return ceil_divided(columns_of_pixel(request.group.stage(0)), tile) * tile;
}

int64_t strip_bytes(const KernelRequest &request) {
    const StageGroup &group = request.group;
    int64_t bytes = padded_columns(request) * static_cast<int64_t>(sizeof(float));
    const int64_t parts = *request.schedule.knob("parts");
    constexpr int64_t many = int64_t{1} << 30;  // times an extent of less than that, no overflow
    for (const ViewAxis axis : space) bytes = std::min(bytes, many) * inputs_of_task(group, axis, parts);
    return bytes;
}

// ---- applicability, knobs, default

std::optional<std::string> refusal(const StageGroup &group, const Target &target) {
    if (auto reason = transposed::refusal(group, target)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.groups > 1) return "computes one group";
    if (transposed::in_tiles(group)) return "needs every extent when it is compiled";
    const int64_t phases = phased_axis(group, view_width).phases;
    if (taps_of_output(group) > most_added / phases / stage.out_channels)
        return "adds up no more than 1024 columns at a time";
    for (const ViewAxis axis : space) {
        if (phased_axis(group, axis).common > 1)
            return "computes dilations that have no divisor in common with the stride";
    }
    return std::nullopt;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    return {{"vectors", "vectors of columns in the register tile", 1,
             std::min<int64_t>(ceil_divided(columns_of_pixel(stage), target.vector_lanes()), 8)},
            {"pixels", "pixels of the input in the register tile", 1,
             std::min<int64_t>(phased_axis(group, view_width).input, 30)},
            {"parts", "parallel parts of the outermost spatial axis", 1, most_parts(group)},
            {"unroll", "input channels in one turn of the inner loop", 1, 16}};
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    constexpr int64_t most_bytes = 1 << 28;
    const Schedule &schedule = request.schedule;
    if (!fits_registers({*schedule.knob("vectors"), *schedule.knob("pixels")}, request.target)) {
        return Conflict{ConflictKind::registers, "the tile and its operands exceed the vector registers"};
    }
    if (input_channels(request.group.stage(0)) % *schedule.knob("unroll") != 0) {
        return Conflict{ConflictKind::division, "unroll does not divide the input channels"};
    }
    if (strip_bytes(request) > most_bytes) {
        return Conflict{ConflictKind::memory, "the columns of a task take more than 2^28 bytes"};
    }
    return std::nullopt;
}

double cycles(const KernelRequest &request) {
    constexpr double added = 0.4;   // a load and an addition, one by one
    constexpr double apart = 0.25;  // a store to another plane for each channel
    const StageGroup &group = request.group;
    const Stage &stage = group.stage(0);
    const RegisterTile tile{*request.schedule.knob("vectors"), *request.schedule.knob("pixels")};
    const int64_t parts = *request.schedule.knob("parts");
    double pixels = static_cast<double>(parts) * modelled_extent(activation_view(group.input(), 1, false), view_batch);
    for (const ViewAxis axis : space) pixels *= static_cast<double>(inputs_of_task(group, axis, parts));
    const View output = activation_view(group.output(), 1, false);
    const double columns = pixels * static_cast<double>(columns_of_pixel(stage));
    const double products =
        columns * static_cast<double>(stage.in_channels) *
        lane_cycles(tile, columns_of_pixel(stage), phased_axis(group, view_width).input, 1, request.target);
    const double an_output =
        static_cast<double>(taps_of_output(group)) * added + (channels_last(group.input().layout) ? 0 : apart);
    const double sums = modelled_outputs(output) * an_output;
    const double share =
        share_of_slowest(most_parts(group), parts, modelled_extent(output, view_batch), request.target);
    return (products + columns * output_cycles(request.target) + sums) * share;
}

// Parts whose columns stay in half of L2.
Schedule default_schedule(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const RegisterTile tile =
        best_register_tile(columns_of_pixel(stage), phased_axis(group, view_width).input, target, 1, 8);
    Schedule schedule{"col2im",
                      {{"vectors", tile.vectors},
                       {"pixels", tile.columns},
                       {"parts", 1},
                       {"unroll", default_unroll(stage.in_channels, tile)}}};
    const int64_t rows = most_parts(group);
    int64_t &parts = schedule.knobs[2].second;
    parts = balanced_parts(rows, modelled_extent(activation_view(group.output(), 1, false), view_batch), target);
    while (parts < rows && strip_bytes({group, schedule, target}) > target.l2_bytes / 2) parts++;
    return schedule;
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    // 2x2 to 64 channels at 56 x 56: 1.36 ms, 0.75 by vectors of pixels.
    constexpr int64_t many_planes = 8;
    if (!channels_last(group.input().layout) && group.stage(0).out_channels > many_planes) {
        return "it would store to many planes in turn";
    }
    const KernelRequest own{group, default_schedule(group, target), target};
    if (conflict(own)) return "its columns would take too much memory";
    double least = transposed::cycles({group, transposed::default_schedule(group, target), target});
    if (!winograd::refusal(group, target) && !winograd::reluctance(group, target)) {
        least = std::min(least, winograd::cycles({group, winograd::default_schedule(group, target), target}));
    }
    if (cycles(own) < least) return std::nullopt;
    return "adding up its columns is expected to take longer than what full vectors save";
}

// Packed weights: column, input channel.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    return single_stage_arguments(request.group, 1, {padded_columns(request), stage.in_channels}, stage.out_channels,
                                  false);
}

// ---- the kernel

class Col2im : public KernelGenerator<Col2im> {
public:
    GeneratorParam<int> vectors{"vectors", 1}, pixels{"pixels", 1}, parts{"parts", 1}, unroll{"unroll", 1};

    void generate() {
        constrain_buffers();
        for (size_t i = 0; i < space.size(); i++) axes_[i] = phased_axis(request().group, space[i]);
        r_ = RDom(0, size(stage().in_channels), "r");
        const Expr inside = within_axis(v_.y, axes_[1]) && within_axis(v_.z, axes_[2]);
        const Expr y = nearest(v_.y, axes_[1]), z = nearest(v_.z, axes_[2]);
        sum_(t_, v_.x, v_.y, v_.z, v_.n) = 0.0f;
        sum_(t_, v_.x, v_.y, v_.z, v_.n) += parameter(Parameter::Role::weight)(t_, r_) * x()(r_, 0, v_.x, y, z, v_.n);
        columns_(t_, v_.x, v_.y, v_.z, v_.n) = Halide::select(inside, sum_(t_, v_.x, v_.y, v_.z, v_.n), 0.0f);
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = finish_sum(start_of_sum(v_) + sum_of_columns(), v_);
    }

    void schedule() {
        const Var task("task");
        Var xo("xo"), xi("xi"), to("to"), ti("ti");
        RVar ro("ro"), ri("ri");
        schedule_output(task);
        const int lanes = this->lanes(), tile = vectors * lanes;
        columns_.compute_at(output(), task).store_in(Halide::MemoryType::Heap);
        columns_.bound(t_, 0, size(arguments()[1].view[0].extent)).bound(v_.x, 0, size(axes_[0].input));
        const std::array<Var, 3> at{v_.x, v_.y, v_.z};
        for (size_t i = 1; i < space.size(); i++) {
            columns_.bound_extent(at[i], size(inputs_of_task(request().group, space[i], parts)));
        }
        columns_.bound_extent(v_.n, 1);
        columns_.split(v_.x, xo, xi, pixels, TailStrategy::ShiftInwards).split(t_, to, ti, tile);
        columns_.reorder({ti, xi, xo, v_.y, to, v_.z, v_.n}).vectorize(ti, lanes).unroll(ti).unroll(xi);
        sum_.compute_at(columns_, xo).bound_extent(t_, tile).bound_extent(v_.x, pixels);
        for (const Var &var : {v_.y, v_.z, v_.n}) sum_.bound_extent(var, 1);
        sum_.vectorize(t_, lanes).unroll(t_).unroll(v_.x);
        sum_.update()
            .split(r_, ro, ri, unroll)
            .reorder({t_, v_.x, ri, ro})
            .vectorize(t_, lanes)
            .unroll(t_)
            .unroll(v_.x)
            .unroll(ri);
        columns_.never_partition_all();
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    static Expr within_axis(const Var &at, const PhasedAxis &axis) {
        if (!axis.leaves_input()) return Halide::Internal::const_true();
        return at >= 0 && at < size(axis.input);
    }
    static Expr nearest(const Var &at, const PhasedAxis &axis) {
        return axis.leaves_input() ? Halide::clamp(Expr(at), 0, size(axis.input) - 1) : Expr(at);
    }

    // The tap of output `at` with index t, and the input that it reads through it.
    struct Tap {
        Expr of_kernel, input, exists = Halide::Internal::const_true();
    };
    Tap tap_of(size_t i, const Var &at, int t) const {
        const PhasedAxis &axis = axes_[i];
        const Expr of_stride = axis.phase(Expr(at), space[i]);
        Tap tap{
            axis.first_tap(of_stride) + t * size(axis.tap_step),
            axis.position(Expr(at)) + Halide::clamp(axis.offset(of_stride, Expr(t)), size(axis.low), size(axis.high))};
        if (!axis.has_equal_phases()) {
            tap.exists = tap.of_kernel < size(axis.kernel);
            tap.of_kernel = Halide::min(tap.of_kernel, size(axis.kernel) - 1);
        }
        return tap;
    }

    Expr sum_of_columns() const {
        Expr all;
        for (int tz = 0; tz < axes_[2].taps; tz++) {
            for (int ty = 0; ty < axes_[1].taps; ty++) {
                for (int tx = 0; tx < axes_[0].taps; tx++) {
                    const Expr one = column({tap_of(0, v_.x, tx), tap_of(1, v_.y, ty), tap_of(2, v_.z, tz)});
                    all = all.defined() ? all + one : one;
                }
            }
        }
        return all;
    }

    Expr column(const std::array<Tap, 3> &tap) const {
        const int kernel_x = size(axes_[0].kernel), kernel_y = size(axes_[1].kernel);
        const Expr of_kernel = (tap[2].of_kernel * kernel_y + tap[1].of_kernel) * kernel_x + tap[0].of_kernel;
        Expr exists = tap[0].exists && tap[1].exists && tap[2].exists;
        Expr x = tap[0].input;
        if (axes_[0].leaves_input()) {
            exists = exists && Halide::likely(x >= 0 && x < size(axes_[0].input));
            x = Halide::clamp(Halide::likely(x), 0, size(axes_[0].input) - 1);
        }
        const Expr value = columns_(of_kernel * size(stage().out_channels) + v_.c, x, tap[1].input, tap[2].input, v_.n);
        return Halide::select(exists, value, 0.0f);
    }

    void schedule_output(const Var &task) {
        Func y = output();
        const View view = arguments().back().view;
        const std::array<Var, 3> o{v_.x, v_.y, v_.z};
        const std::array<Var, 3> q{Var("qx"), Var("qy"), Var("qz")}, of_stride{Var("px"), Var("py"), Var("pz")};
        const Var part("part");
        for (size_t i = 0; i < space.size(); i++) {
            const bool whole = view[space[i]].extent % axes_[i].phases == 0;
            y.split(o[i], q[i], of_stride[i], size(axes_[i].phases),
                    whole ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
        }
        const size_t outermost = part_axis(request().group) - view_width;
        split_evenly(y, q[outermost], size(axes_[outermost].positions), 1, parts, part);
        make_tasks(y, {v_.c, of_stride[0], q[0], of_stride[1], q[1], of_stride[2], q[2]}, {part, v_.g, v_.n}, task);
        y.unroll(v_.c).unroll(of_stride[0]).never_partition({of_stride[1], q[1], of_stride[2], q[2], task});
    }

    ActivationVars v_;
    Var t_{"t"};
    RDom r_;
    std::array<PhasedAxis, 3> axes_{};
    Func sum_{"sum"}, columns_{"columns"};
};

// ---- weight packing

class Col2imPack : public PackGenerator<Col2imPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const Stage &s = stage();
        const int channels = static_cast<int>(s.out_channels), columns = static_cast<int>(columns_of_pixel(s));
        const int kernel_x = static_cast<int>(stage_axis(s, view_width).kernel),
                  kernel_y = static_cast<int>(stage_axis(s, view_height).kernel);
        Var t("t"), i("i");
        const Expr column = Halide::min(t, columns - 1), tap = column / channels;
        const std::vector<Expr> taps{tap % kernel_x, tap / kernel_x % kernel_y, tap / kernel_x / kernel_y};
        packed(t, i) = Halide::select(t < columns, raw(raw_weight(s, taps, 0, i, column % channels)), 0.0f);
    }
};

}  // namespace

Algorithm col2im_algorithm() {
    Algorithm row{"col2im", "a transposed convolution as one matrix product, whose columns are added up",
                  refusal,  knobs,
                  conflict, default_schedule,
                  arguments};
    row.reluctance = reluctance;
    row.cycles = cycles;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Col2im, col2im)
HALIDE_REGISTER_GENERATOR(convc::Col2imPack, col2im_pack)
