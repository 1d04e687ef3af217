// gpu_tiled: dense and coarsely grouped convolution on a GPU, transposed too, inputs staged in shared memory.
//
// Idea. The reduction runs over chunks of input channels. The threads of a block first copy a chunk's inputs, padding
// included, into shared memory; then each sums over the chunk in registers, for 4 output channels and `columns` pixels,
// and adds the sum to its accumulators. It is implicit GEMM (Chetlur et al., "cuDNN: Efficient Primitives for Deep
// Learning", arXiv 1410.0759): taps share what was staged once, and padding is a select once a staged input, not once a
// load: as a select at each load it costs more than the multiplications (3x3 at 56 x 56 on an H100: 28.7 us, 18.2 on an
// input padded beforehand). Weights are read through L1, which serves all threads of the same channels.
//
// At batch 1 there are too few outputs to fill a GPU: `split` threads share the channels of a chunk, along the third
// dimension of the block, and the output adds their sums.
//
// The accumulators stand in shared memory, touched once a chunk: Halide has no registers that outlive a barrier. All
// loops over threads in a block have one shape, channel_threads x (column_threads * row_threads) x split: Halide
// launches the largest extent of each dimension, and loops of other shapes would leave most threads idle.
//
// Transposed. Each stride phase is a convolution of its own (transposed.cpp), computed by blocks of its own. The output
// is seen with the phases as dimensions, which the stride has to divide: Halide's bounds inference knows intervals, and
// the outputs of one phase among all are none.
//
// Taps that lie so far apart that no two outputs of a block share an input, under a large dilation, are staged one by
// one.
#include <array>

#include "schedules/algorithms.h"
#include "schedules/gpu_chunks.h"
#include "schedules/gpu_tiled_schedule.h"
#include "schedules/group_generator.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"

namespace convc {
namespace {

using gpu_tiled::Tile;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::Var;

// Packed weights: channel in the group, group, input channel, taps; channels padded to whole blocks.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const StageGroup &group = request.group;
    const Stage &stage = group.stage(0);
    const Tile tile(request);
    const int64_t channels = ceil_divided(group_channels(stage), tile.block_channels()) * tile.block_channels();
    const auto taps = [&](ViewAxis axis) { return stage_axis(stage, axis).kernel; };
    const bool transposed = stage.kind == StageKind::transposed;
    std::vector<KernelArgument> all = single_stage_arguments(
        group, stage.groups,
        {channels, stage.groups, input_channels(stage), taps(view_width), taps(view_height), taps(view_depth)},
        channels, transposed ? leaves_input(group) : pads_with_zeros(stage));
    all.back().view = gpu_tiled::output_view(group);
    return all;
}

// ---- the kernel

class GpuTiled : public KernelGenerator<GpuTiled> {
public:
    GeneratorParam<int> columns{"columns", 1}, channel_threads{"channel_threads", 1},
        column_threads{"column_threads", 1}, row_threads{"row_threads", 1}, chunk{"chunk", 1}, split{"split", 1};

