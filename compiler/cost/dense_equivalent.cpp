// See cost.h. Composition of convolutions along an axis: offsets add up, each scaled by the strides before it.
#include <algorithm>
#include <numeric>

#include "compiler/cost/cost.h"

namespace convc {
namespace {

bool is_pointwise(const Stage &stage) {
    return std::all_of(stage.axes.begin(), stage.axes.end(), [](const Axis &axis) { return axis == Axis{}; });
}

// a + b * c, unless it exceeds int64_t.
bool accumulate(int64_t &a, int64_t b, int64_t c) {
    int64_t product = 0;
    return !__builtin_mul_overflow(b, c, &product) && !__builtin_add_overflow(a, product, &a);
}

// The composition of the chain along one axis; nullopt when a number exceeds int64_t.
std::optional<Axis> compose_axis(const Layer &layer, size_t i) {
    Axis all;
    int64_t reach = 0;   // offset of the last tap
    int64_t common = 0;  // greatest common divisor of the steps between taps
    for (const Stage &stage : layer.stages) {
        if (stage.kind == StageKind::shuffle) continue;
        const Axis &axis = stage.axes[i];
        if (!accumulate(reach, axis.effective_kernel() - 1, all.stride)) return std::nullopt;
        if (!accumulate(all.pad_before, axis.pad_before, all.stride)) return std::nullopt;
        if (!accumulate(all.pad_after, axis.pad_after, all.stride)) return std::nullopt;
        all.same_at_run_time = all.same_at_run_time || axis.same_at_run_time;
        int64_t step = 0;
        if (!accumulate(step, axis.dilation, all.stride)) return std::nullopt;
        if (axis.kernel > 1) common = std::gcd(common, step);
        if (__builtin_mul_overflow(all.stride, axis.stride, &all.stride)) return std::nullopt;
    }
    all.dilation = std::max<int64_t>(common, 1);
    all.kernel = reach / all.dilation + 1;
    return all;
}

bool compose_axes(const Layer &layer, std::vector<Axis> &axes) {
    for (size_t i = 0; i < layer.inputs[0].type.space.size(); i++) {
        const std::optional<Axis> axis = compose_axis(layer, i);
        if (!axis) return false;
        axes.push_back(*axis);
    }
    return true;
}

}  // namespace

std::optional<Stage> dense_equivalent(const Layer &layer) {
    Stage dense;
    dense.in_channels = layer.inputs[0].type.channels;
    dense.out_channels = layer.output().channels;
    dense.output = layer.output();

    const Stage *transposed = nullptr;
    size_t convolutions = 0;
    bool others_pointwise = true;
    for (const Stage &stage : layer.stages) {
        convolutions += stage.kind != StageKind::shuffle;
        if (stage.kind == StageKind::transposed && transposed == nullptr) {
            transposed = &stage;
        } else {
            others_pointwise = others_pointwise && is_pointwise(stage) && stage.kind != StageKind::transposed;
        }
    }
    if (convolutions == 0) return std::nullopt;
    if (transposed != nullptr) {
        if (!others_pointwise) return std::nullopt;
        dense.kind = StageKind::transposed;
        dense.axes = transposed->axes;
    } else if (!compose_axes(layer, dense.axes)) {
        return std::nullopt;
    }
    return dense;
}

}  // namespace convc
