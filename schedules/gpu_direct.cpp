// gpu_direct: convolution on a GPU as a sum over taps, dense, grouped or depthwise, inputs and weights read through L1.
//
// Idea. A thread computes a register tile: `vector` neighbouring output channels for `columns` x `rows` pixels. The
// threads of a warp differ in what lies densely first. In channels-last layouts that is channels: an input channel is
// one broadcast for all threads of a group, and the weights that a warp loads are consecutive, 16 bytes a thread. In
// channels-first ones it is pixels, and the weights are the broadcast. This is the classical mapping of implicit GEMM
// (Chetlur et al., "cuDNN: Efficient Primitives for Deep Learning", arXiv 1410.0759) without its shared memory: where
// the reduction is short (1x1, few channels a group, depthwise) L1 serves as well, and no thread waits for another
// (docs/gpu.md has the measurements).
//
// Taps that share inputs. With `shared_taps`, a row (1) or a plane (2) of taps is unrolled, and the inputs under it are
// loaded into registers once: 3 taps and 4 columns need 6 inputs, not 12.
//
// Padding. A load outside the input is a select. Where some weight is NaN or infinite, which zeros of padding would
// turn into NaN, a second loop leaves the border out (group_generator.h, nonfinite()).
//
// A shuffle before or behind it is folded in (folded_shuffle.h).
#include "schedules/algorithms.h"
#include "schedules/folded_shuffle.h"
#include "schedules/gpu_block.h"
#include "schedules/group_generator.h"
#include "schedules/knob_values.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::Var;

constexpr int64_t most_sums = 64;        // of a thread: with what they are made of, they have to fit 255 registers
constexpr int64_t most_unrolled = 2048;  // multiply-adds of a thread's loop body: more take ptxas seconds
constexpr int64_t most_literal_taps = 1024;
constexpr int64_t most_loaded = 64;  // inputs that a thread holds at once

// ---- applicability

std::optional<std::string> refusal_of_convolution(const StageGroup &group) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::shuffle) return "does not shuffle channels alone";
    if (stage.kind == StageKind::transposed) return "does not compute transposed convolutions";
    if (stage.weights && stage.kernel_volume() > most_literal_taps) return "writes out no more than 1024 constant taps";
    return std::nullopt;
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (group.count == 1) return refusal_of_convolution(group);
    if (auto reason = fold_refusal(group)) return reason;
    return refusal_of_convolution(convolution_of(group));
}

// ---- knobs

struct Tile {
    int64_t vector, columns, rows, unroll, shared_taps;

    explicit Tile(const Schedule &schedule)
        : vector(*schedule.knob("vector")),
          columns(*schedule.knob("columns")),
          rows(*schedule.knob("rows")),
          unroll(*schedule.knob("unroll")),
          shared_taps(*schedule.knob("shared_taps")) {}

    // Taps in one body along width or height.
    int64_t taps(const Stage &stage, ViewAxis axis) const {
        const bool unrolled = shared_taps > (axis == view_width ? 0 : 1);
        return unrolled && axis != view_depth ? stage_axis(stage, axis).kernel : 1;
    }
    // Inputs along an axis that the body reads for one channel.
    int64_t span(const Stage &stage, ViewAxis axis) const {
        const Axis geometry = stage_axis(stage, axis);
        const int64_t outputs = axis == view_width ? columns : axis == view_height ? rows : 1;
        return (outputs - 1) * geometry.stride + (taps(stage, axis) - 1) * geometry.dilation + 1;
    }
};

int64_t padded_channels(const Stage &stage, int64_t vector) {
    return ceil_divided(group_channels(stage), vector) * vector;
}

// Extents of the output that tiles may cover.
int64_t most_along(const View &output, ViewAxis axis, int64_t most) {
    return output[axis].extent.known() ? std::min<int64_t>(output[axis].extent, most) : most;
}

std::vector<Knob> knobs(const StageGroup &whole, const Target &) {
    const StageGroup group = convolution_of(whole);
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    std::vector<Knob> all{
        {"vector", "neighbouring output channels of a thread", 1, 4},
        {"columns", "neighbouring pixels of a row of a thread", 1, most_along(output, view_width, 16)},
        {"rows", "rows of pixels of a thread", 1, most_along(output, view_height, 8)}};
    for (const Knob &knob : thread_knobs()) all.push_back(knob);
    all.push_back(
        {"unroll", "input channels in one turn of the inner loop", 1, std::min<int64_t>(input_channels(stage), 8)});
    all.push_back({"shared_taps", "1: the taps of a row share the inputs they load; 2: all taps of a plane", 0, 2});
    return with_stages_knob(whole, all);
}

