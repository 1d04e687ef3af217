// gpu_chain: a depthwise stage and the 1x1 behind it in one kernel on a GPU.
//
// Idea. The 1x1 sums over chunks of its input channels as gpu_tiled does, but what is staged in shared memory for a
// chunk is no copy of an input: it is the depthwise stage's finished output at the pixels of the block, computed by all
// its threads, inputs and weights read through L1. Then each thread sums over the chunk in registers, for 4 output
// channels and `columns` pixels. So what lies between the stages never goes to memory (Qararyah et al., "Fusing
// Depthwise and Pointwise Convolutions for Efficient Inference on GPUs", arXiv 2404.19331). A 1x1 reads no neighbours:
// no halo is computed twice. But blocks along the output channels each stage the same again, so those of many channels
// are best.
//
// Staging. A thread computes `depthwise_columns` neighbouring pixels of a vector of channels at once: they share the
// weights, and the inputs under a row of taps.
//
// Padding is that of the depthwise stage alone: a select at each load and, where some weight is NaN or infinite, a
// second loop that leaves the border out, as in gpu_direct.cpp.
//
// It is the default where the model says so (reluctance()): on an H100, 32 -> 64 channels at 112 x 112 took 5.4 us for
// 8.1 in two kernels, 128 -> 128 at 56 x 56 6.5 for 9.8; 512 -> 512 at 14 x 14 about the same, 144 -> 24 1.2 times.
#include "schedules/algorithms.h"
#include "schedules/gpu_chain_schedule.h"
#include "schedules/gpu_chunks.h"
#include "schedules/group_generator.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using gpu_chain::Tile;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::TailStrategy;
using Halide::Var;

// Packed weights of the depthwise stage: channel, taps. Of the 1x1: output channel, padded to whole blocks, and input
// channel.
View packed_view(const KernelRequest &request, const Parameter &parameter) {
    const Stage &depthwise = request.group.stage(0);
    const int64_t block = Tile(request).block_channels();
    const bool is_first = parameter.stage == request.group.first;
    const int64_t channels =
        is_first ? depthwise.out_channels : ceil_divided(request.group.stage(1).out_channels, block) * block;
    if (parameter.role != Parameter::Role::weight) return dense_view({channels, 1});
    if (!is_first) return dense_view({channels, depthwise.out_channels});
    const auto taps = [&](ViewAxis axis) { return stage_axis(depthwise, axis).kernel; };
    return dense_view({channels, taps(view_width), taps(view_height), taps(view_depth)});
}

std::vector<KernelArgument> arguments(const KernelRequest &request) {
    using Role = KernelArgument::Role;
    const StageGroup &group = request.group;
    std::vector<KernelArgument> all{{Role::input, {}, -1, activation_view(group.input(), 1, false)}};
    for (int i = 0; i < group.count; i++) {
        for (const Parameter &parameter : group.layer->stage_parameters(group.first + i)) {
            all.push_back({Role::parameter, parameter, -1, packed_view(request, parameter)});
        }
    }
    if (pads_with_zeros(group.stage(0))) all.push_back({Role::nonfinite, {}, -1, dense_view({1})});
    for (const int operand : further_tensors(group)) {
        const TensorType &type = group.layer->inputs[static_cast<size_t>(operand)].type;
        all.push_back({Role::operand, {}, operand, activation_view(type, 1, false)});
    }
    all.push_back({Role::output, {}, -1, activation_view(group.output(), 1, false)});
    return all;
}

// ---- the kernel

class GpuChain : public KernelGenerator<GpuChain> {
public:
    GeneratorParam<int> stages{"stages", 2}, columns{"columns", 1}, channel_threads{"channel_threads", 1},
        column_threads{"column_threads", 1}, row_threads{"row_threads", 1}, chunk{"chunk", 1}, split{"split", 1},
        depthwise_columns{"depthwise_columns", 1};

    void generate() {
        constrain_buffers();
        tile_.emplace(request());
        selects_ = pads_with_zeros(stage(0));
        define_depthwise();
        define_pointwise();
    }

    void schedule() {
        const OutputLoops loops{v_.c, v_.g, v_.x, v_.y, v_.z, v_.n};
        const Var block =
            spread_over_blocks(output(), loops, arguments().back().view, *tile_, request().target.gpu == Gpu::cuda);
        keep_sums(sum_, output(), block, loops, s_, *tile_);
        keep_part(part_, sum_, spread_sums(sum_.update(), loops, s_, {chunks_[0]}, *tile_), loops, {s_, k_}, *tile_);
        part_.update().reorder({v_.c, v_.x, r_[0], r_[1]}).vectorize(v_.c).unroll(v_.x).unroll(r_[0]);
        load_staged(staged_, part_, r_[1], tile_->columns, *tile_);
        schedule_taps(schedule_staged());
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }

