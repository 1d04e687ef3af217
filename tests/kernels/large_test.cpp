// Offsets beyond 2^31 bytes, in tensors of nearly 2^31 elements. Nothing of that size is held: the input is untouched
// address space, which reads as zeros, with a number here and there; long strides keep the output small.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "tests/support/build_layer.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::line;
using test::square;
using test::Tensor;

class Zeros {
public:
    explicit Zeros(size_t elements) : bytes_(elements * sizeof(float)) {
        void *mapping =
            mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapping != MAP_FAILED) data_ = static_cast<float *>(mapping);
    }
    Zeros(const Zeros &) = delete;
    Zeros &operator=(const Zeros &) = delete;
    ~Zeros() {
        if (data_ != nullptr) munmap(data_, bytes_);
    }
    float *data() const { return data_; }

private:
    size_t bytes_;
    float *data_ = nullptr;
};

// What a kernel of one stage with weights of one says of an input that is zero but for these elements.
Tensor output_of(const Layer &layer, const std::vector<std::pair<int64_t, float>> &elements) {
    const auto kernel = test::compile(layer);
    if (!kernel) return {};
    const Zeros x(static_cast<size_t>(*layer.inputs[0].type.elements()));
    if (x.data() == nullptr) {
        ADD_FAILURE() << "no address space for " << layer.canonical_line();
        return {};
    }
    for (const auto &[at, value] : elements) x.data()[at] = value;
    const convc_kernel_info &info = kernel->info();
    const auto weights = static_cast<size_t>(layer.parameters()[0].elements());
    const test::PackedKernel packed(info, {Tensor(weights, 1.0F)});
    const test::GuardedBuffer workspace("workspace", info.workspace_bytes, 64, test::Placement::at_end);
    Tensor y(static_cast<size_t>(*layer.output().elements()));
    const float *const inputs[] = {x.data()};
    EXPECT_EQ(info.run(nullptr, inputs, packed.data(), y.data(), workspace.data()), CONVC_OK);
    return y;
}

TEST(Large, SpatialOffsets) {
    constexpr int64_t side = 46000;  // side * side elements are 0.985 * 2^31
    constexpr int64_t stride = 22999;
    const Layer layer = LayerBuilder(test::nhwc(1, side, side, 1)).conv(1, square(1, stride));
    const auto at = [](int64_t row, int64_t column) { return row * stride * side + column * stride; };
    EXPECT_EQ(
        output_of(layer, {{at(0, 1), 1.0F}, {at(1, 0), 2.0F}, {at(1, 2), 3.0F}, {at(2, 0), 4.0F}, {at(2, 2), 5.0F}}),
        (Tensor{0, 1, 0, 2, 0, 3, 4, 0, 5}));
}

TEST(Large, ChannelOffsets) {
    constexpr int64_t width = 130'000'000;
    constexpr int64_t channels = 16;
    std::vector<std::pair<int64_t, float>> elements;
    elements.reserve(channels);
    for (int64_t c = 0; c < channels; c++) elements.emplace_back((c + 1) * width - 1, static_cast<float>(c + 1));
    const Layer depthwise = LayerBuilder(test::tensor(Layout::ncw, 1, {width}, channels)).depthwise(line(1, width - 1));
    const Tensor y = output_of(depthwise, elements);
    ASSERT_EQ(y.size(), 2 * channels);
    for (size_t c = 0; c < channels; c++) {
        EXPECT_EQ(y[2 * c], 0);
        EXPECT_EQ(y[2 * c + 1], static_cast<float>(c + 1));
    }
    const Layer conv = LayerBuilder(test::tensor(Layout::ncw, 1, {width}, channels)).conv(1, line(1, width - 1));
    EXPECT_EQ(output_of(conv, elements), (Tensor{0, 136}));
}

TEST(Large, BatchOffsets) {
    constexpr int64_t width = 400'000'000;
    const Layer layer = LayerBuilder(test::tensor(Layout::nwc, 5, {width}, 1)).conv(1, line(1, width - 1));
    EXPECT_EQ(output_of(layer, {{width - 1, 1.0F}, {4 * width, 2.0F}, {5 * width - 1, 3.0F}}),
              (Tensor{0, 1, 0, 0, 0, 0, 0, 0, 2, 3}));
}

TEST(Large, MoreThanAnIndexHoldsIsRefused) {
    const Layer layer = LayerBuilder(test::nhwc(1, 46341, 46341, 1)).conv(1, square(1, 22999));
    const Result<Plan> plan = make_plan(layer, host_target());
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().failure, Failure::invalid_input);
    EXPECT_NE(plan.error().message.find("more than 2^31 - 1 elements"), std::string::npos) << plan.error().message;
}

}  // namespace
}  // namespace convc
