// The harness that the kernel tests stand on notices what it is there to notice. The kernels here are plain functions,
// each wrong in one way.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/build_layer.h"
#include "tests/support/kernel_under_test.h"

namespace convc {
namespace {

using test::KernelUnderTest;
using test::LayerData;

constexpr int64_t inputs = 10;
constexpr int64_t outputs = 8;
constexpr size_t packed_bytes = 3 * sizeof(float);
constexpr size_t workspace_bytes = 4 * sizeof(float);

int pack(const float *const *parameters, void *packed) {
    std::copy_n(parameters[0], 3, static_cast<float *>(packed));
    return CONVC_OK;
}

float filter(const float *x, const float *w) {
    return x[0] * w[0] + x[1] * w[1] + x[2] * w[2];
}

using Kernel = int(const int64_t *, const float *const *, const void *, float *, void *);

int run_right(const int64_t *, const float *const *x, const void *packed, float *y, void *) {
    for (int64_t i = 0; i < outputs; i++) y[i] = filter(x[0] + i, static_cast<const float *>(packed));
    return CONVC_OK;
}

int run_failing(const int64_t *, const float *const *, const void *, float *, void *) {
    return CONVC_ERROR_INTERNAL;
}

int run_without_the_last_tap(const int64_t *, const float *const *x, const void *packed, float *y, void *) {
    const float *w = static_cast<const float *>(packed);
    for (int64_t i = 0; i < outputs; i++) y[i] = x[0][i] * w[0] + x[0][i + 1] * w[1];
    return CONVC_OK;
}

int run_leaving_one_out(const int64_t *extents, const float *const *x, const void *packed, float *y, void *workspace) {
    const float kept = y[outputs - 1];
    run_right(extents, x, packed, y, workspace);
    y[outputs - 1] = kept;
    return CONVC_OK;
}

int run_on_garbage(const int64_t *extents, const float *const *x, const void *packed, float *y, void *workspace) {
    run_right(extents, x, packed, y, workspace);
    if (!(static_cast<const float *>(workspace)[2] > 0)) y[0] = std::nextafter(y[0], 0.0F);
    return CONVC_OK;
}

int run_past_the_workspace(const int64_t *extents, const float *const *x, const void *packed, float *y,
                           void *workspace) {
    static_cast<float *>(workspace)[4] = 1;
    return run_right(extents, x, packed, y, workspace);
}

int run_past_y(const int64_t *extents, const float *const *x, const void *packed, float *y, void *workspace) {
    y[outputs] = 1;
    return run_right(extents, x, packed, y, workspace);
}

int run_before_y(const int64_t *extents, const float *const *x, const void *packed, float *y, void *workspace) {
    y[-1] = 1;
    return run_right(extents, x, packed, y, workspace);
}

int run_reading_past_x(const int64_t *extents, const float *const *x, const void *packed, float *y, void *workspace) {
    run_right(extents, x, packed, y, workspace);
    y[0] += 0 * x[0][inputs];
    return CONVC_OK;
}

int run_writing_x(const int64_t *extents, const float *const *x, const void *packed, float *y, void *workspace) {
    const_cast<float *>(x[0])[3] = 0;
    return run_right(extents, x, packed, y, workspace);
}

int run_writing_packed(const int64_t *extents, const float *const *x, const void *packed, float *y, void *workspace) {
    static_cast<float *>(const_cast<void *>(packed))[0] = 0;
    return run_right(extents, x, packed, y, workspace);
}

class Harness : public testing::Test {
protected:
    testing::AssertionResult verdict(Kernel *run, Tolerance tolerance = Tolerance::exact) {
        info_.name = "layer";
        info_.layer = "a kernel of this test's";
        info_.schedule = "none";
        info_.packed_bytes = packed_bytes;
        info_.workspace_bytes = workspace_bytes;
        info_.workspace = [](const int64_t *) { return workspace_bytes; };
        info_.pack = pack;
        info_.run = run;
        return KernelUnderTest(layer_, info_).agrees(test::integer_data(layer_, 7, 9), tolerance);
    }

    // What GoogleTest was told while the kernel ran.
    std::string complaints(Kernel *run) {
        testing::TestPartResultArray results;
        {
            const testing::ScopedFakeTestPartResultReporter collect(&results);
            (void)verdict(run);
        }
        std::string all;
        for (int i = 0; i < results.size(); i++) all += results.GetTestPartResult(i).message();
        return all;
    }

    const Layer layer_ = test::LayerBuilder(test::tensor(Layout::ncw, 1, {inputs}, 1)).conv(1, test::line(3));
    convc_kernel_info info_{};
};

TEST_F(Harness, AcceptsARightKernel) {
    EXPECT_TRUE(verdict(run_right));
}

TEST_F(Harness, NoticesAMissingTap) {
    EXPECT_FALSE(verdict(run_without_the_last_tap));
}

TEST_F(Harness, NoticesAnError) {
    EXPECT_NE(complaints(run_failing).find("a kernel of this test's"), std::string::npos);
}

TEST_F(Harness, NoticesAnElementThatIsNotWritten) {
    EXPECT_NE(complaints(run_leaving_one_out).find("does not write element 7"), std::string::npos);
}

TEST_F(Harness, NoticesResultsThatDependOnGarbage) {
    EXPECT_FALSE(verdict(run_on_garbage, Tolerance::bounded));
}

TEST_F(Harness, NoticesWritesPastAnUnalignedEnd) {
    EXPECT_NE(complaints(run_past_the_workspace).find("writes outside its workspace"), std::string::npos);
}

using HarnessDeathTest = Harness;

TEST_F(HarnessDeathTest, GuardsEveryBuffer) {
    const std::string where = "memory fault in: a kernel of this test's by none\n  at byte ";
    EXPECT_DEATH((void)verdict(run_past_y), where + "32 of y, which has 32");
    EXPECT_DEATH((void)verdict(run_before_y), where + "-4 of y, which has 32");
    EXPECT_DEATH((void)verdict(run_reading_past_x), where + "40 of an input, which has 40");
    EXPECT_DEATH((void)verdict(run_writing_x), where + "12 of an input, which has 40");
    EXPECT_DEATH((void)verdict(run_writing_packed), where + "0 of packed, which has 12");
}

}  // namespace
}  // namespace convc