    void generate() {
        constrain_buffers();
        tile_.emplace(request());
        transposed_ = stage().kind == StageKind::transposed;
        selects_ = transposed_ ? leaves_input(request().group) : pads_with_zeros(stage());
        placed_ = placements(true);
        staged_ = transposed_ ? exterior() : with_border(x(), stage(), placed_);
        // One number of a vector of input channels; taps of a row; vectors of a chunk; taps of a column. Taps that
        // share no inputs are staged one by one: they are turns of the outer reduction.
        const std::array<int64_t, 3> taps{tile_->x.taps, tile_->y.taps, tile_->z.taps};
        const std::array<bool, 3> apart{tile_->x_apart(), tile_->y_apart(), true};
        const auto inner = [&](size_t axis) { return size(apart[axis] ? 1 : taps[axis]); };
        const auto outer = [&](size_t axis) { return size(apart[axis] ? taps[axis] : 1); };
        const int vectors = size(tile_->chunk / tile_->unroll());
        r_ = RDom(0, size(tile_->unroll()), 0, inner(0), 0, vectors, 0, inner(1), "r");
        chunks_ = RDom(0, size(input_channels(stage()) / (tile_->chunk * tile_->split)), 0, outer(0), 0, outer(1), 0,
                       outer(2), "chunks");
        const Expr channel = ((k_ * size(tile_->split) + s_) * vectors + r_[2]) * size(tile_->unroll()) + r_[0];
        const std::array<Tap, 3> tap{tap_of(0, apart[0] ? Expr(tap_[0]) : Expr(r_[1])),
                                     tap_of(1, apart[1] ? Expr(tap_[1]) : Expr(r_[3])), tap_of(2, tap_[2])};
        Expr weight = parameter(Parameter::Role::weight)(v_.c, v_.g, channel, tap[0].of_kernel, tap[1].of_kernel,
                                                         tap[2].of_kernel);
        // Of a phase with fewer taps than another, the last is none.
        const Expr exists = tap[0].exists && tap[1].exists && tap[2].exists;
        if (!Halide::Internal::is_const_one(exists)) weight = Halide::select(exists, weight, 0.0f);
        if (selects_) {
            flag_() = Halide::cast<float>(nonfinite());  // as in gpu_direct.cpp
            const Expr inside = tap[0].inside && tap[1].inside && tap[2].inside;
            weight = Halide::select(flag_() > 0.0f && !inside, 0.0f, weight);
        }
        const Expr input = staged_(channel, v_.g, tap[0].position, tap[1].position, tap[2].position, v_.n);
        define_sums(weight * input);
    }

    void schedule() {
        OutputLoops loops{v_.c, v_.g, v_.x, v_.y, v_.z, v_.n};
        if (transposed_) loops.others.assign(phase_.begin(), phase_.end());
        const Var block =
            spread_over_blocks(output(), loops, arguments().back().view, *tile_, request().target.gpu == Gpu::cuda);
        loops.others.assign(phase_.begin(), phase_.end());
        keep_sums(sum_, output(), block, loops, s_, *tile_);
        const std::vector<RVar> chunks{chunks_[0], chunks_[1], chunks_[2], chunks_[3]};
        const Var thread = spread_sums(sum_.update(), loops, s_, chunks, *tile_);
        schedule_part(thread, loops);
        schedule_staged();
    }

private:
    // A tap of the reduction: which one of the kernel, what an output reads through it, and whether that is in the
    // input.
    struct Tap {
        Expr of_kernel, position, inside, exists = Halide::Internal::const_true();
    };

    static int size(int64_t value) { return static_cast<int>(value); }

    Tap tap_of(size_t axis, const Expr &tap) const {
        const Var at = std::array{v_.x, v_.y, v_.z}[axis];
        const auto along = static_cast<ViewAxis>(view_width + axis);
        if (!transposed_) {
            const Expr position = under_tap(at, tap, stage_axis(stage(), along));
            return {tap, position, within(position, placed_[axis])};
        }
        // As in transposed.cpp, of dilation 1. Without remainders: Halide takes the bounds of one from all it might be.
        const PhasedAxis phased = phased_axis(request().group, along);
        const int stride = size(phased.stride);
        const Expr shifted = phase_[axis] + size(phased.pad), whole = shifted / stride;
        const Expr position = at + whole - tap;
        Tap found{shifted - whole * stride + tap * stride, position, position >= 0 && position < size(phased.input)};
        if (!phased.has_equal_phases()) {
            found.exists = found.of_kernel < size(phased.kernel);
            found.of_kernel = Halide::min(found.of_kernel, size(phased.kernel) - 1);
        }
        return found;
    }

    Func exterior() {
        Halide::Region bounds(6, Halide::Range{Expr(), Expr()});
        for (const ViewAxis axis : {view_width, view_height, view_depth}) {
            bounds[axis] = {0, size(phased_axis(request().group, axis).input)};
        }
        return Halide::BoundaryConditions::constant_exterior(Func(x()), 0.0f, bounds);
    }

    // The output's indices: of a transposed stage, positions and phases.
    std::vector<Var> indices() const {
        std::vector<Var> all = v_.vars();
        if (transposed_) all.insert(all.end(), phase_.begin(), phase_.end());
        return all;
    }

