// An explanation as tables for people. Every figure comes from cost.h, every formula from derivation.h; only wording
// and alignment are decided here.
#include <fmt/format.h>

#include <functional>
#include <optional>

#include "compiler/cost/cost.h"
#include "compiler/cost/derivation.h"
#include "compiler/cost/explain.h"
#include "compiler/cost/table.h"

namespace convc {
namespace {

constexpr int indent = 2;
constexpr size_t longest_operation = 100;

using Align = Table::Align;

std::string print_sides(const std::vector<Count> &sides) {
    std::string text;
    for (const Count side : sides) {
        if (!text.empty()) text += 'x';
        text += print_count(side);
    }
    return text;
}

std::string print_shape(const TensorType &type) {
    return print_tensor(type).substr(std::string("f32 ").size());
}

// `conv(64, 3x3, pad=1) + bias`; a long list of constants is cut.
std::string operation(const Layer &layer, int index) {
    std::string text = print_stage(layer, index);
    const size_t weights = text.find("weights=[");
    if (text.size() <= longest_operation || weights == std::string::npos) return text;
    return text.substr(0, weights) + "weights=[...]" + text.substr(text.rfind(']') + 1);
}

std::string stage_section(const Layer &layer, int index) {
    const Stage &stage = layer.stages[static_cast<size_t>(index)];
    std::string text = fmt::format("stage {}: {}\n", index, operation(layer, index));
    text +=
        fmt::format("{:{}}{} -> {}\n", "", indent, print_shape(layer.stage_input(index)), print_shape(stage.output));
    Table table({Align::left, Align::left, Align::left, Align::left});
    for (const AxisDerivation &axis : derive_axes(layer, index)) {
        table.add_row({axis.name, axis.kernel, axis.effective_kernel, axis.extent});
    }
    return text + table.print(indent) + "\n";
}

// 675 + 9,600 = 10,275
std::string print_sum(const std::vector<Count> &terms, Count sum) {
    std::vector<std::string> printed;
    for (const Count term : terms) {
        if (term != 0) printed.push_back(print_count(term));
    }
    return printed.size() < 2 ? print_count(sum) : fmt::format("{} = {}", fmt::join(printed, " + "), print_count(sum));
}

std::string cost_table(const Layer &layer, const LayerCost &cost) {
    Table table({Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right,
                 Align::right});
    table.add_row({"", "MACs", "real MACs", "dense MACs", "parameters", "bytes", "FLOP/byte", "receptive field"});
    const std::vector<std::vector<Count>> fields = receptive_fields(layer);
    for (size_t i = 0; i < cost.stages.size(); i++) {
        const StageCost &stage = cost.stages[i];
        table.add_row({fmt::format("stage {}", i), print_count(stage.nominal_macs), print_count(stage.real_macs),
                       print_count(stage.dense_macs), print_count(stage.parameters), print_count(stage.bytes),
                       fmt::format("{:.2f}", stage.intensity), print_sides(fields[i])});
    }
    table.add_row({"layer", print_count(cost.nominal_macs), print_count(cost.real_macs),
                   cost.dense_macs == 0 ? "-" : print_count(cost.dense_macs), print_count(cost.parameters),
                   print_count(cost.bytes), fmt::format("{:.2f}", cost.intensity), print_sides(fields.back())});
    return table.print(indent);
}

// `, 11.9 % of 86,400: the dense equivalent is conv(128, 3x3)`; nothing for what is dense itself.
std::string against_dense(const Layer &layer, Count part, const std::function<Count(const Stage &)> &count_dense) {
    const std::optional<Stage> dense = dense_equivalent(layer);
    if (!dense || (layer.stages.size() == 1 && layer.stages[0].groups == 1)) return "";
    Layer alone = layer;
    alone.stages = {*dense};
    const Count whole = count_dense(*dense);
    return fmt::format(", {} of {}: the dense equivalent is {}", print_percent(part, whole), print_count(whole),
                       print_stage(alone, 0));
}

std::string known_cost(const Layer &layer, const LayerCost &cost) {
    std::vector<Count> terms;
    terms.reserve(cost.stages.size());
    for (const StageCost &stage : cost.stages) terms.push_back(stage.nominal_macs);
    std::string text = cost_table(layer, cost);
    text += fmt::format("\n{:{}}{} multiplications{}\n", "", indent, print_sum(terms, cost.nominal_macs),
                        against_dense(layer, cost.nominal_macs, [&](const Stage &) { return cost.dense_macs; }));
    if (cost.real_macs != cost.nominal_macs) {
        text += fmt::format("{:{}}{} of them are not real: they meet padding or land outside the output\n", "", indent,
                            print_percent(cost.nominal_macs - cost.real_macs, cost.nominal_macs));
    }
    return text;
}

// Every stage makes as many pixels as it reads, borders aside: their costs a pixel add up.
bool same_pixels_throughout(const Layer &layer) {
    for (const Stage &stage : layer.stages) {
        for (const Axis &axis : stage.axes) {
            if (axis.stride != 1) return false;
        }
    }
    return true;
}

Count macs_per_pixel(const Stage &stage) {
    const bool transposed = stage.kind == StageKind::transposed;
    return multiply(macs_per_element(stage), as_count(transposed ? stage.in_channels : stage.out_channels));
}

std::string cost_per_pixel(const Layer &layer) {
    Table table({Align::left, Align::right, Align::right, Align::right, Align::right, Align::left});
    table.add_row({"", "MACs an element", "MACs a pixel", "parameters", "receptive field", ""});
    std::vector<Count> terms;
    Count sum = 0;
    const std::vector<std::vector<Count>> fields = receptive_fields(layer);
    for (size_t i = 0; i < layer.stages.size(); i++) {
        const Stage &stage = layer.stages[i];
        terms.push_back(macs_per_pixel(stage));
        sum = add(sum, terms.back());
        table.add_row({fmt::format("stage {}", i), print_count(macs_per_element(stage)), print_count(terms.back()),
                       print_count(stage_parameters(stage)), print_sides(fields[i]),
                       stage.kind == StageKind::transposed ? "(MACs of its input)" : ""});
    }
    std::string text = "cost of one element and one pixel of the output, as extents are known only at run time\n" +
                       table.print(indent);
    if (!same_pixels_throughout(layer)) return text;
    return text + fmt::format("\n{:{}}{} multiplications a pixel{}\n", "", indent, print_sum(terms, sum),
                              against_dense(layer, sum, macs_per_pixel));
}

std::string parameter_section(const Layer &layer) {
    const std::vector<Parameter> parameters = layer.parameters();
    if (parameters.empty()) return "";
    Table table({Align::left, Align::left, Align::right});
    for (const Parameter &parameter : parameters) {
        table.add_row({parameter.name(), fmt::format("[{}]", fmt::join(parameter.shape, ", ")),
                       print_count(as_count(parameter.elements()))});
    }
    return "\nparameters\n" + table.print(indent);
}

}  // namespace

std::string explain_text(const Layer &layer) {
    const Layer counted = with_one_image(layer);
    std::string text = layer.name == "layer" ? "" : layer.name + "\n";
    text += layer.canonical_line() + "\n\n";
    for (int i = 0; i < static_cast<int>(layer.stages.size()); i++) text += stage_section(layer, i);
    const std::optional<LayerCost> cost = layer_cost(counted);
    if (cost) text += layer.inputs[0].type.batch == runtime_extent ? "cost of one image of the batch\n" : "cost\n";
    text += cost ? known_cost(counted, *cost) : cost_per_pixel(counted);
    return text + parameter_section(layer);
}

}  // namespace convc
