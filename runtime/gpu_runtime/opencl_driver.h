/* opencl_driver.h: the part of OpenCL 1.2 that the runtime uses, declared here so that neither convc nor a program that
 * it compiles for needs OpenCL's headers. Handles are void *, bit fields uint64_t. */
#ifndef CONVC_OPENCL_DRIVER_H
#define CONVC_OPENCL_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* What functions return, of which those that mean something to us. */
enum {
    opencl_success = 0,                        /* CL_SUCCESS */
    opencl_device_not_found = -1,              /* CL_DEVICE_NOT_FOUND */
    opencl_device_not_available = -2,          /* CL_DEVICE_NOT_AVAILABLE */
    opencl_compiler_not_available = -3,        /* CL_COMPILER_NOT_AVAILABLE */
    opencl_mem_object_allocation_failure = -4, /* CL_MEM_OBJECT_ALLOCATION_FAILURE */
    opencl_out_of_host_memory = -6,            /* CL_OUT_OF_HOST_MEMORY */
    opencl_build_program_failure = -11,        /* CL_BUILD_PROGRAM_FAILURE */
    opencl_invalid_kernel_name = -46,          /* CL_INVALID_KERNEL_NAME */
    opencl_invalid_arg_index = -49,            /* CL_INVALID_ARG_INDEX */
    opencl_invalid_arg_size = -51,             /* CL_INVALID_ARG_SIZE */
    opencl_invalid_kernel_args = -52,          /* CL_INVALID_KERNEL_ARGS */
    opencl_invalid_buffer_size = -61,          /* CL_INVALID_BUFFER_SIZE */
    opencl_platform_not_found_khr = -1001      /* CL_PLATFORM_NOT_FOUND_KHR */
};

/* Questions: cl_device_info, cl_command_queue_info, cl_program_build_info, cl_mem_info. */
enum {
    opencl_device_max_compute_units = 0x1002,        /* CL_DEVICE_MAX_COMPUTE_UNITS */
    opencl_device_max_work_group_size = 0x1004,      /* CL_DEVICE_MAX_WORK_GROUP_SIZE */
    opencl_device_max_clock_frequency = 0x100C,      /* CL_DEVICE_MAX_CLOCK_FREQUENCY */
    opencl_device_global_mem_cache_size = 0x101E,    /* CL_DEVICE_GLOBAL_MEM_CACHE_SIZE */
    opencl_device_global_mem_size = 0x101F,          /* CL_DEVICE_GLOBAL_MEM_SIZE */
    opencl_device_max_constant_buffer_size = 0x1020, /* CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE */
    opencl_device_max_constant_args = 0x1021,        /* CL_DEVICE_MAX_CONSTANT_ARGS */
    opencl_device_local_mem_size = 0x1023,           /* CL_DEVICE_LOCAL_MEM_SIZE */
    opencl_device_name = 0x102B,                     /* CL_DEVICE_NAME */
    opencl_driver_version = 0x102D,                  /* CL_DRIVER_VERSION */
    opencl_device_version = 0x102F,                  /* CL_DEVICE_VERSION */
    opencl_device_double_fp_config = 0x1032,         /* CL_DEVICE_DOUBLE_FP_CONFIG */
    opencl_queue_context = 0x1090,                   /* CL_QUEUE_CONTEXT */
    opencl_queue_device = 0x1091,                    /* CL_QUEUE_DEVICE */
    opencl_queue_properties = 0x1093,                /* CL_QUEUE_PROPERTIES */
    opencl_mem_associated_memobject = 0x1107,        /* CL_MEM_ASSOCIATED_MEMOBJECT */
    opencl_mem_offset = 0x1108,                      /* CL_MEM_OFFSET */
    opencl_program_build_log = 0x1183                /* CL_PROGRAM_BUILD_LOG */
};

/* Bits and choices. */
enum {
    opencl_true = 1,                                /* CL_TRUE */
    opencl_queue_out_of_order_exec_mode_enable = 1, /* CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE */
    opencl_mem_read_write = 1,                      /* CL_MEM_READ_WRITE */
    opencl_device_type_gpu = 4,                     /* CL_DEVICE_TYPE_GPU */
    opencl_buffer_create_type_region = 0x1220       /* CL_BUFFER_CREATE_TYPE_REGION */
};
#define OPENCL_DEVICE_TYPE_ALL UINT64_C(0xFFFFFFFF) /* CL_DEVICE_TYPE_ALL */

