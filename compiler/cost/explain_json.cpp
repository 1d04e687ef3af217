// An explanation as JSON. explain.h lists the keys.
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "compiler/cost/cost.h"
#include "compiler/cost/derivation.h"
#include "compiler/cost/explain.h"

namespace convc {
namespace {

using Json = nlohmann::ordered_json;

constexpr Count exact_in_double = Count{1} << 53;

Json json_count(Count count) {
    if (count > exact_in_double) return print_count_digits(count);
    return static_cast<uint64_t>(count);
}

Json json_extent(int64_t extent) {
    return extent == runtime_extent ? Json() : json_count(as_count(extent));
}

Json json_tensor(const TensorType &type) {
    Json extents = Json::array();
    for (const int64_t extent : type.extents()) extents.push_back(json_extent(extent));
    return {{"dtype", "f32"}, {"layout", layout_name(type.layout)}, {"extents", std::move(extents)}};
}

Json json_field(const std::vector<Count> &field) {
    Json sides = Json::array();
    for (const Count side : field) sides.push_back(json_count(side));
    return sides;
}

Json json_axes(const Layer &layer, int index) {
    const Stage &stage = layer.stages[static_cast<size_t>(index)];
    Json axes = Json::array();
    const std::vector<AxisDerivation> derivations = derive_axes(layer, index);
    for (size_t i = 0; i < derivations.size(); i++) {
        const Axis &axis = stage.axes[i];
        const bool unknown = axis.same_at_run_time;
        axes.push_back({{"axis", derivations[i].name},
                        {"input", json_extent(derivations[i].input)},
                        {"kernel", json_count(as_count(axis.kernel))},
                        {"stride", json_count(as_count(axis.stride))},
                        {"dilation", json_count(as_count(axis.dilation))},
                        {"effective_kernel", json_count(as_count(axis.effective_kernel()))},
                        {"pad_before", unknown ? Json() : json_count(as_count(axis.pad_before))},
                        {"pad_after", unknown ? Json() : json_count(as_count(axis.pad_after))},
                        {"output_padding", json_count(as_count(axis.output_padding))},
                        {"output", json_extent(derivations[i].output)},
                        {"derivation", derivations[i].extent}});
    }
    return axes;
}

// What both a stage and a whole layer cost: LayerCost and StageCost name it alike.
template <class Cost>
Json json_cost(const Cost *cost, Count parameters) {
    const auto known = [&](Count Cost::*member) { return cost != nullptr ? json_count(cost->*member) : Json(); };
    return {{"multiplications", known(&Cost::nominal_macs)},
            {"nominal_macs", known(&Cost::nominal_macs)},
            {"real_macs", known(&Cost::real_macs)},
            {"parameters", json_count(parameters)},
            {"bytes", known(&Cost::bytes)},
            {"intensity", cost != nullptr ? Json(cost->intensity) : Json()}};
}

const char *kind_name(StageKind kind) {
    static constexpr std::array<const char *, 4> names{"conv", "depthwise", "transposed", "shuffle"};
    return names[static_cast<size_t>(kind)];
}

Json json_epilogues(const Layer &layer, const Stage &stage) {
    Json epilogues = Json::array();
    for (const Epilogue &epilogue : stage.epilogues) epilogues.push_back(print_epilogue(layer, epilogue));
    return epilogues;
}

Json json_stage(const Layer &layer, int index, const LayerCost *cost, const std::vector<Count> &field) {
    const Stage &stage = layer.stages[static_cast<size_t>(index)];
    const StageCost *own = cost == nullptr ? nullptr : &cost->stages[static_cast<size_t>(index)];
    Json json{{"index", index},
              {"operation", print_stage(layer, index)},
              {"kind", kind_name(stage.kind)},
              {"groups", json_count(as_count(stage.groups))},
              {"flip", stage.flip},
              {"pad_mode", print_pad_mode(stage)},
              {"epilogues", json_epilogues(layer, stage)},
              {"input", json_tensor(layer.stage_input(index))},
              {"output", json_tensor(stage.output)},
              {"axes", json_axes(layer, index)}};
    json.update(json_cost(own, stage_parameters(stage)));
    json["macs_per_element"] = json_count(macs_per_element(stage));
    json["dense_macs"] = own != nullptr ? json_count(own->dense_macs) : Json();
    json["receptive_field"] = json_field(field);
    return json;
}

Json json_dense(const Layer &layer, const LayerCost *cost) {
    const std::optional<Stage> dense = dense_equivalent(layer);
    if (!dense) return {};
    Layer alone = layer;
    alone.stages = {*dense};
    Json json{{"operation", print_stage(alone, 0)}, {"macs", nullptr}, {"ratio", nullptr}};
    if (cost != nullptr) {
        json["macs"] = json_count(cost->dense_macs);
        json["ratio"] = static_cast<double>(cost->nominal_macs) / static_cast<double>(cost->dense_macs);
    }
    return json;
}

Json json_parameters(const Layer &layer) {
    Json list = Json::array();
    for (const Parameter &parameter : layer.parameters()) {
        list.push_back({{"name", parameter.name()},
                        {"shape", parameter.shape},
                        {"elements", json_count(as_count(parameter.elements()))}});
    }
    return list;
}

}  // namespace

nlohmann::ordered_json explain_json(const Layer &layer) {
    const std::optional<LayerCost> known = layer_cost(with_one_image(layer));
    const LayerCost *cost = known ? &*known : nullptr;
    const int count = static_cast<int>(layer.stages.size());
    Count parameters = 0;
    Json inputs = Json::array();
    Json stages = Json::array();
    for (const NamedTensor &input : layer.inputs) {
        inputs.push_back({{"name", input.name}});
        inputs.back().update(json_tensor(input.type));
    }
    const std::vector<std::vector<Count>> fields = receptive_fields(layer);
    for (int i = 0; i < count; i++) {
        stages.push_back(json_stage(layer, i, cost, fields[static_cast<size_t>(i)]));
        parameters = add(parameters, stage_parameters(layer.stages[static_cast<size_t>(i)]));
    }
    Json json{{"name", layer.name},
              {"layer", layer.canonical_line()},
              {"inputs", std::move(inputs)},
              {"output", json_tensor(layer.output())},
              {"stages", std::move(stages)}};
    json.update(json_cost(cost, parameters));
    json["receptive_field"] = json_field(fields.back());
    json["dense_equivalent"] = json_dense(layer, cost);
    json["weights"] = json_parameters(layer);
    return json;
}

}  // namespace convc
