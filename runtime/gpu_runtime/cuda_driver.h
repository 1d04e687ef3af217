/* cuda_driver.h: the part of CUDA's driver interface that the runtime uses, declared here so that neither convc nor a
 * program that it compiles for needs a CUDA toolkit. Handles are void *, device addresses void * or uint64_t, whichever
 * the caller has; an enumeration is an int. A name ending in _v2 is what cuda.h makes of the name without it. */
#ifndef CONVC_CUDA_DRIVER_H
#define CONVC_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* CUresult, of which those that mean something to us. */
enum {
    cuda_success = 0,                         /* CUDA_SUCCESS */
    cuda_out_of_memory = 2,                   /* CUDA_ERROR_OUT_OF_MEMORY */
    cuda_not_initialized = 3,                 /* CUDA_ERROR_NOT_INITIALIZED */
    cuda_deinitialized = 4,                   /* CUDA_ERROR_DEINITIALIZED */
    cuda_stub_library = 34,                   /* CUDA_ERROR_STUB_LIBRARY */
    cuda_device_unavailable = 46,             /* CUDA_ERROR_DEVICE_UNAVAILABLE */
    cuda_no_device = 100,                     /* CUDA_ERROR_NO_DEVICE */
    cuda_invalid_device = 101,                /* CUDA_ERROR_INVALID_DEVICE */
    cuda_device_not_licensed = 102,           /* CUDA_ERROR_DEVICE_NOT_LICENSED */
    cuda_invalid_image = 200,                 /* CUDA_ERROR_INVALID_IMAGE */
    cuda_no_binary_for_gpu = 209,             /* CUDA_ERROR_NO_BINARY_FOR_GPU */
    cuda_invalid_ptx = 218,                   /* CUDA_ERROR_INVALID_PTX */
    cuda_jit_compiler_not_found = 221,        /* CUDA_ERROR_JIT_COMPILER_NOT_FOUND */
    cuda_unsupported_ptx_version = 222,       /* CUDA_ERROR_UNSUPPORTED_PTX_VERSION */
    cuda_jit_compilation_disabled = 223,      /* CUDA_ERROR_JIT_COMPILATION_DISABLED */
    cuda_invalid_source = 300,                /* CUDA_ERROR_INVALID_SOURCE */
    cuda_shared_object_init_failed = 303,     /* CUDA_ERROR_SHARED_OBJECT_INIT_FAILED */
    cuda_operating_system = 304,              /* CUDA_ERROR_OPERATING_SYSTEM */
    cuda_not_found = 500,                     /* CUDA_ERROR_NOT_FOUND */
    cuda_system_not_ready = 802,              /* CUDA_ERROR_SYSTEM_NOT_READY */
    cuda_system_driver_mismatch = 803,        /* CUDA_ERROR_SYSTEM_DRIVER_MISMATCH */
    cuda_compat_not_supported_on_device = 804 /* CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE */
};

