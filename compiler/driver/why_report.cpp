#include "compiler/driver/why_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "compiler/cost/table.h"
#include "compiler/driver/plan_report.h"
#include "compiler/driver/verbs/speed_table.h"

namespace convc {
namespace {

using nlohmann::ordered_json;
using Align = Table::Align;

// The rows of two columns: a name, both values, and what to look at.
class Rows {
public:
    void add(const std::string &name, const std::string &first, const std::string &second,
             const std::string &mark = "") {
        table_.add_row({name, first, second, mark});
    }

    // With the second by the first, where both are known.
    void add_number(const std::string &name, std::optional<double> first, std::optional<double> second, int decimals) {
        const auto print = [&](std::optional<double> value) {
            return value ? fmt::format("{:.{}f}", *value, decimals) : std::string("-");
        };
        const bool comparable = first && second && *first > 0 && print(first) != print(second);
        add(name, print(first), print(second), comparable ? fmt::format("{:.2f}", *second / *first) : "");
    }

    std::string print() const { return table_.print(2); }

private:
    Table table_{{Align::left, Align::right, Align::right, Align::right}};
};

// One value of a side's group; nothing where the group, its loop or its model is missing.
using Number = std::function<std::optional<double>(const GroupFacts &)>;

std::optional<double> number_of(const GroupFacts *group, const Number &number) {
    return group ? number(*group) : std::nullopt;
}

Number of_loop(double (*value)(const InnerLoop &)) {
    return [value](const GroupFacts &group) { return group.loop ? std::optional(value(*group.loop)) : std::nullopt; };
}

Number of_model(double (*value)(const InnerLoop &, const LoopCycles &)) {
    return [value](const GroupFacts &group) {
        return group.loop && *group.cycles ? std::optional(value(*group.loop, **group.cycles)) : std::nullopt;
    };
}

double per_fma(const InnerLoop &loop, double value) {
    return loop.fmas > 0 ? value / loop.fmas : 0;
}

struct NumberRow {
    const char *name;
    Number number;
    int decimals;
};

const std::vector<NumberRow> &loop_rows() {
    static const std::vector<NumberRow> rows{
        {"cycles a turn", of_model([](const InnerLoop &, const LoopCycles &model) { return model.cycles; }), 1},
        {"vector multiply-adds a turn", of_loop([](const InnerLoop &loop) { return double(loop.fmas); }), 0},
        {"cycles each",
         of_model([](const InnerLoop &loop, const LoopCycles &model) { return per_fma(loop, model.cycles); }), 2},
        {"cycles each, ideally",
         of_model([](const InnerLoop &loop, const LoopCycles &model) { return per_fma(loop, model.fma_cycles); }), 2},
        {"lanes a cycle",
         of_model([](const InnerLoop &loop, const LoopCycles &model) { return loop.multiply_adds / model.cycles; }), 1},
        {"bytes loaded each",
         of_loop([](const InnerLoop &loop) { return per_fma(loop, static_cast<double>(loop.bytes_loaded)); }), 1},
        {"loads", of_loop([](const InnerLoop &loop) { return double(loop.loads); }), 0},
        {"stores", of_loop([](const InnerLoop &loop) { return double(loop.stores); }), 0},
        {"spilled", of_loop([](const InnerLoop &loop) { return double(loop.spill_stores); }), 0},
        {"loaded from spills", of_loop([](const InnerLoop &loop) { return double(loop.spill_loads); }), 0},
        {"calls", of_loop([](const InnerLoop &loop) { return double(loop.calls); }), 0},
        {"instructions", of_loop([](const InnerLoop &loop) { return double(loop.instructions); }), 0},
        {"instructions a cycle",
         of_model([](const InnerLoop &, const LoopCycles &model) { return model.instructions_per_cycle; }), 2},
        {"micro-operations", of_model([](const InnerLoop &, const LoopCycles &model) { return model.uops; }), 0},
        {"bytes of code", of_loop([](const InnerLoop &loop) { return static_cast<double>(loop.code_bytes()); }), 0},
    };
    return rows;
}

std::string heading(const GroupFacts *group) {
    if (!group) return "-";
    return fmt::format("{}: {}", stages_text(group->first_stage, group->stage_count), group->schedule.algorithm);
}

std::string value_of(const GroupFacts *group, const std::string &knob) {
    const auto value = group ? group->schedule.knob(knob) : std::nullopt;
    return value ? std::to_string(*value) : "-";
}

void add_knobs(const GroupFacts *first, const GroupFacts *second, Rows &rows) {
    std::vector<std::string> names;
    for (const GroupFacts *group : {first, second}) {
        if (!group) continue;
        for (const auto &[name, value] : group->schedule.knobs) {
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
    }
    for (const std::string &name : names) {
        const std::string a = value_of(first, name), b = value_of(second, name);
        rows.add("  " + name, a, b, a == b ? "" : "*");
    }
}

double busy(const GroupFacts *group, const std::string &resource) {
    if (!group || !group->loop || !*group->cycles) return 0;
    for (const ResourcePressure &each : (*group->cycles)->pressure) {
        if (each.resource == resource) return each.cycles;
    }
    return 0;
}

// The busiest resources of either, so that a difference between them shows.
void add_pressure(const GroupFacts *first, const GroupFacts *second, Rows &rows) {
    constexpr size_t most = 5;
    std::vector<std::string> names;
    for (const GroupFacts *group : {first, second}) {
        if (!group || !group->loop || !*group->cycles) continue;
        const std::vector<ResourcePressure> &pressure = (*group->cycles)->pressure;
        for (size_t i = 0; i < std::min(most, pressure.size()); i++) {
            const std::string &name = pressure[i].resource;
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
    }
    for (const std::string &name : names) {
        rows.add_number("  " + name + " busy", busy(first, name), busy(second, name), 1);
    }
}

// Why LLVM's model says nothing, for people who wonder at dashes.
std::string unknown_models(const ScheduleFacts &facts) {
    std::string text;
    for (const GroupFacts &group : facts.groups) {
        if (group.loop && !*group.cycles) text += fmt::format("  no cycles: {}\n", group.cycles->error().message);
    }
    return text;
}

// Models of different algorithms, or of other vectors, leave out different things: no ratio of theirs.
void add_predicted(const GroupFacts *first, const GroupFacts *second, Rows &rows) {
    const Number predicted = [](const GroupFacts &group) { return group.predicted; };
    const auto a = number_of(first, predicted), b = number_of(second, predicted);
    const bool same = first && second && first->schedule.algorithm == second->schedule.algorithm &&
                      first->schedule.knob("half_vectors") == second->schedule.knob("half_vectors");
    if (same) return rows.add_number("  predicted cycles", a, b, 0);
    const auto print = [](std::optional<double> value) { return value ? fmt::format("{:.0f}", *value) : "-"; };
    rows.add("  predicted cycles", print(a), print(b));
}

void add_group(const GroupFacts *first, const GroupFacts *second, Rows &rows) {
    rows.add("", "", "");
    rows.add("", heading(first), heading(second));
    add_knobs(first, second, rows);
    add_predicted(first, second, rows);
    rows.add("  the hottest inner loop:", "", "");
    for (const NumberRow &row : loop_rows()) {
        rows.add_number(std::string("  ") + row.name, number_of(first, row.number), number_of(second, row.number),
                        row.decimals);
    }
    add_pressure(first, second, rows);
}

ordered_json model_json(const Result<LoopCycles> &cycles) {
    if (!cycles) return {{"unknown", cycles.error().message}};
    ordered_json pressure = ordered_json::object();
    for (const ResourcePressure &each : cycles->pressure) pressure[each.resource] = each.cycles;
    return {{"cpu", cycles->cpu},
            {"cycles", cycles->cycles},
            {"fma_cycles", cycles->fma_cycles},
            {"instructions_per_cycle", cycles->instructions_per_cycle},
            {"uops", cycles->uops},
            {"pressure", pressure}};
}

ordered_json loop_json(const InnerLoop &loop, const Result<LoopCycles> &cycles) {
    return {{"function", loop.function},
            {"offset", loop.offset},
            {"depth", loop.depth},
            {"instructions", loop.instructions},
            {"fmas", loop.fmas},
            {"multiply_adds", loop.multiply_adds},
            {"loads", loop.loads},
            {"stores", loop.stores},
            {"bytes_loaded", loop.bytes_loaded},
            {"spill_loads", loop.spill_loads},
            {"spill_stores", loop.spill_stores},
            {"calls", loop.calls},
            {"selects", loop.selects},
            {"code_bytes", loop.code_bytes()},
            {"model", model_json(cycles)}};
}

ordered_json side_json(const ScheduleFacts &facts) {
    ordered_json side{{"schedule", facts.schedules},
                      {"origin", facts.origin},
                      {"seconds", facts.seconds},
                      {"groups", ordered_json::array()}};
    for (const GroupFacts &group : facts.groups) {
        ordered_json object{{"stages", stages_json(group.first_stage, group.stage_count)},
                            {"schedule", print_schedule(group.schedule)},
                            {"knobs", ordered_json::object()},
                            {"predicted_cycles", nullptr},
                            {"loop", nullptr}};
        for (const auto &[name, value] : group.schedule.knobs) object["knobs"][name] = value;
        if (group.predicted) object["predicted_cycles"] = *group.predicted;
        if (group.loop) object["loop"] = loop_json(*group.loop, *group.cycles);
        side["groups"].push_back(std::move(object));
    }
    return side;
}

}  // namespace

std::string why_text(const ScheduleComparison &comparison) {
    const ScheduleFacts &first = comparison.first, &second = comparison.second;
    std::string text = "two schedules\n";
    text +=
        fmt::format("  A: {} ({})\n  B: {} ({})\n\n", first.schedules, first.origin, second.schedules, second.origin);
    Rows rows;
    rows.add("", "A", "B", "B/A");
    rows.add("measured ms", milliseconds(first.seconds), milliseconds(second.seconds),
             fmt::format("{:.2f}", second.seconds / first.seconds));
    for (size_t i = 0; i < std::max(first.groups.size(), second.groups.size()); i++) {
        add_group(i < first.groups.size() ? &first.groups[i] : nullptr,
                  i < second.groups.size() ? &second.groups[i] : nullptr, rows);
    }
    return text + rows.print() + unknown_models(first) + unknown_models(second);
}

ordered_json why_json(const ScheduleComparison &comparison) {
    return {{"first", side_json(comparison.first)}, {"second", side_json(comparison.second)}};
}

}  // namespace convc
