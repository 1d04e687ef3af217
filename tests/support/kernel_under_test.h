// A kernel called as an adversary would: guard pages on both sides of every buffer, inputs and weights that cannot be
// written, scratch full of garbage.
//
//     KernelUnderTest kernel(layer, loaded.info());
//     EXPECT_TRUE(kernel.agrees(exact_data, Tolerance::exact));
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "compiler/reference/compare.h"
#include "convc/convc.h"
#include "convc/device_memory.h"
#include "convc/layer.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/layer_data.h"

namespace convc::test {

// Where the buffers of one call lie, and what stands in scratch memory before it.
struct CallSetting {
    Placement placement = Placement::at_start;
    unsigned char garbage = 0xff;  // of packed, workspace and y; 0xff in every byte is a NaN
};

class KernelUnderTest {
public:
    // `layer` as it was compiled. Its `?` extents, if any, are `extents`.
    KernelUnderTest(const Layer &layer, const convc_kernel_info &info, std::vector<int64_t> extents = {});

    const Layer &layer() const { return layer_; }  // without `?`
    const convc_kernel_info &info() const { return *info_; }

    // One call. What is wrong apart from the numbers is a GoogleTest failure: an error returned, memory touched that is
    // not the kernel's, an element of y left as it was. nullopt where there is no output.
    std::optional<Tensor> run(const LayerData &data, CallSetting setting = {}) const;

    // Calls with the buffers against either guard page and different garbage, wants the same bits both times, and
    // compares with the reference. Where the kernel does not sum as written, nothing is exact.
    testing::AssertionResult agrees(const LayerData &data, Tolerance tolerance) const;

private:
    Layer layer_;
    const convc_kernel_info *info_;
    std::vector<int64_t> extents_;
};

// A kernel's parameters packed once: for tests that call many times.
class PackedKernel {
public:
    PackedKernel(const convc_kernel_info &info, const std::vector<Tensor> &parameters, CallSetting setting = {});
    const void *data() const { return on_device_.get() != nullptr ? on_device_.get() : packed_.data(); }
    bool surroundings_intact() const { return packed_.surroundings_intact(); }

private:
    GuardedBuffer packed_;
    DeviceMemory on_device_;  // of a kernel for a GPU
};

bool same_bits(const Tensor &a, const Tensor &b);

}  // namespace convc::test
