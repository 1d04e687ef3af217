// Beyond 2^31: what kernels cannot index is refused with a diagnostic, and what they accept is right. Tensors of more
// than 2^31 bytes are one small range of pages mapped again and again, with pages of their own at the end, between
// wide stretches that nobody may touch: an offset that overflowed ends the test.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::square;
using test::tensor;
using test::Tensor;

constexpr size_t window = size_t{1} << 18;  // elements; 1 MiB
constexpr int64_t most = (int64_t{1} << 31) - 1;

class RepeatedPages {
public:
    explicit RepeatedPages(size_t elements) : count_(elements / window) {
        const size_t bytes = window * sizeof(float);
        void *reserved =
            mmap(nullptr, count_ * bytes + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        const int file = memfd_create("repeated", MFD_CLOEXEC);
        bool mapped = reserved != MAP_FAILED && file >= 0 && ftruncate(file, static_cast<off_t>(2 * bytes)) == 0;
        base_ = reserved == MAP_FAILED ? nullptr : static_cast<unsigned char *>(reserved);
        for (size_t i = 0; mapped && i < count_; i++) {
            const off_t from = i + 1 == count_ ? static_cast<off_t>(bytes) : 0;
            mapped = mmap(base_ + guard + i * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
                          from) != MAP_FAILED;
        }
        if (file >= 0) close(file);
        if (mapped) data_ = reinterpret_cast<float *>(base_ + guard);
    }
    RepeatedPages(const RepeatedPages &) = delete;
    RepeatedPages &operator=(const RepeatedPages &) = delete;
    ~RepeatedPages() {
        if (base_ != nullptr) munmap(base_, count_ * window * sizeof(float) + 2 * guard);
    }

    float *data() const { return data_; }  // nullptr where there is no address space for it
    // The last window, which is like no other; and what all the others are.
    float *last() const { return data_ + (count_ - 1) * window; }
    Tensor contents() const {
        Tensor both(data_, data_ + window);
        both.insert(both.end(), last(), last() + window);
        return both;
    }

private:
    static constexpr size_t guard = size_t{9} << 30;  // as far as a negative 32-bit offset of floats leads
    size_t count_;
    unsigned char *base_ = nullptr;
    float *data_ = nullptr;
};

// What exceeds 2^31 bytes little, and 2^31 elements hardly not.
int64_t many() {
    const int64_t elements =
        test::long_tests() ? most - (1 << 20) : (int64_t{1} << 29) + 4 * static_cast<int64_t>(window);
    return elements / static_cast<int64_t>(4 * window) * static_cast<int64_t>(4 * window);
}

// A layer that hands its input on unchanged, its weights being one.
void expect_identity(const Layer &layer, const std::vector<int64_t> &extents = {}) {
    const auto kernel = test::compile(layer, {}, extents);
    ASSERT_TRUE(kernel);
    const auto elements = static_cast<size_t>(*kernel->layer().output().elements());
    ASSERT_EQ(elements % window, 0U);
    ASSERT_GT(elements * sizeof(float), size_t{1} << 31);
    const RepeatedPages x(elements);
    const RepeatedPages y(elements);
    if (x.data() == nullptr || y.data() == nullptr) GTEST_SKIP() << "no address space for twice 9 GB and more";
    for (size_t i = 0; i < window; i++) x.data()[i] = static_cast<float>(i % 251);
    for (size_t i = 0; i < window; i++) x.last()[i] = static_cast<float>(i % 241 + 1000);
    std::vector<Tensor> ones;
    for (const Parameter &parameter : layer.parameters()) ones.emplace_back(parameter.elements(), 1.0F);
    const test::PackedKernel packed(kernel->info(), ones);
    const int64_t *given = extents.empty() ? nullptr : extents.data();
    const test::GuardedBuffer workspace("workspace", kernel->info().workspace(given), 64, test::Placement::at_end);
    const float *const inputs[] = {x.data()};
    ASSERT_EQ(kernel->info().run(given, inputs, packed.data(), y.data(), workspace.data()), CONVC_OK);
    EXPECT_TRUE(test::same_bits(x.contents(), y.contents())) << layer.canonical_line();
}

TEST(Limits, OutputsBeyond2To31Bytes) {
    expect_identity(LayerBuilder(tensor(Layout::nwc, 1, {many()}, 1)).conv(1, line(1)));
    expect_identity(LayerBuilder(tensor(Layout::ncw, 1, {many() / 4}, 4)).depthwise(line(1)));
}

TEST(Limits, OutputsBeyond2To31BytesOfTransposed) {
    expect_identity(LayerBuilder(test::nhwc(1, many() / 4096, 1024, 4)).transposed(4, square(1), 4));
}

TEST(Limits, OutputsBeyond2To31BytesOfShuffle) {
    expect_identity(LayerBuilder(tensor(Layout::ncw, 1, {many() / 4}, 4)).shuffle(2));
}

TEST(Limits, OutputsBeyond2To31BytesAtRunTime) {
    const TensorType unknown = tensor(Layout::nwc, 1, {runtime_extent}, 1);
    expect_identity(LayerBuilder(unknown).conv(1, line(1)), {many()});
    const TensorType batch = tensor(Layout::nwc, runtime_extent, {4096}, 1);
    expect_identity(LayerBuilder(batch).conv(1, line(1)), {many() / 4096});
}

// ---- refused

std::string refusal_of(const Layer &layer) {
    const Result<Plan> plan = make_plan(layer, host_target());
    if (plan) return "not refused";
    EXPECT_EQ(plan.error().failure, Failure::invalid_input);
    return plan.error().message;
}

void expect_refused(const Layer &layer, const std::string &why) {
    const std::string message = refusal_of(layer);
    EXPECT_NE(message.find(why), std::string::npos) << layer.canonical_line() << "\n" << message;
}

TEST(Limits, TensorsOfMoreElementsAreRefused) {
    const TensorType half = tensor(Layout::nwc, 1, {1 << 30}, 1);
    expect_refused(LayerBuilder(half).conv(2, line(1)), "has more than 2^31 - 1 elements");
    expect_refused(LayerBuilder(half).depthwise(line(1), 2), "has more than 2^31 - 1 elements");
    expect_refused(LayerBuilder(half).transposed(1, line(2, 2)), "has more than 2^31 - 1 elements");
    // an intermediate alone
    expect_refused(LayerBuilder(half).conv(2, line(1)).conv(1, line(1, 1 << 20)), "has more than 2^31 - 1 elements");
    expect_refused(LayerBuilder(tensor(Layout::ncw, 1, {2}, 1 << 30)).shuffle(2), "has more than 2^31 - 1 elements");
}

TEST(Limits, PositionsThatNoKernelCountsAreRefused) {
    const TensorType x = tensor(Layout::nwc, 1, {8}, 1);
    const std::string why = "no more than 2^31 - 1 positions";
    std::vector<Axis> padded = line(1, 1 << 20);
    padded[0].pad_after = most + 1;
    for (const PadMode mode : {PadMode::zeros, PadMode::replicate}) {
        expect_refused(LayerBuilder(x).conv(1, padded).pad_mode(mode), why);
        expect_refused(LayerBuilder(x).depthwise(padded).pad_mode(mode), why);
    }
    padded[0].pad_after = most - 7;
    expect_refused(LayerBuilder(x).conv(1, padded), why);
    expect_refused(LayerBuilder(x).conv(1, line(2, 1 << 30, most + 1, most + 1)), why);  // dilation
    expect_refused(LayerBuilder(x).conv(1, line(1, most + 1)), why);                     // stride
    expect_refused(LayerBuilder(x).depthwise(line(2, 1, most / 2, most)), why);
    const TensorType unknown = tensor(Layout::nwc, 1, {runtime_extent}, 1);
    expect_refused(LayerBuilder(unknown).conv(1, line(1, 1, most)), why);
    expect_refused(LayerBuilder(unknown).depthwise(line(1, most + 1)), why);
}

TEST(Limits, StripsThatNoKernelIndexesAreRefused) {
    const std::string why = "more than 2^31 - 1 bytes";
    const int64_t width = int64_t{1} << 27;
    std::vector<Axis> axes{line(9, 1, 4)[0], line(3, width / 2, 1)[0]};
    // Nine rows of an eighth of 2^31 bytes each are too many at a time, however few rows and channels a task makes.
    expect_refused(LayerBuilder(test::nhwc(1, 7, width, 2)).conv(2, axes).pad_mode(PadMode::reflect), why);
    expect_refused(LayerBuilder(test::nhwc(1, 7, width, 2)).depthwise(axes).pad_mode(PadMode::replicate), why);
}

TEST(Limits, PackedWeightsThatNoKernelIndexesAreRefused) {
    expect_refused(LayerBuilder(tensor(Layout::nwc, 1, {1}, 1 << 16)).conv(1 << 15, line(1)),
                   "0.weight has more than 2^30 elements");
    // nearly 2^28 numbers, an odd number of them, each in a vector of its own
    expect_refused(LayerBuilder(tensor(Layout::nwc, 1, {1}, (1 << 28) - 1)).conv(1, line(1)), "when packed");
}

TEST(Limits, APinnedScheduleIsRefusedByTheSameRules) {
    const Layer layer = LayerBuilder(tensor(Layout::nwc, 1, {1}, 1 << 28)).conv(1, line(1));
    const Schedule pinned{
        "direct",
        {{"vectors", 1}, {"columns", 1}, {"parts", 1}, {"channel_parts", 1}, {"pixels_outside", 0}, {"unroll", 1}}};
    const Result<Plan> plan = make_pinned_plan(layer, host_target(), {pinned});
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().message.find("when packed"), std::string::npos) << plan.error().message;
}

