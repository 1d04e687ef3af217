#include "compiler/cost/derivation.h"

#include <fmt/format.h>

#include <array>

namespace convc {
namespace {

std::string derive_effective_kernel(const Axis &axis) {
    if (axis.dilation == 1) return fmt::format("k' = {}", axis.kernel);
    return fmt::format("k' = {0} + ({0} - 1) * ({1} - 1) = {2}", axis.kernel, axis.dilation, axis.effective_kernel());
}

std::string derive_extent(StageKind kind, const Axis &axis, int64_t input, int64_t output) {
    const std::string from = print_extent(input);
    const std::string to = print_extent(output);
    if (axis.same_at_run_time) return fmt::format("o = ceil({} / {}) = {}", from, axis.stride, to);
    if (kind == StageKind::transposed) {
        return fmt::format("o = ({} - 1) * {} - {} - {} + {} + {} = {}", from, axis.stride, axis.pad_before,
                           axis.pad_after, axis.effective_kernel(), axis.output_padding, to);
    }
    return fmt::format("o = floor(({} + {} + {} - {}) / {}) + 1 = {}", from, axis.pad_before, axis.pad_after,
                       axis.effective_kernel(), axis.stride, to);
}

}  // namespace

const char *axis_name(int rank, size_t axis) {
    static constexpr std::array<const char *, 3> names{"depth", "height", "width"};
    return names[names.size() - static_cast<size_t>(rank) + axis];
}

std::vector<AxisDerivation> derive_axes(const Layer &layer, int index) {
    const Stage &stage = layer.stages[static_cast<size_t>(index)];
    const TensorType &input = layer.stage_input(index);
    std::vector<AxisDerivation> derivations;
    for (size_t i = 0; i < stage.axes.size(); i++) {
        const int64_t from = input.space[i];
        const int64_t to = stage.output.space[i];
        derivations.push_back({axis_name(input.rank(), i), from, to, fmt::format("k = {}", stage.axes[i].kernel),
                               derive_effective_kernel(stage.axes[i]),
                               derive_extent(stage.kind, stage.axes[i], from, to)});
    }
    return derivations;
}

}  // namespace convc