/* cl_buffer_region */
typedef struct opencl_region {
    size_t origin;
    size_t size;
} opencl_region;

/* X(name, parameters) for each function. Those that make an object give it back, others a number. */
#define CONVC_OPENCL_FUNCTIONS(X)                                                                                     \
    X(int, clGetPlatformIDs, (uint32_t capacity, void **platforms, uint32_t *count))                                  \
    X(int, clGetDeviceIDs, (void *platform, uint64_t type, uint32_t capacity, void **devices, uint32_t *count))       \
    X(int, clGetDeviceInfo, (void *device, uint32_t question, size_t bytes, void *answer, size_t *answer_bytes))      \
    X(void *, clCreateContext,                                                                                        \
      (const intptr_t *properties, uint32_t device_count, void *const *devices, void *notify, void *data,             \
       int *result))                                                                                                  \
    X(int, clReleaseContext, (void *context))                                                                         \
    X(void *, clCreateCommandQueue, (void *context, void *device, uint64_t properties, int *result))                  \
    X(int, clGetCommandQueueInfo, (void *queue, uint32_t question, size_t bytes, void *answer, size_t *answer_bytes)) \
    X(void *, clCreateBuffer, (void *context, uint64_t flags, size_t bytes, void *host, int *result))                 \
    X(void *, clCreateSubBuffer, (void *memory, uint64_t flags, uint32_t type, const void *region, int *result))      \
    X(int, clGetMemObjectInfo, (void *memory, uint32_t question, size_t bytes, void *answer, size_t *answer_bytes))   \
    X(int, clReleaseMemObject, (void *memory))                                                                        \
    X(void *, clCreateProgramWithSource,                                                                              \
      (void *context, uint32_t count, const char **texts, const size_t *lengths, int *result))                        \
    X(int, clBuildProgram,                                                                                            \
      (void *program, uint32_t device_count, void *const *devices, const char *options, void *notify, void *data))    \
    X(int, clGetProgramBuildInfo,                                                                                     \
      (void *program, void *device, uint32_t question, size_t bytes, void *answer, size_t *answer_bytes))             \
    X(int, clReleaseProgram, (void *program))                                                                         \
    X(void *, clCreateKernel, (void *program, const char *name, int *result))                                         \
    X(int, clSetKernelArg, (void *kernel, uint32_t index, size_t bytes, const void *value))                           \
    X(int, clReleaseKernel, (void *kernel))                                                                           \
    X(int, clEnqueueNDRangeKernel,                                                                                    \
      (void *queue, void *kernel, uint32_t dimensions, const size_t *offset, const size_t *global,                    \
       const size_t *local, uint32_t wait_count, void *const *wait, void **event))                                    \
    X(int, clEnqueueReadBuffer,                                                                                       \
      (void *queue, void *memory, uint32_t blocking, size_t offset, size_t bytes, void *host, uint32_t wait_count,    \
       void *const *wait, void **event))                                                                              \
    X(int, clEnqueueWriteBuffer,                                                                                      \
      (void *queue, void *memory, uint32_t blocking, size_t offset, size_t bytes, const void *host,                   \
       uint32_t wait_count, void *const *wait, void **event))                                                         \
    X(int, clFinish, (void *queue))

#define CONVC_OPENCL_POINTER(type, name, parameters) type(*name) parameters; /* NOLINT(bugprone-macro-parentheses) */
typedef struct opencl_driver {
    CONVC_OPENCL_FUNCTIONS(CONVC_OPENCL_POINTER)
} opencl_driver;
#undef CONVC_OPENCL_POINTER

#ifdef __cplusplus
extern "C" {
#endif

/* The functions of libOpenCL.so.1, or CONVC_ERROR_DRIVER. */
int convc_opencl_open_v1(const opencl_driver **driver);

/* From now on the child of a fork() is refused: there is a context, whose threads it would not have. */
void convc_opencl_started_v1(void);

/* Turns what a function returned into a CONVC_ERROR_*, and into this thread's convc_gpu_error(); `log` is what the
 * driver said beside it, "" for nothing. */
int convc_opencl_result_v1(int result, const char *function, const char *log);

#ifdef __cplusplus
}
#endif

#endif /* CONVC_OPENCL_DRIVER_H */
