// Memory of a GPU, owned: what kernels for CUDA and OpenCL find packed and workspace in.
//
//     Result<DeviceMemory> packed = DeviceMemory::make(Gpu::cuda, info.packed_bytes);
//     if (!packed) return packed.error();
//     if (Status status = packed->upload(host.data(), host.size()); !status) return status.error();
//     info.run(nullptr, inputs, packed->get(), y, workspace->get());
#pragma once

#include <cstddef>
#include <memory>

#include "convc/gpu.h"
#include "convc/status.h"
#include "convc/target.h"

namespace convc {

class DeviceMemory {
public:
    DeviceMemory() = default;  // none
    // 256-byte aligned, of arbitrary contents; get() is nullptr for 0 bytes. Failure::environment where there is no
    // driver, no device or no memory, with the driver's words.
    static Result<DeviceMemory> make(Gpu gpu, size_t bytes);

    void *get() const { return memory_.get(); }  // an address of CUDA's, a cl_mem of OpenCL's

    // Both return when the copy is done.
    Status upload(const void *host, size_t bytes);
    Status download(void *host, size_t bytes) const;

private:
    struct Free {
        Gpu gpu;  // value-initialized: none
        void operator()(void *memory) const;
    };
    std::unique_ptr<void, Free> memory_;
};

// The error that a CONVC_ERROR_* of a function of gpu.h or of a kernel stands for, with the driver's words.
Error device_error(const char *what, int code);

// The device that kernels would run on, and its target: CUDA of the device's capability, or OpenCL.
Result<convc_gpu_device> gpu_device(Gpu gpu);

}  // namespace convc
