#include "compiler/cost/cost.h"

#include <algorithm>
#include <set>
#include <utility>

#include "compiler/cost/tap_pairs.h"

namespace convc {
namespace {

constexpr Count bytes_per_element = 4;  // f32

Count elements(const TensorType &type) {
    Count product = 1;
    for (int64_t extent : type.extents()) product = multiply(product, as_count(extent));
    return product;
}

// The multiplications of one (position, tap) pair of space: every channel of every filter, for every image.
Count macs_per_pair(const Stage &stage) {
    const Count per_pixel = multiply(as_count(stage.out_channels), as_count(stage.in_channels / stage.groups));
    return multiply(per_pixel, as_count(stage.output.batch));
}

Count nominal_pairs(const Stage &stage, const TensorType &input, size_t axis) {
    const TensorType &positions = stage.kind == StageKind::transposed ? input : stage.output;
    return multiply(as_count(positions.space[axis]), as_count(stage.axes[axis].kernel));
}

Count real_pairs(const Stage &stage, const TensorType &input, size_t i) {
    const Axis &axis = stage.axes[i];
    if (stage.kind == StageKind::transposed) return tap_pairs_inside(axis, input.space[i], stage.output.space[i]);
    const bool zeros =
        stage.pad_mode == PadMode::zeros || (stage.pad_mode == PadMode::constant && stage.pad_value == 0);
    return zeros ? tap_pairs_inside(axis, stage.output.space[i], input.space[i]) : nominal_pairs(stage, input, i);
}

void count_macs(const Stage &stage, const TensorType &input, StageCost &cost) {
    if (stage.kind == StageKind::shuffle) return;
    cost.nominal_macs = cost.real_macs = macs_per_pair(stage);
    for (size_t axis = 0; axis < stage.axes.size(); axis++) {
        cost.nominal_macs = multiply(cost.nominal_macs, nominal_pairs(stage, input, axis));
        cost.real_macs = multiply(cost.real_macs, real_pairs(stage, input, axis));
    }
    cost.dense_macs = multiply(cost.nominal_macs, as_count(stage.groups));
}

// The tensors that a stage reads besides its input; one that is its input is read once.
Count operand_elements(const Layer &layer, int index) {
    std::set<int> operands;
    for (const Epilogue &epilogue : layer.stages[static_cast<size_t>(index)].epilogues) {
        if (epilogue.operand >= (index == 0 ? 1 : 0)) operands.insert(epilogue.operand);
    }
    Count sum = 0;
    for (int operand : operands) sum = add(sum, elements(layer.inputs[static_cast<size_t>(operand)].type));
    return sum;
}

double flops_per_byte(Count macs, Count bytes) {
    return bytes == 0 ? 0 : 2 * static_cast<double>(macs) / static_cast<double>(bytes);
}

StageCost stage_cost(const Layer &layer, int index) {
    const Stage &stage = layer.stages[static_cast<size_t>(index)];
    const TensorType &input = layer.stage_input(index);
    StageCost cost;
    count_macs(stage, input, cost);
    cost.parameters = stage_parameters(stage);
    cost.output_elements = elements(stage.output);
    const Count read = add(add(elements(input), operand_elements(layer, index)), cost.parameters);
    cost.bytes = multiply(add(read, cost.output_elements), bytes_per_element);
    cost.intensity = flops_per_byte(cost.real_macs, cost.bytes);
    return cost;
}

bool has_runtime_extent(const Layer &layer) {
    const auto input_has = [](const NamedTensor &input) { return input.type.has_runtime_extent(); };
    const auto output_has = [](const Stage &stage) { return stage.output.has_runtime_extent(); };
    return std::any_of(layer.inputs.begin(), layer.inputs.end(), input_has) ||
           std::any_of(layer.stages.begin(), layer.stages.end(), output_has);
}

bool keeps_resolution(const Stage &stage) {
    return std::all_of(stage.axes.begin(), stage.axes.end(), [](const Axis &axis) { return axis.stride == 1; });
}

Count dense_macs(const Layer &layer) {
    const std::optional<Stage> dense = dense_equivalent(layer);
    if (!dense) return 0;
    StageCost cost;
    count_macs(*dense, layer.inputs[0].type, cost);
    return cost.nominal_macs;
}

}  // namespace

Layer with_one_image(Layer layer) {
    const auto resolve = [](TensorType &type) {
        if (type.batch == runtime_extent) type.batch = 1;
    };
    for (NamedTensor &input : layer.inputs) resolve(input.type);
    for (Stage &stage : layer.stages) resolve(stage.output);
    return layer;
}

Count macs_per_element(const Stage &stage) {
    if (stage.kind == StageKind::shuffle) return 0;
    const int64_t channels = stage.kind == StageKind::transposed ? stage.out_channels : stage.in_channels;
    Count product = as_count(channels / stage.groups);
    for (const Axis &axis : stage.axes) product = multiply(product, as_count(axis.kernel));
    return product;
}

Count stage_parameters(const Stage &stage) {
    Count weights = 0;
    if (stage.kind != StageKind::shuffle) {
        weights = 1;
        for (const Axis &axis : stage.axes) weights = multiply(weights, as_count(axis.kernel));
        if (!stage.weights) {
            weights = multiply(weights, as_count(stage.out_channels));
            weights = multiply(weights, as_count(stage.in_channels / stage.groups));
        }
    }
    for (const EpilogueKind kind : {EpilogueKind::bias, EpilogueKind::scale}) {
        if (stage.has_epilogue(kind)) weights = add(weights, as_count(stage.out_channels));
    }
    return weights;
}

std::vector<Count> receptive_field(const Layer &layer, int last_stage) {
    // From the last stage back to the first: how many of its input a stage needs for `window` of its output.
    std::vector<Count> window(layer.inputs[0].type.space.size(), 1);
    for (int index = last_stage; index >= 0; index--) {
        const Stage &stage = layer.stages[static_cast<size_t>(index)];
        for (size_t i = 0; i < stage.axes.size(); i++) {
            const Axis &axis = stage.axes[i];
            const Count beyond_first = as_count(axis.effective_kernel() - 1);
            if (stage.kind == StageKind::transposed) {
                // Input j reaches outputs j*s .. j*s + k' - 1: multiples of s among window + k' - 1 positions.
                window[i] = (add(window[i], beyond_first) - 1) / as_count(axis.stride) + 1;
            } else {
                window[i] = add(add(multiply(window[i] - 1, as_count(axis.stride)), beyond_first), 1);
            }
        }
    }
    return window;
}

std::vector<std::vector<Count>> receptive_fields(const Layer &layer) {
    const size_t rank = layer.inputs[0].type.space.size();
    std::vector<Count> field(rank, 1);
    std::vector<Count> jump(rank, 1);  // the distance in the input between neighbours of the output
    std::vector<std::vector<Count>> fields;
    bool forward = true;
    for (size_t index = 0; index < layer.stages.size(); index++) {
        const Stage &stage = layer.stages[index];
        forward = forward && (stage.kind != StageKind::transposed || keeps_resolution(stage));
        for (size_t i = 0; forward && i < stage.axes.size(); i++) {
            const Axis &axis = stage.axes[i];
            field[i] = add(field[i], multiply(as_count(axis.effective_kernel() - 1), jump[i]));
            jump[i] = multiply(jump[i], as_count(axis.stride));
        }
        fields.push_back(forward ? field : receptive_field(layer, static_cast<int>(index)));
    }
    return fields;
}

std::optional<LayerCost> layer_cost(const Layer &layer) {
    if (has_runtime_extent(layer)) return std::nullopt;
    LayerCost cost;
    for (int i = 0; i < static_cast<int>(layer.stages.size()); i++) {
        const StageCost stage = stage_cost(layer, i);
        cost.nominal_macs = add(cost.nominal_macs, stage.nominal_macs);
        cost.real_macs = add(cost.real_macs, stage.real_macs);
        cost.parameters = add(cost.parameters, stage.parameters);
        cost.stages.push_back(stage);
    }
    Count moved = add(cost.parameters, elements(layer.output()));
    for (const NamedTensor &input : layer.inputs) moved = add(moved, elements(input.type));
    cost.bytes = multiply(moved, bytes_per_element);
    cost.intensity = flops_per_byte(cost.real_macs, cost.bytes);
    cost.dense_macs = dense_macs(layer);
    return cost;
}

}  // namespace convc