std::optional<Conflict> conflict(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const Stage &stage = request.group.stage(0);
    const Tile tile(request.schedule);
    if (auto reason = block_conflict(request.schedule)) return reason;
    if (tile.vector == 3) return Conflict{ConflictKind::shape, "there are no loads of three numbers"};
    if (tile.vector > 1 && tile.vector / 2 >= group_channels(stage)) {
        return Conflict{ConflictKind::shape, "the vector exceeds the channels of a group"};
    }
    if (input_channels(stage) % tile.unroll != 0) {
        return Conflict{ConflictKind::division, "unroll does not divide the input channels of a group"};
    }
    const int64_t sums = tile.vector * tile.columns * tile.rows;
    const int64_t loaded = tile.unroll * tile.span(stage, view_width) * tile.span(stage, view_height);
    if (sums > most_sums || loaded > most_loaded) {
        return Conflict{ConflictKind::registers, "a thread's sums and inputs exceed its registers"};
    }
    const int64_t body = sums * tile.unroll * tile.taps(stage, view_width) * tile.taps(stage, view_height);
    if (body > most_unrolled) return Conflict{ConflictKind::shape, "a thread's loop body is too long"};
    return std::nullopt;
}

// Of a thread: as many as leave enough threads to fill the GPU.
int64_t default_columns(const StageGroup &group, const Target &target, int64_t vector) {
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const int64_t width = modelled_extent(output, view_width);
    const int64_t taps = stage.kernel_volume() * input_channels(stage);
    const double threads_of_one_column = modelled_outputs(output) / static_cast<double>(vector);
    // Addresses of run-time extents take registers: 7 x 4 sums spilled beside them.
    const int64_t most = group.input().has_runtime_extent() ? 16 : 32;
    int64_t columns = 1;
    // The better ones last: of 96 channels at 56 x 56, a 7x7 took 4.8 us with 8, 4.4 with 7. 14 serve wide kernels:
    // 31x31 took 33 us with them, 45 with 8.
    for (const int64_t more : {2, 4, 8, 7, 14}) {
        const bool divides = width % more == 0 || (more % 7 != 0 && width >= 4 * more);
        const bool is_wide = more <= 8 || stage_axis(stage, view_width).kernel > more;
        // Of sums that are long enough, a thread has several at once, and hides latency by itself.
        const int64_t enough = vector * more * taps >= 1000 ? 128 : 256;
        const auto threads = static_cast<double>(more * enough * gpu_facts(target).multiprocessors);
        if (more <= width && vector * more <= most && divides && is_wide && threads_of_one_column >= threads) {
            columns = more;
        }
    }
    return columns;
}

Schedule default_of_convolution(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const int64_t channels = group_channels(stage), width = modelled_extent(output, view_width);
    const int64_t vector = channels_in_vector(channels);
    const int64_t columns = default_columns(group, target, vector);
    int64_t unroll = 1;
    for (const int64_t more : {2, 4}) {
        if (input_channels(stage) % more == 0) unroll = more;
    }
    const int64_t pieces_of_channels = ceil_divided(channels, vector) * stage.groups;
    const ThreadBlock threads =
        thread_block({pieces_of_channels, ceil_divided(width, columns), modelled_extent(output, view_height)},
                     !channels_lie_densely(output), 128);
    Schedule schedule{"gpu_direct",
                      {{"vector", vector},
                       {"columns", columns},
                       {"rows", 1},
                       {"channel_threads", threads.channels},
                       {"column_threads", threads.columns},
                       {"row_threads", threads.rows},
                       {"unroll", unroll},
                       {"shared_taps", 2}}};
    int64_t &shared_taps = schedule.knobs.back().second;
    while (shared_taps > 0 && (conflict({group, schedule, target}) || stage.kernel_volume() == 1)) shared_taps--;
    // Of a picture's 3 channels at once, the 7x7 of stride 2 took 11.0 us, one by one 14.0. A plane of taps is enough.
    if (shared_taps == 1 && input_channels(stage) == 3) {
        Schedule all_channels = schedule;
        set_knob(all_channels, "unroll", 3);
        if (!conflict({group, all_channels, target})) return all_channels;
    }
    return schedule;
}

