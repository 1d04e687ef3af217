#include "compiler/driver/space_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/cost/table.h"
#include "compiler/driver/plan_report.h"
#include "compiler/tune/kernel_ranges.h"
#include "compiler/tune/schedule_space.h"
#include "schedules/schedule_table.h"

namespace convc {
namespace {

using nlohmann::ordered_json;
using Align = Table::Align;

constexpr size_t most_shown = 5;  // of the candidates that are left

struct GroupSpaces {
    int first = 0, count = 1;
    std::vector<AlgorithmSpace> spaces;
};

std::vector<GroupSpaces> all_spaces(const Layer &layer, const Target &target) {
    std::vector<GroupSpaces> all;
    for (const StageRange &range : kernel_ranges(layer, target)) {
        all.push_back({range.first, range.count, schedule_spaces({&layer, range.first, range.count}, target)});
    }
    return all;
}

size_t shown(const AlgorithmSpace &space) {
    return std::min(space.candidates.size(), most_shown);
}

// Without a model, whatever is predicted says nothing.
bool has_model(const AlgorithmSpace &space) {
    return algorithm_named(space.algorithm)->cycles != nullptr;
}

// A power of ten where nobody would count the digits.
std::string print_number(double count) {
    return count < 1e9 ? fmt::format("{:.0f}", count) : fmt::format("{:.1e}", count);
}

std::string print_values(const std::set<int64_t> &values) {
    return values.empty() ? "none" : fmt::format("{}", fmt::join(values, " "));
}

std::string knobs_text(const AlgorithmSpace &space) {
    Table table({Align::left, Align::left});
    for (size_t i = 0; i < space.knobs.size(); i++) {
        const Knob &knob = space.knobs[i];
        table.add_row({knob.name, fmt::format("{} of {} to {}", print_values(space.values[i]), knob.low, knob.high)});
    }
    return table.print(4);
}

std::string counts_text(const AlgorithmSpace &space) {
    Table table({Align::right, Align::left});
    table.add_row({print_number(space.written), "by the knobs' ranges"});
    table.add_row({std::to_string(space.worthwhile), "of the values worth a trial"});
    for (const auto &[kind, count] : space.conflicts) {
        table.add_row({fmt::format("-{}", count), conflict_name(kind)});
    }
    if (space.slow > 0) table.add_row({fmt::format("-{}", space.slow), "slow by the model"});
    table.add_row({std::to_string(space.candidates.size()), "left"});
    return table.print(4);
}

std::string space_section(const GroupSpaces &group, const AlgorithmSpace &space) {
    std::string text = fmt::format("  {}: {}{}\n", stages_text(group.first, group.count), space.algorithm,
                                   space.half_vectors ? ", vectors of half a register" : "");
    text += knobs_text(space) + counts_text(space);
    for (size_t i = 0; i < shown(space); i++) {
        const Candidate &candidate = space.candidates[i];
        text += "    " + print_schedule(candidate.schedule);
        text += has_model(space) ? fmt::format(": {:.0f} cycles\n", candidate.predicted) : "\n";
    }
    return text;
}

ordered_json as_json(const GroupSpaces &group, const AlgorithmSpace &space) {
    ordered_json object{{"stages", stages_json(group.first, group.count)},
                        {"algorithm", space.algorithm},
                        {"half_vectors", space.half_vectors},
                        {"knobs", ordered_json::array()},
                        {"written", space.written},
                        {"worthwhile", space.worthwhile},
                        {"conflicts", ordered_json::object()},
                        {"slow", space.slow},
                        {"left", space.candidates.size()},
                        {"first", ordered_json::array()}};
    for (size_t i = 0; i < space.knobs.size(); i++) {
        const Knob &knob = space.knobs[i];
        object["knobs"].push_back({{"name", knob.name},
                                   {"low", knob.low},
                                   {"high", knob.high},
                                   {"meaning", knob.meaning},
                                   {"values", space.values[i]}});
    }
    for (const auto &[kind, count] : space.conflicts) object["conflicts"][conflict_name(kind)] = count;
    for (size_t i = 0; i < shown(space); i++) {
        const Candidate &candidate = space.candidates[i];
        object["first"].push_back({{"schedule", print_schedule(candidate.schedule)}, {"predicted_cycles", nullptr}});
        if (has_model(space)) object["first"].back()["predicted_cycles"] = candidate.predicted;
    }
    return object;
}

}  // namespace

std::string space_text(const Layer &layer, const Target &target) {
    std::string text = fmt::format("schedules to search for {}\n", target.full_name());
    for (const GroupSpaces &group : all_spaces(layer, target)) {
        for (const AlgorithmSpace &space : group.spaces) text += space_section(group, space);
    }
    return text;
}

ordered_json space_json(const Layer &layer, const Target &target) {
    ordered_json object{{"target", target.full_name()}, {"spaces", ordered_json::array()}};
    for (const GroupSpaces &group : all_spaces(layer, target)) {
        for (const AlgorithmSpace &space : group.spaces) object["spaces"].push_back(as_json(group, space));
    }
    return object;
}

}  // namespace convc
