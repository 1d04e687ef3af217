// What precision= promises of Winograd's kernels: a relative L2 error, measured at the layer's shape, within 3 times
// that of a sequential f32 sum or 1e-6 where that is larger; 1e-5 for `fast`; and none of it for `strict`.
#include <gtest/gtest.h>

#include "compiler/plan/plan.h"
#include "compiler/reference/compare.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::square;

// The definition in f32, one product after another, of a dense stage of stride 1, channels last; axes of height and
// width, or depth too.
test::Tensor sequential_sum(const Layer &layer, const test::LayerData &data) {
    const Stage &stage = layer.stages[0];
    const TensorType &in = layer.inputs[0].type, &out = stage.output;
    const auto along = [](const TensorType &type, int axis) {
        return axis < 0 ? 1 : type.space[static_cast<size_t>(axis)];
    };
    const int depth = in.rank() == 3 ? 0 : -1, height = in.rank() - 2, width = in.rank() - 1;
    const auto axis = [&](int i) { return i < 0 ? Axis{} : stage.axes[static_cast<size_t>(i)]; };
    const Axis az = axis(depth), ay = axis(height), ax = axis(width);
    test::Tensor y;
    for (int64_t oz = 0; oz < along(out, depth); oz++) {
        for (int64_t oy = 0; oy < along(out, height); oy++) {
            for (int64_t ox = 0; ox < along(out, width); ox++) {
                for (int64_t k = 0; k < out.channels; k++) {
                    float sum = 0;
                    for (int64_t kz = 0; kz < az.kernel; kz++) {
                        for (int64_t ky = 0; ky < ay.kernel; ky++) {
                            for (int64_t kx = 0; kx < ax.kernel; kx++) {
                                const int64_t iz = oz + kz - az.pad_before, iy = oy + ky - ay.pad_before,
                                              ix = ox + kx - ax.pad_before;
                                if (iz < 0 || iz >= along(in, depth) || iy < 0 || iy >= along(in, height) || ix < 0 ||
                                    ix >= along(in, width)) {
                                    continue;
                                }
                                for (int64_t c = 0; c < in.channels; c++) {
                                    const int64_t at =
                                        ((iz * along(in, height) + iy) * along(in, width) + ix) * in.channels + c;
                                    const int64_t tap =
                                        (((k * in.channels + c) * az.kernel + kz) * ay.kernel + ky) * ax.kernel + kx;
                                    sum += data.parameters[0][static_cast<size_t>(tap)] *
                                           data.inputs[0][static_cast<size_t>(at)];
                                }
                            }
                        }
                    }
                    y.push_back(sum);
                }
            }
        }
    }
    return y;
}

struct Errors {
    double kernel = 0, sequential = 0;
};

Errors errors_of(const Layer &layer, const std::vector<Schedule> &schedules) {
    const auto kernel = test::compile(layer, schedules);
    if (!kernel) return {};
    EXPECT_FALSE(sums_as_written(kernel->info().schedule)) << kernel->info().schedule;
    const test::LayerData data = test::uniform_data(layer, 11);
    const ReferenceResult expected = test::reference_of(layer, data);
    const auto output = kernel->run(data);
    if (!output) return {};
    return {relative_l2_error(*output, expected), relative_l2_error(sequential_sum(layer, data), expected)};
}

Layer dense(int64_t extent, int64_t channels, std::vector<Axis> axes, Precision precision = Precision::standard) {
    return LayerBuilder(test::nhwc(1, extent, extent, channels)).conv(32, std::move(axes)).precision(precision);
}

Schedule schedule(int64_t outputs, int64_t columns) {
    return {"winograd",
            {{"outputs", outputs},
             {"vectors", 1},
             {"columns", columns},
             {"rows", 1},
             {"across", columns},
             {"down", 1},
             {"parts", 1},
             {"channel_parts", 1},
             {"unroll", 1}}};
}

void expect_precise(const Layer &layer, const Schedule &by) {
    const Errors errors = errors_of(layer, {by});
    EXPECT_GT(errors.kernel, 0) << "an error of nothing is no Winograd";
    EXPECT_LE(errors.kernel, std::max(3 * errors.sequential, 1e-6))
        << layer.canonical_line() << " by " << print_schedule(by) << "; a sequential sum: " << errors.sequential;
}