// ---- run-time extents that lead there

int code_of(const Layer &layer, const std::vector<int64_t> &extents) {
    const auto kernel = test::compile(layer);
    if (!kernel) return CONVC_ERROR_INTERNAL;
    const convc_kernel_info &info = kernel->info();
    const int code = info.run(extents.data(), nullptr, nullptr, nullptr, nullptr);
    EXPECT_EQ(info.workspace(extents.data()) == 0 || code == CONVC_ERROR_NULL, true) << layer.canonical_line();
    return code;
}

TEST(Limits, RunTimeExtentsThatLeadBeyondAreRefused) {
    const TensorType unknown = tensor(Layout::nwc, 1, {runtime_extent}, 1);
    const int64_t large = most - (1 << 21);
    EXPECT_EQ(code_of(LayerBuilder(unknown).conv(1, line(1)), {large}), CONVC_ERROR_NULL);
    EXPECT_EQ(code_of(LayerBuilder(unknown).conv(1, line(1)), {most + 1}), CONVC_ERROR_EXTENT);
    EXPECT_EQ(code_of(LayerBuilder(unknown).conv(2, line(1)), {large}), CONVC_ERROR_EXTENT);
    EXPECT_EQ(code_of(LayerBuilder(unknown).depthwise(line(1), 2), {large}), CONVC_ERROR_EXTENT);
    EXPECT_EQ(code_of(LayerBuilder(unknown).transposed(1, line(2, 2)), {large}), CONVC_ERROR_EXTENT);
    // an intermediate alone
    EXPECT_EQ(code_of(LayerBuilder(unknown).conv(2, line(1)).conv(1, line(1, 1 << 20)), {large}), CONVC_ERROR_EXTENT);
    // padding, and tiles of strided outputs
    EXPECT_EQ(code_of(LayerBuilder(unknown).conv(1, line(1, 4, 1 << 21)), {large}), CONVC_ERROR_EXTENT);
    EXPECT_EQ(code_of(LayerBuilder(unknown).depthwise(line(1, 1 << 20)), {large}), CONVC_ERROR_EXTENT);
    EXPECT_EQ(code_of(LayerBuilder(unknown).depthwise(line(1, 1 << 10)), {1 << 30}), CONVC_ERROR_NULL);
}