    void define_depthwise() {
        const Placements placed = placements(true);
        bordered_ = with_border(x(), stage(0), placed);
        taps_ = RDom(0, size(tile_->x.kernel), 0, size(tile_->y.kernel), 0, size(tile_->z.kernel), "taps");
        const Expr x_at = under_tap(v_.x, taps_[0], tile_->x), y_at = under_tap(v_.y, taps_[1], tile_->y),
                   z_at = under_tap(v_.z, taps_[2], tile_->z);
        Expr weight = parameter(Parameter::Role::weight)(v_.c, taps_[0], taps_[1], taps_[2]);
        if (selects_) {
            flag_() = Halide::cast<float>(nonfinite());  // as in gpu_direct.cpp
            const Expr inside = within(x_at, placed[0]) && within(y_at, placed[1]) && within(z_at, placed[2]);
            weight = Halide::select(flag_() > 0.0f && !inside, 0.0f, weight);
        }
        depthwise_(v_.vars()) = start_of_sum(v_);
        depthwise_(v_.exprs()) += weight * bordered_(v_.c, v_.g, x_at, y_at, z_at, v_.n);
        staged_(v_.vars()) = finish_depthwise(depthwise_(v_.exprs()));
    }

    // A block may reach past the end of a row: what is staged there is not used, but no tensor must be read there.
    Expr finish_depthwise(const Expr &sum) {
        const View view = arguments().back().view;
        const auto of_channel = [this](Parameter::Role role) { return Expr(parameter(role)(v_.c, v_.g)); };
        const auto nearest = [&](const Var &position, ViewAxis axis) {
            return Halide::min(position, static_cast<int>(view[axis].extent) - 1);
        };
        EpilogueOperands operands;
        operands.bias = [&] { return of_channel(Parameter::Role::bias); };
        operands.scale = [&] { return of_channel(Parameter::Role::scale); };
        operands.tensor = [&](int index) {
            return operand_at(index, {v_.c, v_.g, nearest(v_.x, view_width), nearest(v_.y, view_height), v_.z, v_.n});
        };
        return for_target(convc::finish_sum(stage(0), sum, operands));
    }

    void define_pointwise() {
        // One number of a vector of channels; vectors of a chunk.
        const int unroll = size(tile_->unroll()), vectors = size(tile_->vectors());
        r_ = RDom(0, unroll, 0, vectors, "r");
        chunks_ = RDom(0, size(stage(0).out_channels / (tile_->chunk * tile_->split)), "chunks");
        const Expr channel = ((k_ * size(tile_->split) + s_) * vectors + r_[1]) * unroll + r_[0];
        const Expr weight = parameter(Parameter::Role::weight, 1)(v_.c, channel);
        const auto with = [this](const std::vector<Expr> &more) {
            std::vector<Expr> all = v_.exprs();
            all.insert(all.end(), more.begin(), more.end());
            return all;
        };
        const auto vars_with = [this](const std::vector<Var> &more) {
            std::vector<Var> all = v_.vars();
            all.insert(all.end(), more.begin(), more.end());
            return all;
        };
        part_(vars_with({s_, k_})) = 0.0f;
        part_(with({s_, k_})) += weight * staged_(channel, v_.g, v_.x, v_.y, v_.z, v_.n);
        sum_(vars_with({s_})) = 0.0f;
        sum_(with({s_})) += part_(with({s_, chunks_[0]}));
        Expr all = start_of_sum(v_, 1);
        for (int i = 0; i < split; i++) all += sum_(with({i}));
        output()(v_.vars()) = finish_sum(all, v_, 1);
    }

    // Returns the loop over a thread's turns.
    Var schedule_staged() {
        Var xo("xo"), xi("xi");
        staged_.compute_at(sum_, chunks_[0]);
        staged_.bound_extent(v_.c, size(tile_->chunk * tile_->split));
        staged_.bound_extent(v_.x, size(tile_->block_columns())).bound_extent(v_.y, row_threads);
        for (const Var &var : {v_.g, v_.z, v_.n}) staged_.bound_extent(var, 1);
        StagedLoops loops{.columns = v_.x,
                          .dense_channels = arguments().front().view[view_channel].stride == 1,
                          .vectors = request().target.gpu == Gpu::cuda};  // epilogues compare: gpu_block.h
        if (depthwise_columns > 1) {
            staged_.split(v_.x, xo, xi, depthwise_columns, TailStrategy::RoundUp);
            loops.columns = xo;
            loops.inner = {xi};
        }
        return spread_staged(staged_, loops, *tile_);
    }