    void define_sums(const Expr &product) {
        const auto with = [this](std::vector<Expr> more) {
            std::vector<Expr> all;
            for (const Var &var : v_.vars()) all.emplace_back(var);
            for (const Var &var : phase_) all.push_back(transposed_ ? Expr(var) : Expr(0));
            all.insert(all.end(), more.begin(), more.end());
            return all;
        };
        std::vector<Var> of_sum = v_.vars();
        of_sum.insert(of_sum.end(), phase_.begin(), phase_.end());
        of_sum.push_back(s_);
        std::vector<Var> of_part = of_sum;
        of_part.insert(of_part.end(), {k_, tap_[0], tap_[1], tap_[2]});
        part_(of_part) = 0.0f;
        part_(std::vector<Expr>(of_part.begin(), of_part.end())) += product;
        sum_(of_sum) = 0.0f;
        std::vector<Expr> one(of_sum.begin(), of_sum.end());
        const std::vector<Expr> here = one;
        one.insert(one.end(), {chunks_[0], chunks_[1], chunks_[2], chunks_[3]});
        sum_(here) += part_(one);
        Expr all = start_of_sum(v_);
        for (int i = 0; i < split; i++) all += sum_(with({i}));
        output()(indices()) = finish_sum(all, v_);
    }

    void schedule_part(const Var &thread, const OutputLoops &loops) {
        keep_part(part_, sum_, thread, loops, {s_, k_, tap_[0], tap_[1], tap_[2]}, *tile_);
        if (selects_) {
            flag_.compute_at(sum_, thread).store_in(Halide::MemoryType::Register);
            schedule_update(part_.update().specialize(flag_() > 0.0f));
        }
        schedule_update(part_.update());
        load_staged(staged_, part_, r_[2], tile_->loaded_columns(), *tile_);
    }

    void schedule_update(Halide::Stage update) {
        update.reorder({v_.c, v_.x, r_[0], r_[1], r_[2], r_[3]})
            .vectorize(v_.c)
            .unroll(v_.x)
            .unroll(r_[0])
            .unroll(r_[1]);
    }

    void schedule_staged() {
        const std::vector<Var> args = staged_.args();
        staged_.compute_at(sum_, chunks_[0]);
        staged_.bound_extent(args[view_channel], size(tile_->chunk * tile_->split));
        staged_.bound_extent(args[view_width], size(tile_->staged_columns()));
        staged_.bound_extent(args[view_height], size(tile_->staged_rows()));
        for (const ViewAxis axis : {view_group, view_depth, view_batch}) staged_.bound_extent(args[axis], 1);
        const View input = arguments().front().view;
        spread_staged(staged_,
                      {.columns = args[view_width],
                       .dense_channels = input[view_channel].stride == 1,
                       .vectors = loads_vectors(input, request().target)},
                      *tile_);
    }

    ActivationVars v_;
    std::array<Var, 3> phase_{Var("px"), Var("py"), Var("pz")}, tap_{Var("tx"), Var("ty"), Var("tz")};
    Var s_{"s"}, k_{"k"};
    RDom r_, chunks_;
    std::optional<Tile> tile_;
    Placements placed_;
    bool transposed_ = false, selects_ = false;
    Func staged_{"staged"}, part_{"part"}, sum_{"sum"}, flag_{"flag"};
};

// ---- weight packing

class GpuTiledPack : public PackGenerator<GpuTiledPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const int channels = static_cast<int>(group_channels(stage()));
        Var c("c"), g("g"), i("i"), kx("kx"), ky("ky"), kz("kz");
        const Expr weight = raw(raw_weight(stage(), {kx, ky, kz}, g, i, Halide::min(c, channels - 1)));
        packed(c, g, i, kx, ky, kz) = Halide::select(c < channels, weight, 0.0f);
    }
};

}  // namespace

Algorithm gpu_tiled_algorithm() {
    Algorithm row{"gpu_tiled",
                  "a sum over chunks of input channels, each staged in shared memory",
                  gpu_tiled::refusal,
                  gpu_tiled::knobs,
                  gpu_tiled::conflict,
                  gpu_tiled::default_schedule,
                  arguments};
    row.on_gpu = true;
    row.reluctance = gpu_tiled::reluctance;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::GpuTiled, gpu_tiled)
HALIDE_REGISTER_GENERATOR(convc::GpuTiledPack, gpu_tiled_pack)
