// gpu_shuffle: the channel shuffle on a GPU, where no convolution beside it takes it in.
//
// Idea. As shuffle.cpp: x is seen as G groups of C/G channels and y as C/G groups of G channels, and y(k, j) = x(j, k).
// A thread a number, along what lies densely first: the stores of a warp are consecutive, its loads C/G numbers apart,
// whose cache lines the next warps read.
#include "schedules/algorithms.h"
#include "schedules/gpu_block.h"
#include "schedules/group_generator.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using Halide::Func;

// ---- applicability, knobs, default

View output_view(const StageGroup &group) {
    const Stage &stage = group.stage(0);
    return activation_view(stage.output, stage.in_channels / stage.groups, flattens(group));
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    if (group.stage(0).kind != StageKind::shuffle) return "does nothing but shuffle channels";
    return std::nullopt;
}

std::vector<Knob> knobs(const StageGroup &, const Target &) {
    return thread_knobs();
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    return block_conflict(request.schedule);
}

Schedule default_schedule(const StageGroup &group, const Target &) {
    const View output = output_view(group);
    const ThreadBlock threads = thread_block(
        {group.stage(0).out_channels, modelled_extent(output, view_width), modelled_extent(output, view_height)},
        !channels_lie_densely(output), 256);
    return {
        "gpu_shuffle",
        {{"channel_threads", threads.channels}, {"column_threads", threads.columns}, {"row_threads", threads.rows}}};
}

// ---- the kernel

class GpuShuffle : public KernelGenerator<GpuShuffle> {
public:
    GeneratorParam<int> channel_threads{"channel_threads", 1}, column_threads{"column_threads", 1},
        row_threads{"row_threads", 1};

    void generate() {
        constrain_buffers();
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = with_epilogues(x()(v_.g, v_.c, v_.x, v_.y, v_.z, v_.n), v_);
    }

    void schedule() {
        spread_over_threads(output(), {v_.c, v_.g, v_.x, v_.y, v_.z, v_.n}, arguments().back().view, {},
                            {channel_threads, column_threads, row_threads});
    }

private:
    ActivationVars v_;
};

// ---- packing: of bias and scale

class GpuShufflePack : public PackGenerator<GpuShufflePack> {
public:
    void pack_weights(const Func &, const Func &) const {}
};

}  // namespace

Algorithm gpu_shuffle_algorithm() {
    Algorithm row{"gpu_shuffle",    "the channels in another order: a pass over memory",
                  refusal,          knobs,
                  conflict,         default_schedule,
                  shuffle_arguments};
    row.on_gpu = true;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::GpuShuffle, gpu_shuffle)
HALIDE_REGISTER_GENERATOR(convc::GpuShufflePack, gpu_shuffle_pack)
