// Kernels called from many threads at once, and by any number of their own: the same bits every time.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::GuardedBuffer;
using test::LayerBuilder;
using test::LayerData;
using test::line;
using test::Placement;
using test::square;

struct Case {
    Layer layer;
    std::vector<int64_t> extents{};  // of its `?`

    const int64_t *given() const { return extents.empty() ? nullptr : extents.data(); }
};

std::vector<Case> cases() {
    std::vector<Case> all;
    LayerBuilder conv(test::nhwc(1, 23, 19, 16));
    all.push_back({conv.conv(48, square(3, 1, 1)).epilogue(EpilogueKind::bias).epilogue(EpilogueKind::relu)});
    all.push_back({LayerBuilder(test::tensor(Layout::nchw, 2, {17, 18}, 12)).conv(24, square(3, 2, 1), 2)});
    all.push_back({LayerBuilder(test::nhwc(1, 7, 7, 64)).conv(64, square(1))});
    all.push_back({LayerBuilder(test::nhwc(1, 31, 29, 40)).depthwise(square(5, 1, 2))});
    all.push_back({LayerBuilder(test::nhwc(1, 11, 9, 24)).transposed(32, square(4, 2, 1))});
    all.push_back({LayerBuilder(test::nhwc(1, 17, 19, 48)).conv(32, square(3, 1, 1), 16)});
    all.push_back({LayerBuilder(test::tensor(Layout::nchw, 1, {10, 64}, 1))
                       .depthwise(square(3, 1, 1))
                       .weights({1, 1, 1, 1, 1, 1, 1, 1, 1})});
    all.push_back({LayerBuilder(test::tensor(Layout::nchw, 1, {23, 40}, 2)).depthwise(square(5, 1, 2))});
    all.push_back({LayerBuilder(test::tensor(Layout::nwc, 1, {43}, 16)).depthwise(line(31, 1, 15))});
    all.push_back({LayerBuilder(test::tensor(Layout::nchw, 1, {23, 37}, 3)).conv(10, square(3, 1, 1))});
    LayerBuilder chain(test::nhwc(1, 20, 20, 8));
    chain.conv(32, square(1)).epilogue(EpilogueKind::relu6).depthwise(square(3, 2, 1)).conv(16, square(1));
    all.push_back({chain});
    LayerBuilder unit(test::nhwc(1, 14, 13, 48));
    unit.conv(24, square(1), 3).epilogue(EpilogueKind::relu).shuffle(3).depthwise(square(3, 1, 1));
    all.push_back({unit.conv(48, square(1), 3).epilogue(EpilogueKind::add, 0)});
    const TensorType unknown = test::nhwc(1, runtime_extent, runtime_extent, 8);
    all.push_back({LayerBuilder(unknown).conv(24, square(3, 1, 1)).epilogue(EpilogueKind::relu), {37, 41}});
    all.push_back({LayerBuilder(unknown).depthwise(square(3, 2, 1)), {45, 38}});
    all.push_back({LayerBuilder(unknown).transposed(12, square(4, 2, 1)), {19, 23}});
    all.push_back({LayerBuilder(unknown).conv(16, square(1)).depthwise(square(3, 1, 1)).conv(8, square(1)), {29, 31}});
    return all;
}

// The workspace has a part for each thread of the target: fewer would compute than run.
Target target_of_threads(int threads) {
    Target target = test::kernel_target();
    target.threads = threads;
    return target;
}

TEST(Threads, AnyNumberGivesTheSameBits) {
    for (const Case &tested : cases()) {
        const auto kernel = test::compile(tested.layer, {}, tested.extents, target_of_threads(7));
        ASSERT_TRUE(kernel);
        const Layer &layer = kernel->layer();
        const LayerData data = test::uniform_data(layer, 11);
        convc_set_threads(1);
        const auto alone = kernel->run(data);
        ASSERT_TRUE(alone);
        for (int threads : {2, 3, 7}) {
            EXPECT_EQ(convc_set_threads(threads), threads);
            for (int repeat = 0; repeat < 5; repeat++) {
                const auto together = kernel->run(data);
                ASSERT_TRUE(together);
                EXPECT_TRUE(test::same_bits(*alone, *together)) << tested.layer.canonical_line() << " by " << threads;
            }
        }
        convc_set_threads(0);
    }
}

// Sixteen callers share the packed weights and the input; each has its own output and workspace.
TEST(Threads, SixteenCallersAtOnce) {
    constexpr int callers = 16;
    constexpr int calls = 20;
    for (const Case &tested : cases()) {
        const auto kernel = test::compile(tested.layer, {}, tested.extents);
        ASSERT_TRUE(kernel);
        const Layer &layer = kernel->layer();
        const convc_kernel_info &info = kernel->info();
        const LayerData data = test::uniform_data(layer, 12);
        const auto expected = kernel->run(data);
        ASSERT_TRUE(expected);
        const test::PackedKernel packed(info, data.parameters);
        const float *const x[] = {data.inputs[0].data()};
        std::atomic<int> wrong{0};
        std::vector<std::thread> threads;
        threads.reserve(static_cast<size_t>(callers));
        for (int i = 0; i < callers; i++) {
            threads.emplace_back([&] {
                const size_t bytes = expected->size() * sizeof(float);
                const GuardedBuffer workspace("workspace", info.workspace(tested.given()), 64, Placement::at_end);
                for (int call = 0; call < calls; call++) {
                    const GuardedBuffer y("y", bytes, alignof(float), Placement::at_end);
                    const int rc = info.run(tested.given(), x, packed.data(), y.floats(), workspace.data());
                    const test::Tensor got(y.elements().begin(), y.elements().end());
                    wrong += rc != CONVC_OK || !test::same_bits(got, *expected);
                }
            });
        }
        for (std::thread &thread : threads) thread.join();
        EXPECT_EQ(wrong, 0) << layer.canonical_line();
    }
}

TEST(Threads, StartAgainAfterShutdown) {
    const Layer layer = cases()[0].layer;
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    const LayerData data = test::uniform_data(layer, 13);
    const auto before = kernel->run(data);
    convc_shutdown();
    const auto after = kernel->run(data);
    ASSERT_TRUE(before && after);
    EXPECT_TRUE(test::same_bits(*before, *after));
}

}  // namespace
}  // namespace convc
