#include "compiler/tune/stages_of_layer.h"

#include <algorithm>
#include <map>

namespace convc {
namespace {

// x, or the next that none of the layer's further tensors has.
std::string fresh_name(const Layer &layer) {
    std::string name = "x";
    const auto taken = [&](const NamedTensor &tensor) { return tensor.name == name; };
    while (std::any_of(layer.inputs.begin() + 1, layer.inputs.end(), taken)) name += "_";
    return name;
}

}  // namespace

Layer stages_of_layer(const Layer &layer, int first, int count) {
    if (first == 0 && count == static_cast<int>(layer.stages.size())) return layer;
    Layer part;
    part.inputs.push_back(first == 0 ? layer.inputs[0] : NamedTensor{"", layer.stage_input(first)});
    std::map<int, int> moved;  // index of an operand, before and now
    if (first == 0) moved[0] = 0;
    for (int i = first; i < first + count; i++) {
        Stage stage = layer.stages[static_cast<size_t>(i)];
        for (Epilogue &epilogue : stage.epilogues) {
            if (epilogue.operand < 0) continue;
            const auto [found, is_new] = moved.try_emplace(epilogue.operand, static_cast<int>(part.inputs.size()));
            if (is_new) part.inputs.push_back(layer.inputs[static_cast<size_t>(epilogue.operand)]);
            epilogue.operand = found->second;
        }
        part.stages.push_back(std::move(stage));
    }
    if (first > 0) part.inputs[0].name = fresh_name(part);
    return part;
}

}  // namespace convc
