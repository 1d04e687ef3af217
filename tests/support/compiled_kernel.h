// A layer compiled and loaded into the test's process, past the kernel cache. CONVC_TEST_TARGET names another target
// than the machine at hand for all of them, one that it can run.
#pragma once

#include <memory>
#include <vector>

#include "convc/layer.h"
#include "convc/loaded_kernel.h"
#include "convc/schedule.h"
#include "convc/target.h"
#include "tests/support/kernel_under_test.h"

namespace convc::test {

class CompiledKernel : public KernelUnderTest {
public:
    CompiledKernel(const Layer &layer, LoadedKernel loaded, std::vector<int64_t> extents)
        : KernelUnderTest(layer, loaded.info(), std::move(extents)), declared_(layer), loaded_(std::move(loaded)) {}

    // The same kernel for other run-time extents; valid as long as this one.
    KernelUnderTest with(std::vector<int64_t> extents) const { return {declared_, loaded_.info(), std::move(extents)}; }

private:
    Layer declared_;
    LoadedKernel loaded_;  // keeps the code alive
};

// $CONVC_TEST_TARGET, else the machine at hand.
Target kernel_target();

// With these schedules, one a group of stages, or the default ones. nullptr, and a GoogleTest failure, where it fails.
std::unique_ptr<CompiledKernel> compile(const Layer &layer, const std::vector<Schedule> &schedules = {},
                                        std::vector<int64_t> extents = {}, const Target &target = kernel_target());

// Compiles, and checks: exactly on integers where the layer keeps them integers, and within the bound on real numbers.
void expect_right(const Layer &layer, const std::vector<Schedule> &schedules = {}, uint64_t seed = 1,
                  const Target &target = kernel_target());

}  // namespace convc::test
