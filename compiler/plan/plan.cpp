#include "compiler/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "schedules/schedule_table.h"

namespace convc {

std::vector<Schedule> Plan::schedules() const {
    std::vector<Schedule> all;
    all.reserve(groups.size());
    for (const PlannedGroup &group : groups) all.push_back(group.schedule);
    return all;
}

const char *Plan::origin_name() const {
    switch (origin) {
        case Origin::pinned:
            return "pinned";
        case Origin::tuned:
            return "tuned";
        case Origin::standard:
            return "default";
    }
    return "";
}

namespace {

// Algorithms that say the same say it once.
Error no_kernel(const Layer &layer, const PlannedGroup &group) {
    std::vector<Refusal> merged;
    for (const Refusal &refusal : group.refusals) {
        const auto same = std::find_if(merged.begin(), merged.end(),
                                       [&](const Refusal &other) { return other.reason == refusal.reason; });
        if (same == merged.end()) {
            merged.push_back(refusal);
        } else {
            same->algorithm += ", " + refusal.algorithm;
        }
    }
    std::string message = fmt::format("there is no kernel yet for stage {}, {}", group.first_stage,
                                      print_stage(layer, group.first_stage));
    for (const Refusal &refusal : merged) message += fmt::format("; {}: {}", refusal.algorithm, refusal.reason);
    return {Failure::invalid_input, message};
}

// Every knob of the algorithm once, within its range, and nothing else.
Status check_knobs(const Algorithm &algorithm, const KernelRequest &request) {
    const std::vector<Knob> knobs = algorithm.knobs(request.group, request.target);
    const auto wrong = [&](const std::string &what) {
        return Error{Failure::invalid_input, fmt::format("{}: {}", print_schedule(request.schedule), what)};
    };
    for (const auto &[name, value] : request.schedule.knobs) {
        const Knob *known = nullptr;
        for (const Knob &knob : knobs) known = knob.name == name ? &knob : known;
        if (!known) return wrong(fmt::format("'{}' has no knob '{}'", algorithm.name, name));
        if (value < known->low || value > known->high) {
            return wrong(fmt::format("{}={} is outside {}..{}", name, value, known->low, known->high));
        }
    }
    for (const Knob &knob : knobs) {
        if (!request.schedule.knob(knob.name)) return wrong(fmt::format("knob '{}' is missing", knob.name));
    }
    if (const auto reason = algorithm.conflict(request)) return wrong(*reason);
    return {};
}

// The knobs in the algorithm's own order, so that equal schedules print equally.
Schedule ordered(const Algorithm &algorithm, const KernelRequest &request) {
    Schedule schedule{request.schedule.algorithm, {}};
    for (const Knob &knob : algorithm.knobs(request.group, request.target)) {
        schedule.knobs.emplace_back(knob.name, *request.schedule.knob(knob.name));
    }
    return schedule;
}

}  // namespace

Result<Plan> make_plan(const Layer &layer, const Target &target) {
    Plan plan{layer, target, {}, Plan::Origin::standard};
    for (int stage = 0; stage < static_cast<int>(layer.stages.size()); stage++) {
        PlannedGroup planned{stage, 1, {}, {}};
        const StageGroup group{&plan.layer, stage, 1};
        for (const Algorithm &algorithm : schedule_table()) {
            if (const auto reason = algorithm.refusal(group, target)) {
                planned.refusals.push_back({std::string(algorithm.name), *reason});
                continue;
            }
            planned.schedule = algorithm.default_schedule(group, target);
            break;
        }
        if (planned.schedule.algorithm.empty()) return no_kernel(layer, planned);
        plan.groups.push_back(std::move(planned));
    }
    return plan;
}

Result<Plan> make_pinned_plan(const Layer &layer, const Target &target, const std::vector<Schedule> &groups) {
    Plan plan{layer, target, {}, Plan::Origin::pinned};
    if (groups.size() != layer.stages.size()) {
        return Error{
            Failure::invalid_input,
            fmt::format("{} schedule{} for {} stage{}: every algorithm so far computes one", groups.size(),
                        groups.size() == 1 ? "" : "s", layer.stages.size(), layer.stages.size() == 1 ? "" : "s")};
    }
    for (int stage = 0; stage < static_cast<int>(layer.stages.size()); stage++) {
        const Schedule &schedule = groups[static_cast<size_t>(stage)];
        const Algorithm *algorithm = algorithm_named(schedule.algorithm);
        if (!algorithm) return Error{Failure::invalid_input, fmt::format("unknown algorithm '{}'", schedule.algorithm)};
        const KernelRequest request{{&plan.layer, stage, 1}, schedule, target};
        if (const auto reason = algorithm->refusal(request.group, target)) {
            return Error{Failure::invalid_input, fmt::format("{} cannot compute {}: {}", schedule.algorithm,
                                                             print_stage(layer, stage), *reason)};
        }
        if (Status status = check_knobs(*algorithm, request); !status) return status.error();
        plan.groups.push_back({stage, 1, ordered(*algorithm, request), {}});
    }
    return plan;
}

namespace {

// How well a statement's target fits: 0 not at all, more is better.
int fit(const PinnedSchedule &pinned, const Layer &layer, const Target &target) {
    const Result<Target> named = parse_target(pinned.target);
    if (!named || pinned.layer != layer.name || named->isa != target.isa) return 0;
    if (!named->cpu.empty() && named->cpu != target.cpu) return 0;
    if (named->threads > 0 && named->threads != target.threads) return 0;
    return 1 + (named->cpu.empty() ? 0 : 2) + (named->threads > 0 ? 1 : 0);
}

}  // namespace

const PinnedSchedule *find_pinned(const CheckedModule &module, const Layer &layer, const Target &target) {
    const PinnedSchedule *best = nullptr;
    int best_fit = 0;
    for (const PinnedSchedule &pinned : module.schedules) {
        if (const int fits = fit(pinned, layer, target); fits > best_fit) best = &pinned, best_fit = fits;
    }
    return best;
}

}  // namespace convc