    void schedule_taps(const Var &turn) {
        depthwise_.compute_at(staged_, turn).store_in(Halide::MemoryType::Register);
        depthwise_.bound_extent(v_.c, size(tile_->unroll())).bound_extent(v_.x, depthwise_columns);
        for (const Var &var : {v_.g, v_.y, v_.z, v_.n}) depthwise_.bound_extent(var, 1);
        depthwise_.unroll(v_.x).never_partition_all();
        vectorize_channels(depthwise_, v_.c);
        if (selects_) {
            flag_.compute_at(staged_, turn).store_in(Halide::MemoryType::Register);
            schedule_update(depthwise_.update().specialize(flag_() > 0.0f));
        }
        schedule_update(depthwise_.update());
        if (tile_->loads_row()) schedule_row();
    }

    void schedule_update(Halide::Stage update) {
        update.never_partition_all();
        update.reorder({v_.c, v_.x, taps_[0], taps_[1], taps_[2]}).unroll(v_.x);
        if (tile_->unrolls_row()) update.unroll(taps_[0]);
        if (tile_->unrolls_plane()) update.unroll(taps_[1]);
        vectorize_channels(update, v_.c);
    }

    // The inputs under a row of taps.
    void schedule_row() {
        bordered_.compute_at(depthwise_, taps_[1]).store_in(Halide::MemoryType::Register);
        const std::vector<Var> args = bordered_.args();
        bordered_.bound_extent(args[view_channel], size(tile_->unroll()));
        bordered_.bound_extent(args[view_width], size(tile_->loaded_columns())).unroll(args[view_width]);
        for (const ViewAxis axis : {view_group, view_height, view_depth, view_batch}) {
            bordered_.bound_extent(args[axis], 1);
        }
        vectorize_channels(bordered_, args[view_channel]);
        bordered_.never_partition_all();
    }

    template <class Scheduled>
    void vectorize_channels(Scheduled scheduled, const Var &channel) {
        const bool vectors = tile_->unroll() > 1 && loads_vectors(arguments().front().view, request().target);
        vectors ? scheduled.vectorize(channel) : scheduled.unroll(channel);
    }

    ActivationVars v_;
    Var s_{"s"}, k_{"k"};
    RDom taps_, r_, chunks_;
    std::optional<Tile> tile_;
    bool selects_ = false;
    Func bordered_{"bordered"}, depthwise_{"depthwise"}, staged_{"staged"}, part_{"part"}, sum_{"sum"}, flag_{"flag"};
};

// ---- weight packing

class GpuChainPack : public PackGenerator<GpuChainPack> {
public:
    void pack_parameter(const KernelArgument &argument, const Func &raw, const Func &packed) {
        if (argument.parameter.role != Parameter::Role::weight) return pack_channels(argument, raw, packed);
        stage_of(argument) == 0 ? pack_depthwise(raw, packed) : pack_pointwise(raw, packed);
    }

private:
    void pack_depthwise(Func raw, Func packed) const {
        Var c("c"), kx("kx"), ky("ky"), kz("kz");
        std::vector<Expr> where = raw_taps(stage(0), {kx, ky, kz});
        where.insert(where.end(), {Expr(0), Expr(c)});
        packed(c, kx, ky, kz) = raw(where);
    }

    void pack_pointwise(Func raw, Func packed) const {
        const int channels = static_cast<int>(stage(1).out_channels);
        Var c("c"), i("i");
        std::vector<Expr> where = raw_taps(stage(1), {0, 0, 0});
        where.insert(where.end(), {Expr(i), Halide::min(c, channels - 1)});
        packed(c, i) = Halide::select(c < channels, raw(where), 0.0f);
    }
};

}  // namespace

Algorithm gpu_chain_algorithm() {
    Algorithm row{"gpu_chain",
                  "a depthwise stage staged in shared memory for the 1x1 behind it",
                  gpu_chain::refusal,
                  gpu_chain::knobs,
                  gpu_chain::conflict,
                  gpu_chain::default_schedule,
                  arguments};
    row.most_stages = 2;
    row.on_gpu = true;
    row.reluctance = gpu_chain::reluctance;
    row.worthwhile = gpu_chain::worthwhile;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::GpuChain, gpu_chain)
HALIDE_REGISTER_GENERATOR(convc::GpuChainPack, gpu_chain_pack)