// ---- workspaces

// Three channels between two stages; nothing of it is held.
TEST(Limits, AWorkspaceOfMoreThan2To31BytesIsCountedRight) {
    const int64_t width = int64_t{1} << 29;
    const Layer layer =
        LayerBuilder(tensor(Layout::nwc, 1, {width}, 1)).conv(3, line(1)).conv(1, line(1, int64_t{1} << 20));
    const auto kernel = test::compile(layer, {});
    ASSERT_TRUE(kernel);
    const auto intermediate = static_cast<size_t>(3 * width) * sizeof(float);
    EXPECT_GE(kernel->info().workspace_bytes, intermediate);
    EXPECT_LT(kernel->info().workspace_bytes, intermediate + (size_t{1} << 20));
}

TEST(Limits, AWorkspaceAtRunTimeIsCountedRight) {
    const Layer layer = LayerBuilder(tensor(Layout::nwc, 1, {runtime_extent}, 1)).conv(3, line(1)).conv(1, line(1, 2));
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    const std::vector<int64_t> extents{int64_t{1} << 29};
    const size_t bytes = kernel->info().workspace(extents.data());
    EXPECT_GE(bytes, static_cast<size_t>(3 * extents[0]) * sizeof(float));
    const std::vector<int64_t> small{64};
    EXPECT_LT(kernel->info().workspace(small.data()), size_t{1} << 20);
}

}  // namespace
}  // namespace convc
