#include "compiler/reference/runtime_extents.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

namespace convc {
namespace {

__extension__ using Wide = __int128;  // no product or sum of two 64-bit extents overflows it
using Failed = std::optional<Error>;

Error invalid(std::string message) {
    return Error{Failure::invalid_input, std::move(message)};
}

// Batch and spatial extents, in the layout's order, which is the same for all six.
std::vector<int64_t *> variable_extents(TensorType &type) {
    std::vector<int64_t *> extents{&type.batch};
    for (int64_t &extent : type.space) extents.push_back(&extent);
    return extents;
}

Failed fill_extents(NamedTensor &x, std::span<const int64_t> given) {
    size_t used = 0;
    for (int64_t *extent : variable_extents(x.type)) {
        if (*extent != runtime_extent) continue;
        const int64_t least = extent == &x.type.batch ? 0 : 1;
        if (used < given.size()) {
            if (given[used] < least)
                return invalid(fmt::format("extent {} of {} is not positive", given[used], x.name));
            *extent = given[used];
        }
        used++;
    }
    if (used == given.size()) return std::nullopt;
    return invalid(fmt::format("{} run-time extents given, but {} has {}", given.size(), x.name, used));
}

// The smallest padding for which the output has ceil(input / stride) elements; the odd one goes after.
void resolve_same_padding(Axis &axis, int64_t input) {
    const int64_t outputs = (input - 1) / axis.stride + 1;
    const Wide needed = Wide(outputs - 1) * axis.stride + axis.effective_kernel() - input;
    const auto total = static_cast<int64_t>(std::max<Wide>(needed, 0));
    axis.pad_before = total / 2;
    axis.pad_after = total - total / 2;
    axis.same_at_run_time = false;
}

// Reflected padding does not repeat the edge, so it reaches one element less far than the input is long.
Failed check_padding(const Stage &stage, const Axis &axis, int64_t input) {
    const int64_t pad = std::max(axis.pad_before, axis.pad_after);
    const bool reflect = stage.pad_mode == PadMode::reflect && pad >= input;
    const bool circular = stage.pad_mode == PadMode::circular && pad > input;
    if (!reflect && !circular) return std::nullopt;
    return invalid(fmt::format("{} padding by {} needs more than the {} elements there are",
                               reflect ? "reflect" : "circular", pad, input));
}

Result<int64_t> output_extent(const Stage &stage, const Axis &axis, int64_t input) {
    const Wide padding = Wide(axis.pad_before) + axis.pad_after;
    Wide output = 0;
    if (stage.kind == StageKind::transposed) {
        output = Wide(input - 1) * axis.stride - padding + axis.effective_kernel() + axis.output_padding;
    } else {
        const Wide room = input + padding - axis.effective_kernel();
        output = room < 0 ? 0 : room / axis.stride + 1;
    }
    if (output < 1) {
        return invalid(fmt::format("a kernel that spans {} does not fit an input of {} padded by {}",
                                   axis.effective_kernel(), input, static_cast<int64_t>(padding)));
    }
    if (output > std::numeric_limits<int64_t>::max()) return invalid("an output extent exceeds 2^63 - 1");
    return static_cast<int64_t>(output);
}

Failed resolve_stage(Stage &stage, const TensorType &input) {
    stage.output.batch = input.batch;
    stage.output.space = input.space;
    for (size_t i = 0; i < stage.axes.size(); i++) {
        Axis &axis = stage.axes[i];
        if (axis.same_at_run_time) resolve_same_padding(axis, input.space[i]);
        if (auto failed = check_padding(stage, axis, input.space[i])) return failed;
        const Result<int64_t> extent = output_extent(stage, axis, input.space[i]);
        if (!extent) return extent.error();
        stage.output.space[i] = *extent;
    }
    if (!stage.output.elements()) return invalid("a stage's output has more than 2^63 - 1 elements");
    return std::nullopt;
}

// A tensor of an add or mul: equal extents, or 1.
Failed resolve_operand(NamedTensor &operand, TensorType output) {
    const auto wanted = variable_extents(output);
    const auto extents = variable_extents(operand.type);
    for (size_t i = 0; i < extents.size(); i++) {
        if (*extents[i] == runtime_extent) *extents[i] = *wanted[i];
        if (*extents[i] != 1 && *extents[i] != *wanted[i]) {
            return invalid(fmt::format("{} has extent {} where the output that it meets has {}", operand.name,
                                       *extents[i], *wanted[i]));
        }
    }
    return std::nullopt;
}

}  // namespace

Result<Layer> resolve_runtime_extents(const Layer &layer, std::span<const int64_t> extents) {
    Layer resolved = layer;
    if (auto failed = fill_extents(resolved.inputs[0], extents)) return *failed;
    if (!resolved.inputs[0].type.elements()) return invalid("x has more than 2^63 - 1 elements");
    for (int i = 0; i < static_cast<int>(resolved.stages.size()); i++) {
        Stage &stage = resolved.stages[static_cast<size_t>(i)];
        if (auto failed = resolve_stage(stage, resolved.stage_input(i))) return *failed;
        for (const Epilogue &epilogue : stage.epilogues) {
            if (epilogue.operand < 0) continue;
            NamedTensor &operand = resolved.inputs[static_cast<size_t>(epilogue.operand)];
            if (auto failed = resolve_operand(operand, stage.output)) return *failed;
        }
    }
    return resolved;
}

}  // namespace convc
