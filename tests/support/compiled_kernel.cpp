#include "tests/support/compiled_kernel.h"

#include <cstdlib>

#include "compiler/codegen/codegen.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"

namespace convc::test {
namespace {

Result<LoadedKernel> load(const Layer &layer, const std::vector<Schedule> &schedules, const Target &target) {
    Result<Plan> plan = schedules.empty() ? make_plan(layer, target) : make_pinned_plan(layer, target, schedules);
    if (!plan) return plan.error();
    Result<Kernel> kernel = compile_kernel(*plan, "layer");
    if (!kernel) return kernel.error();
    return load_kernel(*kernel);
}

}  // namespace

Target kernel_target() {
    const char *name = std::getenv("CONVC_TEST_TARGET");
    if (name == nullptr) return host_target();
    const Result<Target> target = resolve_target(name);
    if (target) return *target;
    ADD_FAILURE() << "CONVC_TEST_TARGET: " << target.error().message;
    return host_target();
}

std::unique_ptr<CompiledKernel> compile(const Layer &layer, const std::vector<Schedule> &schedules,
                                        std::vector<int64_t> extents, const Target &target) {
    set_crash_note(layer.canonical_line().c_str());
    Result<LoadedKernel> loaded = load(layer, schedules, target);
    if (loaded) return std::make_unique<CompiledKernel>(layer, std::move(*loaded), std::move(extents));
    ADD_FAILURE() << layer.canonical_line() << "\n  by " << print_schedules(schedules) << " for " << target.full_name()
                  << ": " << loaded.error().message;
    return nullptr;
}

void expect_right(const Layer &layer, const std::vector<Schedule> &schedules, uint64_t seed, const Target &target) {
    const auto kernel = compile(layer, schedules, {}, target);
    if (!kernel) return;
    const auto exact = keeps_integers(layer) ? exact_data(layer, seed) : std::nullopt;
    if (exact) {
        EXPECT_TRUE(kernel->agrees(*exact, Tolerance::exact));
    }
    EXPECT_TRUE(kernel->agrees(uniform_data(layer, seed), Tolerance::bounded));
}

}  // namespace convc::test