/* CUdevice_attribute */
enum {
    cuda_max_threads_per_block = 1,             /* CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK */
    cuda_clock_rate = 13,                       /* CU_DEVICE_ATTRIBUTE_CLOCK_RATE */
    cuda_multiprocessor_count = 16,             /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
    cuda_l2_cache_size = 38,                    /* CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE */
    cuda_capability_major = 75,                 /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR */
    cuda_capability_minor = 76,                 /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR */
    cuda_max_shared_memory_per_block_optin = 97 /* CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
};

/* CUjit_option */
enum {
    cuda_jit_error_log_buffer = 5,           /* CU_JIT_ERROR_LOG_BUFFER */
    cuda_jit_error_log_buffer_size_bytes = 6 /* CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES */
};

/* CUfunction_attribute */
enum { cuda_max_dynamic_shared_size_bytes = 8 }; /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */

/* X(name, the library's symbol, parameters) for each function. cuCtxGetId is new in CUDA 12.0 and NULL before. */
#define CONVC_CUDA_FUNCTIONS(X)                                                                                       \
    X(cuInit, "cuInit", (unsigned flags))                                                                             \
    X(cuDriverGetVersion, "cuDriverGetVersion", (int *version))                                                       \
    X(cuGetErrorName, "cuGetErrorName", (int result, const char **name))                                              \
    X(cuGetErrorString, "cuGetErrorString", (int result, const char **text))                                          \
    X(cuDeviceGet, "cuDeviceGet", (int *device, int ordinal))                                                         \
    X(cuDeviceGetName, "cuDeviceGetName", (char *name, int bytes, int device))                                        \
    X(cuDeviceGetAttribute, "cuDeviceGetAttribute", (int *value, int attribute, int device))                          \
    X(cuDeviceTotalMem, "cuDeviceTotalMem_v2", (size_t *bytes, int device))                                           \
    X(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (void **context, int device))                             \
    X(cuDevicePrimaryCtxGetState, "cuDevicePrimaryCtxGetState", (int device, unsigned *flags, int *active))           \
    X(cuCtxGetCurrent, "cuCtxGetCurrent", (void **context))                                                           \
    X(cuCtxSetCurrent, "cuCtxSetCurrent", (void *context))                                                            \
    X(cuCtxGetDevice, "cuCtxGetDevice", (int *device))                                                                \
    X(cuCtxGetId, "cuCtxGetId", (void *context, unsigned long long *id))                                              \
    X(cuCtxSynchronize, "cuCtxSynchronize", (void))                                                                   \
    X(cuModuleLoadDataEx, "cuModuleLoadDataEx",                                                                       \
      (void **module, const void *image, unsigned option_count, int *options, void **values))                         \
    X(cuModuleUnload, "cuModuleUnload", (void *module))                                                               \
    X(cuModuleGetFunction, "cuModuleGetFunction", (void **function, void *module, const char *name))                  \
    X(cuFuncSetAttribute, "cuFuncSetAttribute", (void *function, int attribute, int value))                           \
    X(cuLaunchKernel, "cuLaunchKernel",                                                                               \
      (void *function, unsigned blocks_x, unsigned blocks_y, unsigned blocks_z, unsigned threads_x,                   \
       unsigned threads_y, unsigned threads_z, unsigned shared_bytes, void *stream, void **parameters, void **extra)) \
    X(cuStreamSynchronize, "cuStreamSynchronize", (void *stream))                                                     \
    X(cuMemAlloc, "cuMemAlloc_v2", (void **memory, size_t bytes))                                                     \
    X(cuMemFree, "cuMemFree_v2", (void *memory))                                                                      \
    X(cuMemcpyHtoD, "cuMemcpyHtoD_v2", (void *device, const void *host, size_t bytes))                                \
    X(cuMemcpyDtoH, "cuMemcpyDtoH_v2", (void *host, const void *device, size_t bytes))                                \
    X(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (uint64_t device, const void *host, size_t bytes, void *stream))     \
    X(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void *host, uint64_t device, size_t bytes, void *stream))

#define CONVC_CUDA_POINTER(name, symbol, parameters) int(*name) parameters; /* NOLINT(bugprone-macro-parentheses) */
typedef struct cuda_driver {
    CONVC_CUDA_FUNCTIONS(CONVC_CUDA_POINTER)
} cuda_driver;
#undef CONVC_CUDA_POINTER

/* The driver, its library opened and cuInit() done; or a failure, CONVC_ERROR_DRIVER or CONVC_ERROR_DEVICE. */
int convc_cuda_open_v1(const cuda_driver **driver);

/* Turns what a function of the driver returned into a CONVC_ERROR_*, and into this thread's convc_gpu_error(); `log` is
 * what the driver said beside it, "" for nothing. */
int convc_cuda_result_v1(const cuda_driver *driver, int result, const char *function, const char *log);

#endif /* CONVC_CUDA_DRIVER_H */
