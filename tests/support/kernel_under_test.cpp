#include "tests/support/kernel_under_test.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "compiler/reference/runtime_extents.h"
#include "convc/schedule.h"
#include "tests/support/tally.h"

namespace convc::test {
namespace {

// A NaN that no arithmetic makes: what y holds before the call.
constexpr uint32_t unwritten = 0x7fc5a5a5;

GuardedBuffer constant_copy(const char *name, const Tensor &tensor, Placement placement) {
    GuardedBuffer buffer(name, tensor.size() * sizeof(float), alignof(float), placement);
    if (!tensor.empty()) std::memcpy(buffer.data(), tensor.data(), tensor.size() * sizeof(float));
    buffer.make_read_only();
    return buffer;
}

std::vector<GuardedBuffer> constant_copies(const char *name, const std::vector<Tensor> &tensors, Placement placement) {
    std::vector<GuardedBuffer> copies;
    copies.reserve(tensors.size());
    for (const Tensor &tensor : tensors) copies.push_back(constant_copy(name, tensor, placement));
    return copies;
}

std::vector<const float *> pointers(const std::vector<GuardedBuffer> &buffers) {
    std::vector<const float *> all;
    all.reserve(buffers.size());
    for (const GuardedBuffer &buffer : buffers) all.push_back(buffer.floats());
    return all;
}

// A layer with `?` stays as it is until it is given their extents.
Layer resolved(const Layer &layer, const std::vector<int64_t> &extents) {
    if (extents.empty() && layer.inputs[0].type.has_runtime_extent()) return layer;
    Result<Layer> result = resolve_runtime_extents(layer, extents);
    if (result) return std::move(*result);
    ADD_FAILURE() << layer.canonical_line() << ": " << result.error().message;
    return layer;
}

// What a kernel for a GPU finds in its memory.
DeviceMemory device_copy(const convc_kernel_info &info, const GuardedBuffer &buffer) {
    const Result<Target> target = parse_target(info.target);
    Result<DeviceMemory> memory = DeviceMemory::make(target ? target->gpu : Gpu::none, buffer.elements().size_bytes());
    EXPECT_TRUE(memory) << memory.error().message;
    if (!memory) return {};
    const Status status = memory->upload(buffer.data(), buffer.elements().size_bytes());
    EXPECT_TRUE(status) << status.error().message;
    return *std::move(memory);
}

}  // namespace

PackedKernel::PackedKernel(const convc_kernel_info &info, const std::vector<Tensor> &parameters, CallSetting setting)
    : packed_("packed", info.packed_bytes, 64, setting.placement, setting.garbage) {
    const std::vector<GuardedBuffer> copies = constant_copies("a parameter", parameters, setting.placement);
    const std::vector<const float *> weights = pointers(copies);
    const int rc = info.pack(weights.empty() ? nullptr : weights.data(), packed_.data());
    EXPECT_EQ(rc, CONVC_OK) << "pack of " << info.layer;
    EXPECT_TRUE(packed_.surroundings_intact()) << "pack of " << info.layer << " writes outside its buffer";
    packed_.make_read_only();
    if (info.launch != nullptr) on_device_ = device_copy(info, packed_);
}

KernelUnderTest::KernelUnderTest(const Layer &layer, const convc_kernel_info &info, std::vector<int64_t> extents)
    : layer_(resolved(layer, extents)), info_(&info), extents_(std::move(extents)) {}

std::optional<Tensor> KernelUnderTest::run(const LayerData &data, CallSetting setting) const {
    set_crash_note((std::string(info_->layer) + " by " + info_->schedule).c_str());
    const PackedKernel packed(*info_, data.parameters, setting);
    const std::vector<GuardedBuffer> inputs = constant_copies("an input", data.inputs, setting.placement);
    const std::vector<const float *> x = pointers(inputs);
    const auto count = static_cast<size_t>(layer_.output().elements().value_or(0));
    const GuardedBuffer y("y", count * sizeof(float), alignof(float), setting.placement);
    std::fill_n(y.floats(), count, std::bit_cast<float>(unwritten));
    const int64_t *extents = extents_.empty() ? nullptr : extents_.data();
    const GuardedBuffer workspace("workspace", info_->workspace(extents), 64, setting.placement, setting.garbage);
    const DeviceMemory on_device = info_->launch != nullptr ? device_copy(*info_, workspace) : DeviceMemory();
    void *scratch = info_->launch != nullptr ? on_device.get() : workspace.data();
    const int rc = info_->run(extents, x.data(), packed.data(), y.floats(), scratch);
    EXPECT_EQ(rc, CONVC_OK) << info_->layer;
    if (rc != CONVC_OK) return std::nullopt;
    EXPECT_TRUE(y.surroundings_intact()) << info_->layer << " writes outside y";
    EXPECT_TRUE(workspace.surroundings_intact()) << info_->layer << " writes outside its workspace";
    const auto written = [](float value) { return std::bit_cast<uint32_t>(value) != unwritten; };
    const auto missed = std::find_if_not(y.elements().begin(), y.elements().end(), written);
    EXPECT_EQ(missed, y.elements().end())
        << info_->layer << " does not write element " << missed - y.elements().begin();
    return Tensor(y.elements().begin(), y.elements().end());
}

testing::AssertionResult KernelUnderTest::agrees(const LayerData &data, Tolerance tolerance) const {
    const auto first = run(data, {Placement::at_start, 0xff});
    const auto second = run(data, {Placement::at_end, 0x01});
    if (!first || !second) return testing::AssertionFailure() << info_->layer << ": no output";
    const ReferenceResult expected = reference_of(layer_, data);
    if (!sums_as_written(info_->schedule)) tolerance = Tolerance::transformed;
    const Comparison comparison = compare_output(layer_.output(), *first, expected, tolerance);
    tally().compared(*info_, by_reference);
    const auto where = [&] { return std::string(info_->layer) + "\n  by " + info_->schedule + "\n  "; };
    if (!comparison.ok()) return testing::AssertionFailure() << where() << comparison.message();
    if (!same_bits(*first, *second)) {
        return testing::AssertionFailure()
               << where() << "the output depends on where its buffers lie or what they held";
    }
    return testing::AssertionSuccess() << comparison.message();
}

bool same_bits(const Tensor &a, const Tensor &b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

}  // namespace convc::test
