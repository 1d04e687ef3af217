/* gpu.h: what a program needs beside the kernels of a library for a GPU, in plain C, without CUDA's or OpenCL's
 * headers: device memory, copies, waiting, and what the driver said.
 *
 * convc.h says what a kernel is. On a GPU its tensors, packed and workspace lie in device memory, and a call puts its
 * work into a stream and returns. Functions return 0 or a CONVC_ERROR_*; none prints or ends the program. They open the
 * driver's library (libcuda.so.1, libOpenCL.so.1) at the first call, so a program that links them starts without one.
 *
 * CUDA. A stream is a CUstream or cudaStream_t, NULL the default one. Calls work in the calling thread's current
 * context; where it has none, the primary context of device 0 becomes current, which is the one that CUDA's runtime
 * interface uses. The first call of a kernel in a context loads its code, which takes the driver from milliseconds to
 * seconds; later calls launch and do nothing else, so a CUDA graph can capture them. A driver older than 12.0 does not
 * tell a new context from a destroyed one at the same address: convc_cuda_release() before destroying a context then.
 *
 * OpenCL. A tensor, packed and workspace are each a cl_mem, and a stream is an in-order cl_command_queue. NULL is a
 * queue that these functions make, on the first GPU there is, else on the first device; cl_mems made here belong to its
 * context. A kernel keeps the contexts that it has run in until convc_opencl_release().
 *
 * A library made from the archive has these functions and the kernels' state to itself. After fork(), a child whose
 * parent has called the driver gets CONVC_ERROR_DRIVER.
 */
#ifndef CONVC_GPU_H
#define CONVC_GPU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct convc_gpu_device {
    char name[128];            /* "NVIDIA H100 80GB HBM3" */
    char driver[64];           /* its version: "12.4" */
    int32_t capability;        /* 90 for compute capability 9.0; the version of OpenCL, 30 for 3.0 */
    int32_t multiprocessors;   /* compute units */
    int32_t clock_khz;         /* 0: unknown */
    int32_t threads_per_block; /* at most */
    uint64_t memory_bytes;     /* of global memory */
    uint64_t cache_bytes;      /* of the cache before it (L2) */
    uint64_t shared_bytes;     /* of shared (local) memory that a block can have */
} convc_gpu_device;

/* The driver's own words about this thread's last failure ("CUDA_ERROR_OUT_OF_MEMORY: out of memory (cuMemAlloc)"), or
 * "". Valid until the thread's next failure. */
const char *convc_gpu_error(void);

/* Memory of the device, 256-byte aligned; NULL for 0 bytes. What it holds is arbitrary. */
int convc_cuda_allocate(size_t bytes, void **memory);
int convc_cuda_free(void *memory);

/* Both return when the copy is done. upload() waits for the default stream, download() begins after it: what other
 * streams do with the memory must have been waited for. */
int convc_cuda_upload(void *device, const void *host, size_t bytes);
int convc_cuda_download(void *host, const void *device, size_t bytes);

/* Waits until what calls have put into a stream is done. A kernel's fault is found here: CONVC_ERROR_LAUNCH. */
int convc_cuda_synchronize(void *stream);

/* Waits for the current context and unloads what kernels have loaded into it; they load again when called. Leaves alone
 * what a call in another thread is using. Not while a CUDA graph with such kernels will still be launched. */
int convc_cuda_release(void);

/* About the current context's device. */
int convc_cuda_device(convc_gpu_device *info);

/* The same for OpenCL, where `memory` and `device` are a cl_mem. release() is for all contexts, device() for the device
 * that NULL stands for. */
int convc_opencl_allocate(size_t bytes, void **memory);
int convc_opencl_free(void *memory);
int convc_opencl_upload(void *device, const void *host, size_t bytes);
int convc_opencl_download(void *host, const void *device, size_t bytes);
int convc_opencl_synchronize(void *stream);
int convc_opencl_release(void);
int convc_opencl_device(convc_gpu_device *info);

#ifdef __cplusplus
}
#endif

#endif /* CONVC_GPU_H */
