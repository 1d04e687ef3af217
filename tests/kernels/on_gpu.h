// What the tests of each GPU algorithm share: they run where CONVC_TEST_TARGET names a GPU, gpu.* in ctest.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string_view>

#include "compiler/plan/plan.h"

namespace convc {

class OnGpu : public testing::Test {
protected:
    void SetUp() override;  // skips without a GPU
};

// Runs `count` of the layers that the algorithm does not refuse, each by another of its schedules: its own choice, all
// knobs low, all knobs high, others.
void expect_any_schedule_right(std::string_view algorithm, int count, const std::function<Layer()> &next_layer);

// The algorithms that a GPU target takes by default, a kernel each: "gpu_direct gpu_tiled".
std::string default_algorithms(const Layer &layer, const Target &target);

}  // namespace convc
