#include "compiler/driver/kernel_call.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "compiler/driver/tensor_io/read_tensor.h"
#include "compiler/reference/runtime_extents.h"

namespace convc {
namespace {

// The extents of `actual` where `declared` leaves them to run time.
std::vector<int64_t> runtime_extents(const TensorType &declared, const std::vector<int64_t> &actual) {
    const std::vector<int64_t> extents = declared.extents();
    std::vector<int64_t> found;
    for (size_t i = 0; i < extents.size(); i++) {
        if (extents[i] == runtime_extent) found.push_back(actual[i]);
    }
    return found;
}

// Nothing when no file is given for the tensor.
Result<std::optional<Tensor>> read_given(const NamedTensor &input, const DataSources &sources) {
    const auto file = sources.input_files.find(input.name);
    if (file == sources.input_files.end()) return std::optional<Tensor>();
    Result<Tensor> tensor = read_tensor(file->second, input.type);
    if (!tensor) return tensor.error();
    return std::optional<Tensor>(std::move(*tensor));
}

Result<std::vector<float>> given_or_random(const NamedTensor &input, size_t index, const DataSources &sources) {
    Result<std::optional<Tensor>> given = read_given(input, sources);
    if (!given) return given.error();
    if (*given) return std::move((*given)->values);
    const std::optional<int64_t> elements = input.type.elements();
    if (!elements) return Error{Failure::environment, fmt::format("{} is too large", print_tensor(input.type))};
    return random_values(*elements, sources.seed, index);
}

Result<ParameterValues> given_or_random(const Layer &layer, const DataSources &sources) {
    if (sources.weights) return read_parameters(layer, *sources.weights, sources.plain_weight_names);
    return random_parameters(layer, sources.seed);
}

// A batch of 2, and as much space as the layer needs: 32 along every axis, or the next power of 2 that will do.
std::vector<int64_t> usual_extents(const Layer &layer) {
    constexpr int64_t most_space = 1 << 16;
    const TensorType &type = layer.inputs[0].type;
    std::vector<int64_t> extents;
    for (int64_t space = 32; space <= most_space; space *= 2) {
        extents.clear();
        if (type.batch == runtime_extent) extents.push_back(2);
        for (int64_t extent : type.space) {
            if (extent == runtime_extent) extents.push_back(space);
        }
        if (resolve_runtime_extents(layer, extents)) break;
    }
    return extents;
}

// What x settles where it is given.
Status resolve_extents(const Layer &layer, const std::optional<Tensor> &x, const std::vector<int64_t> &given,
                       LayerData &data) {
    data.extents = given.empty() ? usual_extents(layer) : given;
    if (x) data.extents = runtime_extents(layer.inputs[0].type, x->shape);
    Result<Layer> resolved = resolve_runtime_extents(layer, data.extents);
    if (!resolved) return resolved.error();
    data.layer = std::move(*resolved);
    return {};
}

}  // namespace

Result<LayerData> make_data(const Layer &layer, const DataSources &sources) {
    Result<std::optional<Tensor>> x = read_given(layer.inputs[0], sources);
    if (!x) return x.error();
    LayerData data;
    if (Status status = resolve_extents(layer, *x, sources.extents, data); !status) return status.error();
    if (*x) data.inputs.push_back(std::move((*x)->values));
    for (size_t i = data.inputs.size(); i < layer.inputs.size(); i++) {
        Result<std::vector<float>> values = given_or_random(data.layer.inputs[i], i, sources);
        if (!values) return values.error();
        data.inputs.push_back(std::move(*values));
    }
    Result<ParameterValues> parameters = given_or_random(layer, sources);
    if (!parameters) return parameters.error();
    data.parameters = std::move(*parameters);
    return data;
}

Result<AlignedMemory> AlignedMemory::make(size_t bytes) {
    constexpr size_t alignment = 64;
    AlignedMemory memory;
    if (bytes == 0) return memory;
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    if (rounded >= bytes) memory.memory_.reset(std::aligned_alloc(alignment, rounded));
    if (!memory.memory_) return Error{Failure::environment, fmt::format("not enough memory for {} bytes", bytes)};
    std::memset(memory.memory_.get(), 0, rounded);
    return memory;
}

KernelCall::KernelCall(LoadedKernel kernel, const LayerData &data) : kernel_(std::move(kernel)), data_(&data) {
    const Result<Target> target = parse_target(kernel_.info().target);
    if (target) gpu_ = target->gpu;
}

Status KernelCall::place_tensors() {
    for (const std::vector<float> &input : data_->inputs) {
        const size_t bytes = input.size() * sizeof(float);
        Result<AlignedMemory> memory = AlignedMemory::make(bytes);
        if (!memory) return memory.error();
        if (bytes > 0) std::memcpy(memory->get(), input.data(), bytes);
        inputs_.push_back(static_cast<const float *>(memory->get()));
        input_memory_.push_back(std::move(*memory));
    }
    const std::optional<int64_t> elements = data_->layer.output().elements();
    if (!elements) return Error{Failure::environment, "the output is too large"};
    output_elements_ = static_cast<size_t>(*elements);
    Result<AlignedMemory> output = AlignedMemory::make(output_elements_ * sizeof(float));
    if (!output) return output.error();
    output_ = std::move(*output);
    return {};
}

Result<KernelCall> KernelCall::prepare(LoadedKernel kernel, const LayerData &data) {
    KernelCall call(std::move(kernel), data);
    const convc_kernel_info &info = call.kernel_.info();
    if (Status status = call.place_tensors(); !status) return status.error();
    Result<AlignedMemory> packed = AlignedMemory::make(info.packed_bytes);
    if (!packed) return packed.error();
    Result<AlignedMemory> workspace = AlignedMemory::make(info.workspace(call.extents()));
    if (!workspace) return workspace.error();
    call.packed_ = std::move(*packed);
    call.workspace_ = std::move(*workspace);
    std::vector<const float *> parameters;
    for (const std::vector<float> &values : data.parameters) parameters.push_back(values.data());
    const int code = info.pack(parameters.empty() ? nullptr : parameters.data(), call.packed_.get());
    if (code != CONVC_OK) return call_error("pack", code);
    if (call.on_gpu()) {
        if (Status status = call.move_to_device(); !status) return status.error();
    }
    return call;
}

Status KernelCall::move_to_device() {
    const auto copy = [this](const void *host, size_t bytes) -> Result<DeviceMemory> {
        Result<DeviceMemory> memory = DeviceMemory::make(gpu_, bytes);
        if (!memory) return memory.error();
        if (Status status = memory->upload(host, bytes); !status) return status.error();
        return memory;
    };
    for (size_t i = 0; i < inputs_.size(); i++) {
        Result<DeviceMemory> input = copy(inputs_[i], data_->inputs[i].size() * sizeof(float));
        if (!input) return input.error();
        inputs_[i] = static_cast<const float *>(input->get());
        device_inputs_.push_back(*std::move(input));
    }
    Result<DeviceMemory> packed = copy(packed_.get(), packed_bytes());
    if (!packed) return packed.error();
    device_packed_ = *std::move(packed);
    Result<DeviceMemory> workspace = DeviceMemory::make(gpu_, workspace_bytes());
    if (!workspace) return workspace.error();
    device_workspace_ = *std::move(workspace);
    Result<DeviceMemory> output = copy(output_.get(), output_elements_ * sizeof(float));
    if (!output) return output.error();
    device_output_ = *std::move(output);
    return {};
}

int KernelCall::run() {
    if (on_gpu()) {
        const int code =
            kernel_.info().launch(extents(), inputs_.data(), device_packed_.get(),
                                  static_cast<float *>(device_output_.get()), device_workspace_.get(), nullptr);
        if (code != CONVC_OK) return code;
        return gpu_ == Gpu::cuda ? convc_cuda_synchronize(nullptr) : convc_opencl_synchronize(nullptr);
    }
    auto *output = static_cast<float *>(output_.get());
    return kernel_.info().run(extents(), inputs_.data(), packed_.get(), output, workspace_.get());
}

Result<std::vector<float>> KernelCall::output() const {
    if (on_gpu()) {
        std::vector<float> values(output_elements_);
        if (Status status = device_output_.download(values.data(), values.size() * sizeof(float)); !status) {
            return status.error();
        }
        return values;
    }
    const auto *values = static_cast<const float *>(output_.get());
    return std::vector<float>{values, values + output_elements_};
}

const int64_t *KernelCall::extents() const {
    return data_->extents.empty() ? nullptr : data_->extents.data();
}

Error call_error(const std::string &function, int code) {
    const auto because = [&](Failure failure, std::string_view reason) {
        return Error{failure, fmt::format("{} of the kernel failed: {} (code {})", function, reason, code)};
    };
    switch (code) {
        case CONVC_ERROR_NULL:
            return because(Failure::internal, "a pointer is NULL");
        case CONVC_ERROR_ALIGNMENT:
            return because(Failure::internal, "packed or workspace is not 64-byte aligned");
        case CONVC_ERROR_PACKED:
            return because(Failure::internal, "packed is another kernel's");
        case CONVC_ERROR_EXTENT:
            return because(Failure::invalid_input, "a run-time extent is out of range");
        case CONVC_ERROR_TARGET:
            return because(Failure::environment, "this CPU runs none of its variants");
        case CONVC_ERROR_DRIVER:
        case CONVC_ERROR_DEVICE:
        case CONVC_ERROR_MEMORY:
        case CONVC_ERROR_LAUNCH:
            return device_error(fmt::format("{} of the kernel", function).c_str(), code);
        default:
            return because(Failure::internal, "an internal error");
    }
}

}  // namespace convc
