// shuffle: the channel shuffle as a pass over memory, where no neighbour takes it in.
//
// Idea. shuffle(G) sees the channels as a matrix of G rows and transposes it (ShuffleNet, arXiv 1707.01083). So x is
// seen as G groups of C/G channels and y as C/G groups of G channels, and y(k, j) = x(j, k). Where channels lie densely
// a vector runs along j: a load of neighbouring channels for each k, and Halide weaves the G vectors into one store.
// Where pixels lie densely it runs along those.
#include "schedules/algorithms.h"
#include "schedules/group_generator.h"
#include "schedules/machine_model.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;

constexpr int64_t most_woven = 16;  // vectors in one store; more takes LLVM seconds

View output_view(const StageGroup &group) {
    const Stage &stage = group.stage(0);
    return activation_view(stage.output, stage.in_channels / stage.groups, flattens(group));
}

// ---- applicability, knobs, default

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    if (group.stage(0).kind != StageKind::shuffle) return "does nothing but shuffle channels";
    return std::nullopt;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &) {
    const Size width = output_view(group)[view_width].extent;
    const int64_t most = width.known() ? std::max<int64_t>(width, 1) : 4096;
    return {{"pixels", "neighbouring pixels of a task", 1, most}};
}

std::optional<Conflict> conflict(const KernelRequest &) {
    return std::nullopt;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    constexpr int64_t bytes_of_a_task = 32 << 10;
    const View output = output_view(group);
    const int64_t most = knobs(group, target)[0].high;
    int64_t pixels = std::max<int64_t>(bytes_of_a_task / (group.stage(0).out_channels * 4), 1);
    if (output[view_width].extent.known()) {
        const int64_t parts = balanced_parts(most, 1, target);
        pixels = std::max(pixels, (most + parts - 1) / parts);
    }
    return {"shuffle", {{"pixels", std::min(pixels, most)}}};
}

// ---- the kernel

class Shuffle : public KernelGenerator<Shuffle> {
public:
    GeneratorParam<int> pixels{"pixels", 1};

    void generate() {
        constrain_buffers();
        output()(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = with_epilogues(x()(v_.g, v_.c, v_.x, v_.y, v_.z, v_.n), v_);
    }

    void schedule() {
        const View view = arguments().back().view;
        Var chunk("chunk"), task("task");
        Func y = output();
        y.split(v_.x, chunk, v_.x, pixels, TailStrategy::GuardWithIf);
        const bool woven = view[view_channel].stride == 1 && view[view_channel].extent <= most_woven;
        if (woven) {
            y.reorder({v_.c, v_.g, v_.x, v_.y, v_.z, chunk, v_.n}).unroll(v_.c);
            y.vectorize(v_.g, lanes_of(view[view_group].extent), TailStrategy::GuardWithIf);
        } else {
            y.reorder({v_.x, v_.c, v_.g, v_.y, v_.z, chunk, v_.n});
            if (view[view_width].stride == 1) y.vectorize(v_.x, lanes_of(pixels), TailStrategy::GuardWithIf);
        }
        y.fuse(chunk, v_.n, task).parallel(task);
    }

private:
    // Fewer than the target's where there are not as many elements.
    int lanes_of(int64_t extent) const {
        int vector = lanes();
        while (vector > extent) vector /= 2;
        return vector;
    }

    ActivationVars v_;
};

// ---- packing: of bias and scale

class ShufflePack : public PackGenerator<ShufflePack> {
public:
    void pack_weights(const Func &, const Func &) const {}
};

}  // namespace

Algorithm shuffle_algorithm() {
    return {"shuffle",        "the channels in another order: a pass over memory",
            refusal,          knobs,
            conflict,         default_schedule,
            shuffle_arguments};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Shuffle, shuffle)
HALIDE_REGISTER_GENERATOR(convc::ShufflePack, shuffle_pack)
