#include "compiler/driver/tuning/winners.h"

#include <fmt/format.h>

#include <set>

#include "compiler/tune/tune_layer.h"

namespace convc {
namespace {

// `layer NAME(x: TYPE) = STAGES` of the canonical line `TYPE -> STAGES` or `(x: TYPE, y: TYPE) -> STAGES`.
std::string declaration(const std::string &name, const std::string &line) {
    constexpr std::string_view arrow = " -> ";
    const size_t at = line.find(arrow);
    const std::string inputs = line.substr(0, at), stages = line.substr(at + arrow.size());
    if (inputs.front() == '(') return fmt::format("layer {}{} = {}\n", name, inputs, stages);
    return fmt::format("layer {}(x: {}) = {}\n", name, inputs, stages);
}

std::string schedule_statements(const std::string &name, const std::string &line,
                                const std::vector<TrialSummary> &summaries) {
    std::string text;
    std::set<std::string> targets;
    for (const TrialSummary &summary : summaries) {
        if (summary.layer != line || !summary.best || summary.best->relative * least_gain > 1) continue;
        if (!targets.insert(summary.target).second) continue;  // an earlier build, or another machine
        text += fmt::format("schedule {} on \"{}\" = {}\n", name, summary.target, summary.best->key.schedule);
    }
    return text;
}

std::string free_name(const Layer &layer, std::set<std::string> &taken) {
    std::string name = layer.c_name();
    for (int number = 2; !taken.insert(name).second; number++) name = fmt::format("{}_{}", layer.c_name(), number);
    return name;
}

}  // namespace

std::string print_winners(const std::vector<const Layer *> &layers, const std::vector<TrialSummary> &summaries) {
    std::set<std::string> lines, names;
    std::string text;
    for (const Layer *layer : layers) {
        const std::string line = layer->canonical_line();
        if (!lines.insert(line).second || schedule_statements("", line, summaries).empty()) continue;
        const std::string name = free_name(*layer, names);
        text += fmt::format("\n{}{}", declaration(name, line), schedule_statements(name, line, summaries));
    }
    return text;
}

}  // namespace convc
