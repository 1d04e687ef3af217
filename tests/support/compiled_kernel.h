// A layer compiled for the machine at hand and loaded into the test's process, past the kernel cache.
#pragma once

#include <memory>
#include <vector>

#include "convc/layer.h"
#include "convc/loaded_kernel.h"
#include "convc/schedule.h"
#include "tests/support/kernel_under_test.h"

namespace convc::test {

class CompiledKernel : public KernelUnderTest {
public:
    CompiledKernel(const Layer &layer, LoadedKernel loaded, std::vector<int64_t> extents)
        : KernelUnderTest(layer, loaded.info(), std::move(extents)), loaded_(std::move(loaded)) {}

private:
    LoadedKernel loaded_;  // keeps the code alive
};

// With these schedules, one a group of stages, or the default ones. nullptr, and a GoogleTest failure, where it fails.
std::unique_ptr<CompiledKernel> compile(const Layer &layer, const std::vector<Schedule> &schedules = {},
                                        std::vector<int64_t> extents = {});

// Compiles, and checks: exactly on integers where the layer keeps them integers, and within the bound on real numbers.
void expect_right(const Layer &layer, const std::vector<Schedule> &schedules = {}, uint64_t seed = 1);

}  // namespace convc::test
