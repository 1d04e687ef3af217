#include "convc/device_memory.h"

#include <fmt/format.h>

#include "convc/convc.h"

namespace convc {
namespace {

std::string_view meaning_of(int code) {
    switch (code) {
        case CONVC_ERROR_DRIVER:
            return "there is no driver";
        case CONVC_ERROR_DEVICE:
            return "there is no device for it";
        case CONVC_ERROR_MEMORY:
            return "the device is out of memory";
        default:
            return "the driver refused";
    }
}

}  // namespace

Error device_error(const char *what, int code) {
    const std::string words = convc_gpu_error();
    return {Failure::environment, fmt::format("{}: {}{}{}", what, meaning_of(code), words.empty() ? "" : ": ", words)};
}

void DeviceMemory::Free::operator()(void *memory) const {
    gpu == Gpu::cuda ? convc_cuda_free(memory) : convc_opencl_free(memory);
}

Result<DeviceMemory> DeviceMemory::make(Gpu gpu, size_t bytes) {
    void *memory = nullptr;
    const int code = gpu == Gpu::cuda ? convc_cuda_allocate(bytes, &memory) : convc_opencl_allocate(bytes, &memory);
    if (code != CONVC_OK) return device_error(fmt::format("{} bytes of device memory", bytes).c_str(), code);
    DeviceMemory made;
    made.memory_ = {memory, Free{gpu}};
    return made;
}

Status DeviceMemory::upload(const void *host, size_t bytes) {
    if (bytes == 0) return {};
    const bool cuda = memory_.get_deleter().gpu == Gpu::cuda;
    const int code = cuda ? convc_cuda_upload(get(), host, bytes) : convc_opencl_upload(get(), host, bytes);
    return code == CONVC_OK ? Status() : device_error("a copy to the device", code);
}

Status DeviceMemory::download(void *host, size_t bytes) const {
    if (bytes == 0) return {};
    const bool cuda = memory_.get_deleter().gpu == Gpu::cuda;
    const int code = cuda ? convc_cuda_download(host, get(), bytes) : convc_opencl_download(host, get(), bytes);
    return code == CONVC_OK ? Status() : device_error("a copy from the device", code);
}

Result<convc_gpu_device> gpu_device(Gpu gpu) {
    convc_gpu_device device{};
    const int code = gpu == Gpu::cuda ? convc_cuda_device(&device) : convc_opencl_device(&device);
    if (code != CONVC_OK) return device_error(gpu == Gpu::cuda ? "CUDA" : "OpenCL", code);
    return device;
}

}  // namespace convc
