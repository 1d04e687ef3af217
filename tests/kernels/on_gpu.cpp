#include "tests/kernels/on_gpu.h"

#include "tests/kernels/specimens.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random.h"

namespace convc {

void OnGpu::SetUp() {
    if (test::kernel_target().gpu == Gpu::none) GTEST_SKIP() << "for a GPU, which CONVC_TEST_TARGET names";
}

void expect_any_schedule_right(std::string_view algorithm, int count, const std::function<Layer()> &next_layer) {
    const Algorithm &by = *algorithm_named(algorithm);
    const Target target = test::kernel_target();
    test::Random random(11);
    int compiled = 0;
    for (int i = 0; i < 20 * count && compiled < count; i++) {
        const Layer layer = next_layer();
        if (by.refusal(whole(layer), target)) continue;
        const std::vector<Schedule> all = schedules_of(by, layer, target, random, 4);
        test::expect_right(layer, {all[static_cast<size_t>(compiled) % all.size()]}, static_cast<uint64_t>(i));
        compiled++;
    }
    EXPECT_EQ(compiled, count);
}

std::string default_algorithms(const Layer &layer, const Target &target) {
    const Result<Plan> plan = make_plan(layer, target);
    if (!plan) return "no plan";
    std::string names;
    for (const PlannedGroup &group : plan->groups) names += (names.empty() ? "" : " ") + group.schedule.algorithm;
    return names;
}

}  // namespace convc