TEST(WinogradPrecision, IsThreeSequentialSums) {
    const Axis one = line(1)[0], three = line(3, 1, 1)[0], seven = line(7, 1, 3)[0];
    for (const int64_t channels : {16, 64, 512}) {
        expect_precise(dense(12, channels, square(3, 1, 1)), schedule(2, 6));
        expect_precise(dense(12, channels, square(3, 1, 1)), schedule(4, 3));
        expect_precise(dense(12, channels, square(5, 1, 2)), schedule(2, 6));
        expect_precise(dense(12, channels, {one, three}), schedule(4, 3));
        expect_precise(dense(12, channels, {three, one}), schedule(4, 12));
        expect_precise(dense(12, channels, {one, seven}), schedule(2, 6));
        expect_precise(dense(12, channels, {seven, one}), schedule(2, 12));
        expect_precise(dense(12, channels, {one, seven}), schedule(3, 4));
        expect_precise(dense(12, channels, {seven, one}), schedule(3, 8));
        expect_precise(dense(16, channels, {one, line(8)[0]}), schedule(2, 4));
        expect_precise(dense(12, channels, square(3, 1, 1)), schedule(3, 4));
        expect_precise(dense(13, channels, square(2)), schedule(2, 6));
        expect_precise(dense(13, channels, square(2)), schedule(4, 3));
        expect_precise(dense(11, channels, square(2)), schedule(5, 2));
        expect_precise(dense(13, channels, square(4)), schedule(2, 5));
        expect_precise(dense(12, channels, {one, three}), schedule(6, 2));
        expect_precise(dense(13, channels, {one, three}), schedule(5, 3));
        expect_precise(dense(13, channels, {one, line(5, 1, 2)[0]}), schedule(4, 4));
        expect_precise(dense(13, channels, {one, line(5, 1, 2)[0]}), schedule(3, 5));
        expect_precise(dense(13, channels, {one, line(4)[0]}), schedule(5, 2));
        // One tile, whose inputs are all there is.
        expect_precise(dense(2, channels, square(3, 1, 1)), schedule(2, 1));
        expect_precise(dense(3, channels, square(5, 1, 2)), schedule(3, 1));
    }
    const Axis axis = line(3, 1, 1)[0];
    LayerBuilder deep(test::tensor(Layout::ndhwc, 1, {3, 8, 8}, 32));
    expect_precise(deep.conv(32, {axis, axis, axis}), schedule(4, 2));
}

TEST(WinogradPrecision, IsOneInAHundredThousandWhereFast) {
    for (const int64_t channels : {16, 64, 512}) {
        const Layer layer = dense(12, channels, square(3, 1, 1), Precision::fast);
        EXPECT_LE(errors_of(layer, {schedule(6, 2)}).kernel, 1e-5) << channels;
    }
}

TEST(WinogradPrecision, AllowsFewerOutputsThanFast) {
    const Layer layer = dense(12, 16, square(3, 1, 1));
    const Result<Plan> plan = make_pinned_plan(layer, test::kernel_target(), {schedule(6, 2)});
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().message.find("precision"), std::string::npos) << plan.error().message;
    EXPECT_FALSE(make_pinned_plan(dense(12, 16, square(7, 1, 3)), test::kernel_target(), {schedule(2, 6)}));
}

TEST(WinogradPrecision, StrictTakesAnotherAlgorithm) {
    const Layer layer = dense(12, 64, square(3, 1, 1)), strict = dense(12, 64, square(3, 1, 1), Precision::strict);
    const Result<Plan> plan = make_plan(layer, test::kernel_target()),
                       careful = make_plan(strict, test::kernel_target());
    ASSERT_TRUE(plan && careful);
    EXPECT_EQ(plan->groups[0].schedule.algorithm, "winograd");
    EXPECT_EQ(careful->groups[0].schedule.algorithm, "direct");
    EXPECT_FALSE(make_pinned_plan(strict, test::kernel_target(), {schedule(2, 6)}));
}

// Where channels are few, transforms cost more than they save.
TEST(WinogradPrecision, IsNotTakenForOneChannel) {
    const Layer layer = LayerBuilder(test::nhwc(1, 32, 32, 2)).conv(4, square(3, 1, 1));
    const Result<Plan> plan = make_plan(layer, test::kernel_target());
    ASSERT_TRUE(plan);
    EXPECT_NE(plan->groups[0].schedule.algorithm, "winograd");
}

}  // namespace
}  // namespace convc