Schedule default_schedule(const StageGroup &whole, const Target &target) {
    return with_stages_knob(whole, default_of_convolution(convolution_of(whole), target));
}

// Packed weights: channel in the group, group, input channel, taps.
std::vector<KernelArgument> arguments(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const Stage &stage = request.group.stage(0);
    const int64_t channels = padded_channels(stage, *request.schedule.knob("vector"));
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    std::vector<KernelArgument> all = single_stage_arguments(
        request.group, stage.groups,
        {channels, stage.groups, input_channels(stage), taps(view_width), taps(view_height), taps(view_depth)},
        channels, pads_with_zeros(stage) && !stage.weights);
    fold_views(whole.group, all);
    return all;
}

// ---- the kernel

class GpuDirect : public KernelGenerator<GpuDirect> {
public:
    GeneratorParam<int> vector{"vector", 1}, columns{"columns", 1}, rows{"rows", 1}, unroll{"unroll", 1};
    GeneratorParam<int> channel_threads{"channel_threads", 1}, column_threads{"column_threads", 1},
        row_threads{"row_threads", 1}, shared_taps{"shared_taps", 0}, stages{"stages", 1};

    void generate() {
        constrain_buffers();
        folded_ = folded_shuffle(request().group);
        const Stage &s = convolution();
        const Axis ax = stage_axis(s, view_width), ay = stage_axis(s, view_height), az = stage_axis(s, view_depth);
        const Placements placed = placements(has_runtime_space(arguments().back().view), folded_.convolution);
        source_ = with_border(input_of_groups(x(), folded_, size(input_channels(s))), s, placed);
        if (s.weights) return define_literal();
        r_ = RDom(0, size(input_channels(s)), 0, size(ax.kernel), 0, size(ay.kernel), 0, size(az.kernel), "r");
        const Expr x_at = under_tap(v_.x, r_[1], ax), y_at = under_tap(v_.y, r_[2], ay),
                   z_at = under_tap(v_.z, r_[3], az);
        Expr weight = parameter(Parameter::Role::weight, folded_.convolution)(v_.c, v_.g, r_[0], r_[1], r_[2], r_[3]);
        if (selects()) {
            // A Func of each thread: of the parameter itself, Halide would work out on the host, where it is not, which
            // loads the loops below need.
            flag_() = Halide::cast<float>(nonfinite());
            const Expr inside = within(x_at, placed[0]) && within(y_at, placed[1]) && within(z_at, placed[2]);
            weight = Halide::select(flag_() > 0.0f && !inside, 0.0f, weight);
        }
        const Expr product = weight * source_(r_[0], v_.g, x_at, y_at, z_at, v_.n);
        sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = start_of_sum(v_, folded_.convolution);
        sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) += product;
        define_output();
    }

    void schedule() {
        const Var thread = spread_over_threads(output(), {v_.c, v_.g, v_.x, v_.y, v_.z, v_.n}, arguments().back().view,
                                               {vector, columns, rows, request().target.gpu == Gpu::cuda},
                                               {channel_threads, column_threads, row_threads});
        sum_.compute_at(output(), thread).store_in(Halide::MemoryType::Register);
        sum_.bound_extent(v_.c, vector).bound_extent(v_.x, columns).bound_extent(v_.y, rows);
        for (const Var &var : {v_.g, v_.z, v_.n}) sum_.bound_extent(var, 1);
        vectorize_channels(sum_);
        sum_.unroll(v_.x).unroll(v_.y).never_partition_all();
        if (convolution().weights) return;
        if (selects()) {
            flag_.compute_at(output(), thread).store_in(Halide::MemoryType::Register);
            schedule_update(sum_.update().specialize(flag_() > 0.0f));
        }
        schedule_update(sum_.update());
        if (stages_inputs()) schedule_source();
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }
    const Stage &convolution() const { return stage(folded_.convolution); }
    bool selects() const { return pads_with_zeros(convolution()); }

    // Constant weights: the sum written out, zero taps left out.
    void define_literal() {
        const Stage &s = convolution();
        const Axis ax = stage_axis(s, view_width), ay = stage_axis(s, view_height), az = stage_axis(s, view_depth);
        Expr sum = start_of_sum(v_, folded_.convolution);
        for (int64_t i = 0; i < s.kernel_volume(); i++) {
            const int64_t at = s.flip ? s.kernel_volume() - 1 - i : i;
            const auto weight = static_cast<float>((*s.weights)[static_cast<size_t>(at)]);
            if (weight == 0.0f) continue;
            sum += weight * source_(0, v_.g, under_tap(v_.x, size(i % ax.kernel), ax),
                                    under_tap(v_.y, size(i / ax.kernel % ay.kernel), ay),
                                    under_tap(v_.z, size(i / ax.kernel / ay.kernel), az), v_.n);
        }
        sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = sum;
        define_output();
    }

    void define_output() {
        Func y = output();
        y(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            finish_sum(sum_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_, folded_.convolution);
    }

    void vectorize_channels(Func func) const {
        if (vector > 1)
            func.vectorize(v_.c);
        else
            func.unroll(v_.c);
    }

    void schedule_update(Halide::Stage update) {
        update.split(r_[0], ro_, ri_, unroll);
        std::vector<Halide::VarOrRVar> order{v_.c, v_.x, v_.y, ri_};
        const int unrolled = shared_taps;
        for (int axis = 1; axis <= unrolled; axis++) order.emplace_back(r_[axis]);
        order.emplace_back(ro_);
        for (int axis = unrolled + 1; axis <= 3; axis++) order.emplace_back(r_[axis]);
        update.reorder(order).unroll(v_.x).unroll(v_.y).unroll(ri_);
        for (int axis = 1; axis <= unrolled; axis++) update.unroll(r_[axis]);
        if (vector > 1)
            update.vectorize(v_.c);
        else
            update.unroll(v_.c);
    }

    // Of pixels that lie apart under a stride, some would be loaded in vain.
    bool stages_inputs() const {
        const Axis ax = stage_axis(convolution(), view_width), ay = stage_axis(convolution(), view_height);
        const auto dense = [](const Axis &axis, int outputs, bool unrolled) {
            return outputs == 1 && !unrolled ? true
                   : unrolled                ? axis.dilation <= axis.stride || outputs == 1
                                             : axis.stride == 1;
        };
        return dense(ax, columns, shared_taps > 0) && dense(ay, rows, shared_taps > 1);
    }

    void schedule_source() {
        source_.compute_at(sum_, ro_).store_in(Halide::MemoryType::Register);
        const std::vector<Var> args = source_.args();
        const Tile tile(request().schedule);
        source_.bound_extent(args[view_channel], unroll);
        for (const ViewAxis axis : {view_width, view_height, view_depth}) {
            source_.bound_extent(args[axis], size(tile.span(convolution(), axis)));
            source_.unroll(args[axis]);
        }
        source_.bound_extent(args[view_group], 1).bound_extent(args[view_batch], 1);
        const bool dense =
            arguments().front().view[view_channel].stride == 1 && folded_.fold != FoldedShuffle::Fold::input_indices;
        // OpenCL's vectors of three numbers take the room of four, and of five there are none.
        const bool is_vector = unroll == 2 || unroll == 4 || unroll == 8;
        if (dense && is_vector)
            source_.vectorize(args[view_channel]);
        else
            source_.unroll(args[view_channel]);
        source_.never_partition_all();
    }

    ActivationVars v_;
    RDom r_;
    RVar ro_{"ro"}, ri_{"ri"};
    Func source_{"source"}, sum_{"sum"}, flag_{"flag"};
    FoldedShuffle folded_;
};

// ---- weight packing

class GpuDirectPack : public PackGenerator<GpuDirectPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const Stage &s = convolution_of(request()).group.stage(0);
        const int channels = static_cast<int>(group_channels(s));
        Var c("c"), g("g"), i("i"), kx("kx"), ky("ky"), kz("kz");
        const Expr input = folded_shuffle(request().group).packed_input(Expr(i));
        const Expr weight = raw(raw_weight(s, {kx, ky, kz}, g, input, output_channel(Halide::min(c, channels - 1))));
        packed(c, g, i, kx, ky, kz) = Halide::select(c < channels, weight, 0.0f);
    }

    // Of bias and scale, like the filters.
    Expr output_channel(const Expr &at) const { return folded_shuffle(request().group).packed_filter(at); }
};

}  // namespace

Algorithm gpu_direct_algorithm() {
    Algorithm row{"gpu_direct", "a sum over taps in a register tile of each thread, inputs through L1",
                  refusal,      knobs,
                  conflict,     default_schedule,
                  arguments};
    row.notes = fold_notes;
    row.most_stages = 2;
    row.on_gpu = true;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::GpuDirect, gpu_direct)
HALIDE_REGISTER_GENERATOR(convc::GpuDirectPack, gpu_direct_pack)
