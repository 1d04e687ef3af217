// Run-time extents: one kernel, right for every size, smaller than a tile included, and an error for those that make no
// sense.
#include "compiler/reference/runtime_extents.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/random.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::CompiledKernel;
using test::KernelUnderTest;
using test::LayerBuilder;
using test::square;

size_t extent_count(const Layer &layer) {
    size_t count = 0;
    for (int64_t extent : layer.inputs[0].type.extents()) count += extent == runtime_extent;
    return count;
}

// A call whose pointers all lead nowhere: what the entry point says before it looks at any.
int code_of(const CompiledKernel &kernel, const std::vector<int64_t> &extents) {
    return kernel.info().run(extents.data(), nullptr, nullptr, nullptr, nullptr);
}

void expect_right_or_refused(const CompiledKernel &kernel, const Layer &layer, const std::vector<int64_t> &extents) {
    SCOPED_TRACE(testing::Message() << layer.canonical_line() << " at " << testing::PrintToString(extents));
    if (!resolve_runtime_extents(layer, extents)) {
        EXPECT_EQ(code_of(kernel, extents), CONVC_ERROR_EXTENT);
        EXPECT_EQ(kernel.info().workspace(extents.data()), 0U);
        return;
    }
    const KernelUnderTest at = kernel.with(extents);
    const auto exact = test::keeps_integers(at.layer()) ? test::exact_data(at.layer(), 3) : std::nullopt;
    if (exact) {
        EXPECT_TRUE(at.agrees(*exact, Tolerance::exact));
    }
    EXPECT_TRUE(at.agrees(test::uniform_data(at.layer(), 3), Tolerance::bounded));
}

class RuntimeExtents : public testing::TestWithParam<uint64_t> {
protected:
    void expect_sample_right(test::RandomLayerOptions options, int count) {
        options.runtime_extents = true;
        test::RandomLayers layers(GetParam(), options);
        test::Random random(GetParam());
        for (int i = 0; i < count; i++) {
            const Layer layer = layers.next();
            const size_t extents = extent_count(layer);
            if (extents == 0) continue;
            const auto kernel = test::compile(layer);
            ASSERT_TRUE(kernel);
            for (const int64_t most : {2, 8, 20, 70}) {
                std::vector<int64_t> sizes;
                sizes.reserve(extents);
                for (size_t axis = 0; axis < extents; axis++) sizes.push_back(random.between(1, axis == 0 ? 8 : most));
                expect_right_or_refused(*kernel, layer, sizes);
            }
        }
    }
};

TEST_P(RuntimeExtents, Conv) {
    expect_sample_right({.kinds = {StageKind::convolution}, .most_stages = 1, .most_channels = 24},
                        test::sample_size(16, 500));
}
TEST_P(RuntimeExtents, Depthwise) {
    expect_sample_right({.kinds = {StageKind::depthwise}, .most_stages = 1, .most_channels = 24},
                        test::sample_size(16, 500));
}
TEST_P(RuntimeExtents, Transposed) {
    expect_sample_right({.kinds = {StageKind::transposed}, .most_stages = 1, .most_channels = 24},
                        test::sample_size(16, 500));
}
TEST_P(RuntimeExtents, Chains) {
    expect_sample_right({}, test::sample_size(8, 200));
}

INSTANTIATE_TEST_SUITE_P(Seed, RuntimeExtents, testing::Range<uint64_t>(0, 3));

// The same for vectors of pixels, with several rows in the register tile.
TEST(RuntimeTiles, EveryTailOfAPlaneIsRight) {
    const Layer layer =
        LayerBuilder(test::tensor(Layout::nchw, 1, {runtime_extent, runtime_extent}, 3)).depthwise(square(3, 1, 1));
    const Schedule planes{"depthwise",
                          {{"columns", 1},
                           {"row_tiles", 2},
                           {"rows", 4},
                           {"channel_parts", 1},
                           {"channels_outside", 0},
                           {"register_rows", 2}}};
    const auto kernel = test::compile(layer, {planes});
    ASSERT_TRUE(kernel);
    const int64_t lanes = test::kernel_target().vector_lanes();
    for (const int64_t height : {1, 2, 3, 4, 5, 8, 9}) {
        for (const int64_t width : {int64_t{1}, lanes - 1, lanes, lanes + 1, 2 * lanes - 1, 2 * lanes, 2 * lanes + 1}) {
            expect_right_or_refused(*kernel, layer, {height, width});
        }
    }
}

