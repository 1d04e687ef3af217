#include "compiler/driver/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compiler/driver/device_report.h"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"

namespace convc {
namespace {

using nlohmann::ordered_json;

struct Considered {
    std::string algorithm;
    bool taken = false;
    std::string reason;
};

// In the table's order, which is the order of preference.
std::vector<Considered> considered(const Plan &plan, const PlannedGroup &planned) {
    const StageGroup group{&plan.layer, planned.first_stage, planned.stage_count};
    const bool by_default = plan.origin == Plan::Origin::standard;
    std::vector<Considered> all;
    for (const Algorithm &algorithm : schedule_table(plan.target)) {
        Considered row{std::string(algorithm.name), algorithm.name == planned.schedule.algorithm, ""};
        if (row.taken) {
            row.reason = by_default ? "the first that computes it" : plan.origin_name();
        } else if (const auto refusal = algorithm.refusal(group, plan.target)) {
            row.reason = *refusal;
        } else if (const auto reluctance = algorithm.is_reluctant(group, plan.target)) {
            row.reason = "computes it too, but " + *reluctance;
        } else {
            row.reason = fmt::format("computes it too, but {} is {}", planned.schedule.algorithm,
                                     by_default ? "preferred" : plan.origin_name());
        }
        all.push_back(std::move(row));
    }
    return all;
}

// Why the group does not go on with the next stages, a line each.
std::vector<std::string> not_fused(const Plan &plan, const PlannedGroup &planned) {
    std::vector<std::string> lines;
    if (plan.origin != Plan::Origin::standard) return lines;
    const int left = static_cast<int>(plan.layer.stages.size()) - planned.first_stage;
    for (const Algorithm &algorithm : schedule_table(plan.target)) {
        for (int count = std::min(left, algorithm.most_stages); count > planned.stage_count; count--) {
            const StageGroup group{&plan.layer, planned.first_stage, count};
            auto reason = algorithm.refusal(group, plan.target);
            if (!reason) reason = algorithm.is_reluctant(group, plan.target);
            const std::string together = stages_text(planned.first_stage, count);
            if (reason) lines.push_back(fmt::format("{} not by {}: {}", together, algorithm.name, *reason));
        }
    }
    return lines;
}

KernelRequest request_of(const Plan &plan, const PlannedGroup &planned) {
    return kernel_request({&plan.layer, planned.first_stage, planned.stage_count}, planned.schedule, plan.target);
}

std::vector<Knob> knobs(const Plan &plan, const PlannedGroup &planned) {
    const Algorithm *algorithm = algorithm_named(planned.schedule.algorithm);
    if (!algorithm) return {};
    return written_knobs(*algorithm, request_of(plan, planned));
}

std::vector<std::string> notes(const Plan &plan, const PlannedGroup &planned) {
    const Algorithm *algorithm = algorithm_named(planned.schedule.algorithm);
    if (!algorithm || !algorithm->notes) return {};
    return algorithm->notes(request_of(plan, planned));
}

std::string group_text(const Plan &plan, const PlannedGroup &planned) {
    std::string text = fmt::format("  {}: {}\n", stages_text(planned.first_stage, planned.stage_count),
                                   print_schedule(planned.schedule));
    for (const Knob &knob : knobs(plan, planned)) {
        const auto value = planned.schedule.knob(knob.name);
        text += fmt::format("    {} = {} of {} to {}: {}\n", knob.name, value.value_or(0), knob.low, knob.high,
                            knob.meaning);
    }
    for (const std::string &note : notes(plan, planned)) text += fmt::format("    {}\n", note);
    for (const Considered &row : considered(plan, planned)) {
        text += fmt::format("    {} {}: {}\n", row.taken ? "taken:" : "not", row.algorithm, row.reason);
    }
    for (const std::string &line : not_fused(plan, planned)) text += fmt::format("    {}\n", line);
    return text;
}

ordered_json group_json(const Plan &plan, const PlannedGroup &planned) {
    ordered_json group{{"stages", stages_json(planned.first_stage, planned.stage_count)},
                       {"schedule", print_schedule(planned.schedule)}};
    group["knobs"] = ordered_json::array();
    for (const Knob &knob : knobs(plan, planned)) {
        group["knobs"].push_back({{"name", knob.name},
                                  {"value", planned.schedule.knob(knob.name).value_or(0)},
                                  {"low", knob.low},
                                  {"high", knob.high},
                                  {"meaning", knob.meaning}});
    }
    group["notes"] = notes(plan, planned);
    group["considered"] = ordered_json::array();
    for (const Considered &row : considered(plan, planned)) {
        group["considered"].push_back({{"algorithm", row.algorithm}, {"taken", row.taken}, {"reason", row.reason}});
    }
    group["not_fused"] = not_fused(plan, planned);
    return group;
}

}  // namespace

std::string stages_text(int first, int count) {
    if (count == 1) return fmt::format("stage {}", first);
    return fmt::format("stages {} to {}", first, first + count - 1);
}

ordered_json stages_json(int first, int count) {
    ordered_json stages = ordered_json::array();
    for (int i = 0; i < count; i++) stages.push_back(first + i);
    return stages;
}

std::string plan_text(const Result<Plan> &plan, const Target &target) {
    if (!plan) return fmt::format("plan for {}\n  none: {}\n", target.full_name(), plan.error().message);
    std::string text = fmt::format("plan for {} ({})\n", target.full_name(), plan->origin_name());
    const DeviceReport device = device_report(*plan);
    for (size_t i = 0; i < plan->groups.size(); i++) {
        text += group_text(*plan, plan->groups[i]);
        if (i >= device.groups.size()) continue;
        for (const DeviceUse &use : device.groups[i]) text += fmt::format("    {}\n", use.text());
    }
    if (!device.unknown.empty()) text += fmt::format("  {}\n", device.unknown);
    return text;
}

ordered_json plan_json(const Result<Plan> &plan, const Target &target) {
    if (!plan) return {{"target", target.full_name()}, {"refusal", plan.error().message}};
    ordered_json object{
        {"target", target.full_name()}, {"origin", plan->origin_name()}, {"groups", ordered_json::array()}};
    const DeviceReport device = device_report(*plan);
    for (size_t i = 0; i < plan->groups.size(); i++) {
        object["groups"].push_back(group_json(*plan, plan->groups[i]));
        if (i >= device.groups.size()) continue;
        for (const DeviceUse &use : device.groups[i]) object["groups"].back()["device"].push_back(use.json());
    }
    return object;
}

}  // namespace convc
