#include "compiler/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "compiler/plan/shipped_schedules.h"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"

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
        case Origin::shipped:
            return "shipped";
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
    if (const auto conflict = algorithm.conflict(request)) return wrong(conflict->reason);
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

// A chain of n stages is tried in at most this many times n groups: planning stays linear.
int most_fused_stages(const Target &target) {
    int most = 1;
    for (const Algorithm &algorithm : schedule_table(target)) most = std::max(most, algorithm.most_stages);
    return most;
}

// Packed memory, too, is indexed in 32 bits, and whole tiles make it larger than the parameters.
std::optional<std::string> packing_refusal(const Algorithm &algorithm, const KernelRequest &request) {
    for (const KernelArgument &argument : algorithm.arguments(request)) {
        if (argument.role != KernelArgument::Role::parameter) continue;
        if (view_elements(argument.view) <= std::numeric_limits<int32_t>::max()) continue;
        return fmt::format("{} takes more than 2^31 - 1 elements when packed", argument.parameter.name());
    }
    return std::nullopt;
}

// Why an algorithm that computes this group does not with these knobs.
std::optional<std::string> schedule_refusal(const Algorithm &algorithm, const KernelRequest &request) {
    if (auto conflict = algorithm.conflict(request)) return std::move(conflict->reason);
    return packing_refusal(algorithm, request);
}

// Why an algorithm does not become the default of this group.
std::optional<std::string> default_refusal(const Algorithm &algorithm, const StageGroup &group, const Target &target) {
    if (auto reason = algorithm.refusal(group, target)) return reason;
    return algorithm.is_reluctant(group, target);
}

// By the first algorithm that computes it; the schedule is empty where none does.
PlannedGroup plan_group(const StageGroup &group, const Target &target) {
    PlannedGroup planned{group.first, group.count, {}, {}};
    for (const Algorithm &algorithm : schedule_table(target)) {
        if (const auto reason = default_refusal(algorithm, group, target)) {
            planned.refusals.push_back({std::string(algorithm.name), *reason});
            continue;
        }
        Schedule schedule = default_of_any_width(algorithm, group, target);
        if (const auto reason = schedule_refusal(algorithm, kernel_request(group, schedule, target))) {
            planned.refusals.push_back({std::string(algorithm.name), *reason});
            continue;
        }
        planned.schedule = std::move(schedule);
        break;
    }
    return planned;
}

}  // namespace

Result<Plan> make_plan(const Layer &layer, const Target &target) {
    Plan plan{layer, target, {}, Plan::Origin::standard};
    const int stages = static_cast<int>(layer.stages.size());
    const int most = most_fused_stages(target);
    for (int stage = 0; stage < stages; stage += plan.groups.back().stage_count) {
        PlannedGroup planned;
        for (int count = std::min(stages - stage, most); count > 0; count--) {
            planned = plan_group({&plan.layer, stage, count}, target);
            if (!planned.schedule.algorithm.empty()) break;
        }
        if (planned.schedule.algorithm.empty()) return no_kernel(layer, planned);
        plan.groups.push_back(std::move(planned));
    }
    return plan;
}

namespace {

Result<PlannedGroup> pin_group(const StageGroup &group, const Schedule &schedule, const Target &target) {
    const Algorithm *algorithm = algorithm_named(schedule.algorithm);
    const KernelRequest request = kernel_request(group, schedule, target);
    if (const auto reason = algorithm->refusal(group, request.target)) {
        std::string stages;
        for (int i = 0; i < group.count; i++) {
            stages += (i ? " -> " : "") + print_stage(*group.layer, group.first + i);
        }
        return Error{Failure::invalid_input,
                     fmt::format("{} cannot compute {}: {}", schedule.algorithm, stages, *reason)};
    }
    if (const auto reason = width_refusal(schedule, target)) {
        return Error{Failure::invalid_input, fmt::format("{}: {}", print_schedule(schedule), *reason)};
    }
    if (Status status = check_knobs(*algorithm, request); !status) return status.error();
    if (const auto reason = packing_refusal(*algorithm, request)) {
        return Error{Failure::invalid_input, fmt::format("{}: {}", print_schedule(schedule), *reason)};
    }
    const Schedule written = written_schedule({group, ordered(*algorithm, request), request.target});
    return PlannedGroup{group.first, group.count, written, {}};
}

// How many stages a schedule computes: its knob `stages`, which algorithms of several have.
Result<int> stage_count(const Schedule &schedule, int left) {
    if (!algorithm_named(schedule.algorithm)) {
        return Error{Failure::invalid_input, fmt::format("unknown algorithm '{}'", schedule.algorithm)};
    }
    const int64_t count = schedule.knob("stages").value_or(1);
    if (count >= 1 && count <= left) return static_cast<int>(count);
    return Error{Failure::invalid_input, fmt::format("{}: {} stage{} left for stages={}", print_schedule(schedule),
                                                     left, left == 1 ? " is" : "s are", count)};
}

}  // namespace

Result<Plan> make_pinned_plan(const Layer &layer, const Target &target, const std::vector<Schedule> &groups) {
    Plan plan{layer, target, {}, Plan::Origin::pinned};
    const int stages = static_cast<int>(layer.stages.size());
    int stage = 0;
    for (const Schedule &schedule : groups) {
        const Result<int> count = stage_count(schedule, stages - stage);
        if (!count) return count.error();
        Result<PlannedGroup> planned = pin_group({&plan.layer, stage, *count}, schedule, target);
        if (!planned) return planned.error();
        plan.groups.push_back(std::move(*planned));
        stage += *count;
    }
    if (stage == stages) return plan;
    return Error{Failure::invalid_input, fmt::format("the schedules compute {} of {} stages", stage, stages)};
}

Result<Plan> make_best_plan(const Layer &layer, const Target &target) {
    if (const ShippedSchedule *shipped = find_shipped(layer, target)) {
        Result<Plan> plan = make_pinned_plan(layer, target, shipped->groups);
        if (plan) {
            plan->origin = Plan::Origin::shipped;
            return plan;
        }
    }
    return make_plan(layer, target);
}

int target_fit(const std::string &made_for, const Target &target) {
    const Result<Target> named = parse_target(made_for);
    if (!named || named->name() != target.name()) return 0;
    if (!named->cpu.empty() && named->cpu != target.cpu) return 0;
    if (named->threads > 0 && named->threads != target.threads) return 0;
    return 1 + (named->cpu.empty() ? 0 : 2) + (named->threads > 0 ? 1 : 0);
}

namespace {

// The layers' own file comes before the one beside it.
int fit(const PinnedSchedule &pinned, const Layer &layer, const Target &target) {
    if (pinned.layer != layer.name) return 0;
    const int fits = target_fit(pinned.target, target);
    return fits > 0 ? fits + (pinned.beside ? 0 : 4) : 0;
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