// Around every boundary of a task's tile: `columns` x `rows` outputs.
TEST(RuntimeTiles, EveryTailIsRight) {
    const Layer conv = LayerBuilder(test::nhwc(1, runtime_extent, runtime_extent, 3)).conv(10, square(3, 1, 1));
    const Layer depthwise = LayerBuilder(test::nhwc(1, runtime_extent, runtime_extent, 16)).depthwise(square(3, 2, 1));
    const Schedule direct{
        "direct",
        {{"vectors", 1}, {"columns", 4}, {"row_tiles", 2}, {"rows", 3}, {"pixels_outside", 0}, {"unroll", 1}}};
    const Schedule rows{"depthwise",
                        {{"columns", 4}, {"row_tiles", 2}, {"rows", 3}, {"channel_parts", 1}, {"channels_outside", 0}}};
    const auto by_direct = test::compile(conv, {direct}), by_depthwise = test::compile(depthwise, {rows});
    ASSERT_TRUE(by_direct && by_depthwise);
    for (const int64_t height : {1, 2, 3, 4, 5, 6, 7}) {
        for (const int64_t width : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17}) {
            expect_right_or_refused(*by_direct, conv, {height, width});
            expect_right_or_refused(*by_depthwise, depthwise, {height, width});
        }
    }
}

TEST(RuntimeExtents, ABatchOfNothingIsNothingToDo) {
    const Layer layer = LayerBuilder(test::nhwc(runtime_extent, 6, 7, 3)).conv(10, square(3, 1, 1));
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    EXPECT_EQ(code_of(*kernel, {0}), CONVC_OK);
    EXPECT_EQ(code_of(*kernel, {1}), CONVC_ERROR_NULL);
    EXPECT_EQ(kernel->info().extent_count, 1U);
}

// pad=same comes to so much that the input is too short to be reflected or to be gone round.
TEST(RuntimeExtents, SamePaddingBeyondWhatThereIsToRepeatIsRefused) {
    for (const PadMode mode : {PadMode::reflect, PadMode::circular, PadMode::replicate}) {
        std::vector<Axis> axes = test::line(4, 2, 0, 3);  // spans 10
        axes[0].same_at_run_time = true;
        const Layer layer =
            LayerBuilder(test::tensor(Layout::nwc, 1, {runtime_extent}, 2)).conv(3, axes).pad_mode(mode);
        const auto kernel = test::compile(layer);
        ASSERT_TRUE(kernel);
        for (int64_t width = 1; width < 12; width++) expect_right_or_refused(*kernel, layer, {width});
        const int when_short = mode == PadMode::replicate ? CONVC_ERROR_NULL : CONVC_ERROR_EXTENT;
        EXPECT_EQ(code_of(*kernel, {3}), when_short);
        EXPECT_EQ(code_of(*kernel, {9}), CONVC_ERROR_NULL);
    }
}

TEST(RuntimeExtents, ExtentsThatMakeNoSenseAreRefused) {
    const Layer layer = LayerBuilder(test::nhwc(runtime_extent, runtime_extent, 8, 4)).conv(4, square(3));
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    constexpr int64_t huge = int64_t{1} << 62;
    for (const std::array<int64_t, 2> extents : {std::array<int64_t, 2>{-1, 8},
                                                 {1, 0},
                                                 {1, 2},
                                                 {1, -8},
                                                 {1, huge},
                                                 {huge, 8},
                                                 {huge, huge},
                                                 {INT64_MIN, INT64_MAX},
                                                 {1, INT64_MAX},
                                                 {1 << 20, 1 << 20},
                                                 {1, (int64_t{1} << 31) / 32}}) {
        EXPECT_EQ(code_of(*kernel, {extents.begin(), extents.end()}), CONVC_ERROR_EXTENT)
            << extents[0] << ", " << extents[1];
        EXPECT_EQ(kernel->info().workspace(extents.data()), 0U) << extents[0] << ", " << extents[1];
    }
    EXPECT_EQ(kernel->info().run(nullptr, nullptr, nullptr, nullptr, nullptr), CONVC_ERROR_EXTENT);
    EXPECT_EQ(code_of(*kernel, {1, 3}), CONVC_ERROR_NULL);
}

}  // namespace
}  // namespace convc
