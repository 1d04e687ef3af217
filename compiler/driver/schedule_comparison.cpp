#include "compiler/driver/schedule_comparison.h"

#include "compiler/driver/layer_run.h"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"

namespace convc {
namespace {

std::optional<double> predicted_cycles(const Plan &plan, const PlannedGroup &planned) {
    const Algorithm *algorithm = algorithm_named(planned.schedule.algorithm);
    if (!algorithm || !algorithm->cycles) return std::nullopt;
    const StageGroup group{&plan.layer, planned.first_stage, planned.stage_count};
    return algorithm->cycles(kernel_request(group, planned.schedule, plan.target));
}

Result<ScheduleFacts> facts_of(const Plan &plan, const Kernel &kernel) {
    const Result<std::vector<GroupCode>> code = inspect_kernel(kernel);
    if (!code) return code.error();
    ScheduleFacts facts{print_schedules(plan.schedules()), plan.origin_name(), 0, {}};
    for (size_t i = 0; i < plan.groups.size(); i++) {
        const PlannedGroup &planned = plan.groups[i];
        GroupFacts group{planned.first_stage, planned.stage_count, planned.schedule, predicted_cycles(plan, planned),
                         std::nullopt,        std::nullopt};
        if (const InnerLoop *hottest = code->at(i).hottest()) {
            group.loop = *hottest;
            group.cycles = loop_cycles(*hottest, plan.target);
        }
        facts.groups.push_back(std::move(group));
    }
    return facts;
}

Status measure(const std::vector<const Kernel *> &kernels, const Layer &layer, ScheduleComparison &comparison) {
    constexpr int turns = 5;
    constexpr double seconds_each = 0.05;
    const Result<LayerData> data = make_data(layer, {});
    if (!data) return data.error();
    std::vector<KernelCall> calls;
    for (const Kernel *kernel : kernels) {
        Result<LoadedKernel> loaded = load_kernel(*kernel);
        if (!loaded) return loaded.error();
        Result<KernelCall> call = KernelCall::prepare(std::move(*loaded), *data);
        if (!call) return call.error();
        calls.push_back(std::move(*call));
    }
    const Result<std::vector<double>> seconds = time_in_turns({&calls[0], &calls[1]}, turns, seconds_each);
    if (!seconds) return seconds.error();
    comparison.first.seconds = seconds->at(0);
    comparison.second.seconds = seconds->at(1);
    return {};
}

}  // namespace

Result<ScheduleComparison> compare_schedules(const Plan &first, const Plan &second) {
    const Result<Kernel> first_kernel = compile_plan(first), second_kernel = compile_plan(second);
    if (!first_kernel) return first_kernel.error();
    if (!second_kernel) return second_kernel.error();
    Result<ScheduleFacts> first_facts = facts_of(first, *first_kernel), second_facts = facts_of(second, *second_kernel);
    if (!first_facts) return first_facts.error();
    if (!second_facts) return second_facts.error();
    ScheduleComparison comparison{std::move(*first_facts), std::move(*second_facts)};
    const std::vector<const Kernel *> kernels{&*first_kernel, &*second_kernel};
    if (Status status = measure(kernels, first.layer, comparison); !status) return status.error();
    return comparison;
}

}  // namespace convc
