// Everything that one call of a kernel needs: the layer's data, and the memory that the caller provides.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compiler/driver/tensor_io/weights.h"
#include "convc/device_memory.h"
#include "convc/layer.h"
#include "convc/loaded_kernel.h"
#include "convc/status.h"

namespace convc {

// Numbers for a layer, and the layer with its run-time extents filled in.
struct LayerData {
    Layer layer;
    std::vector<int64_t> extents;            // the run-time ones, in x's axis order
    std::vector<std::vector<float>> inputs;  // one a tensor of layer.inputs
    ParameterValues parameters;
};

// Where the data come from. What is not given is random, from the seed.
struct DataSources {
    std::map<std::string, std::string> input_files;  // by the tensor's name
    const WeightSource *weights = nullptr;
    bool plain_weight_names = true;  // see read_parameters()
    uint64_t seed = 0;
    std::vector<int64_t> extents = {};  // run-time ones, where no file gives x; empty: a picture of 32 x 32 or larger
};
Result<LayerData> make_data(const Layer &layer, const DataSources &sources);

// 64-byte aligned, zeroed; null when of size 0.
class AlignedMemory {
public:
    AlignedMemory() = default;
    static Result<AlignedMemory> make(size_t bytes);
    void *get() const { return memory_.get(); }

private:
    struct Free {
        void operator()(void *memory) const { std::free(memory); }
    };
    std::unique_ptr<void, Free> memory_;
};

// Inputs and output lie at 64-byte boundaries, as frameworks' tensors do. Where a std::vector's numbers lie, often 16
// bytes past one, every vector of 64 bytes crosses a cache line.
//
// Of a kernel for a GPU, all of it lies in device memory.
class KernelCall {
public:
    // Copies the inputs, packs the parameters and reserves the output. `data` must outlive the call.
    // Failure::environment where a kernel for a GPU finds no driver or no device.
    static Result<KernelCall> prepare(LoadedKernel kernel, const LayerData &data);

    const char *schedules() const { return kernel_.info().schedule; }
    size_t packed_bytes() const { return kernel_.info().packed_bytes; }
    size_t workspace_bytes() const { return kernel_.info().workspace(extents()); }

    int run();                                  // 0, or a CONVC_ERROR_*; y is there when it returns
    Result<std::vector<float>> output() const;  // a copy

private:
    KernelCall(LoadedKernel kernel, const LayerData &data);
    Status place_tensors();
    Status move_to_device();
    bool on_gpu() const { return gpu_ != Gpu::none; }
    const int64_t *extents() const;
    LoadedKernel kernel_;
    const LayerData *data_;
    Gpu gpu_ = Gpu::none;
    std::vector<AlignedMemory> input_memory_;
    std::vector<const float *> inputs_;
    AlignedMemory packed_, workspace_, output_;
    std::vector<DeviceMemory> device_inputs_;
    DeviceMemory device_packed_, device_workspace_, device_output_;
    size_t output_elements_ = 0;
};

// What a CONVC_ERROR_* means; of a GPU's, with the driver's words.
Error call_error(const std::string &function, int code);

}  // namespace convc
