#include "compiler/reference/check_sizes.h"

#include <fmt/format.h>

#include <optional>

namespace convc {
namespace {

Status check_size(const std::string &name, size_t given, std::optional<int64_t> wanted) {
    if (!wanted) {
        return Error{Failure::invalid_input, fmt::format("the extents of {} are not known, or overflow", name)};
    }
    if (given == static_cast<size_t>(*wanted)) return {};
    return Error{Failure::invalid_input,
                 fmt::format("{} has {} elements, but the layer needs {}", name, given, *wanted)};
}

}  // namespace

Status check_sizes(const Layer &layer, const std::vector<ReferenceTensor> &inputs,
                   const std::vector<ReferenceTensor> &parameters) {
    const std::vector<Parameter> wanted = layer.parameters();
    if (inputs.size() != layer.inputs.size() || parameters.size() != wanted.size()) {
        return Error{Failure::invalid_input,
                     fmt::format("{} tensors and {} parameters given, but the layer needs {} and {}", inputs.size(),
                                 parameters.size(), layer.inputs.size(), wanted.size())};
    }
    for (size_t i = 0; i < inputs.size(); i++) {
        const NamedTensor &input = layer.inputs[i];
        if (Status checked = check_size(input.name, inputs[i].size(), input.type.elements()); !checked) return checked;
    }
    for (size_t i = 0; i < parameters.size(); i++) {
        const Parameter &parameter = wanted[i];
        Status checked = check_size(parameter.name(), parameters[i].size(), parameter.elements());
        if (!checked) return checked;
    }
    for (const Stage &stage : layer.stages) {
        if (!stage.output.elements()) return check_size("a stage's output", 0, std::nullopt);
    }
    return {};
}

}  // namespace convc
