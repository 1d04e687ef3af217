/* gpu_runtime.h: what a compiled GPU kernel calls, in place of Halide's CUDA and OpenCL runtimes.
 *
 * Halide's print, abort, allocate in the call and own contexts. These work in the caller's context and stream, hand out
 * the caller's workspace, and put a failure where the entry point finds it. The host half of a kernel is a Halide
 * object built with no_runtime-no_asserts-no_bounds_query-user_context and cuda or opencl; code generation renames what
 * it calls
 *
 *     halide_cuda_X, halide_opencl_X        convc_cuda_X_v1, convc_opencl_X_v1
 *     halide_device_malloc                  convc_cuda_malloc_v1, ...
 *     halide_device_free                    convc_cuda_free_v1, ...
 *     halide_device_free_as_destructor      convc_cuda_free_as_destructor_v1, ...
 *     halide_copy_to_device                 convc_cuda_copy_to_device_v1, ...
 *
 * and halide_malloc and halide_free as for CPU kernels (kernel_runtime.h): a convc_gpu_context begins with the fields
 * of a convc_kernel_context.
 *
 * no_asserts makes Halide ignore what these functions return: a launch that failed is followed by the next. So the
 * first failure of a call stays in the context's `error`, the functions do nothing from then on, and the entry point
 * returns `error` when the Halide function is done.
 *
 * An entry point calls convc_cuda_begin_v1(), builds the context and its buffers on its stack, and calls the Halide
 * functions; one context may serve several, one after another.
 *
 * The files: gpu_memory.c and gpu_modules.c serve both, cuda_driver.c and cuda_runtime.c are CUDA's, opencl_driver.c
 * and opencl_runtime.c OpenCL's. The names carry a version because archives of different convc releases may meet in one
 * program, and are weak because two archives may be linked whole into one.
 */
#ifndef CONVC_GPU_RUNTIME_H
#define CONVC_GPU_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "convc/gpu.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CONVC_GPU_ALIGNMENT = 512, /* bytes; the coarsest that a device wants of an OpenCL sub-buffer (NVIDIA's) */
    CONVC_GPU_ARGUMENTS = 64,  /* that a device function may take */
    CONVC_GPU_BLOCKS = 16      /* of scratch memory that may be alive at once */
};

/* One call of a kernel. The entry point sets every field but `blocks`; code generation mirrors this layout (8-byte
 * fields, in this order, 216 bytes). */
typedef struct convc_gpu_context {
    void *host_base; /* as a convc_kernel_context: NULL, 0, 0, 0, as GPU kernels take no host memory */
    uint64_t host_capacity;
    uint64_t host_used;
    uint64_t host_task_arena;
    uint64_t device_base;              /* the workspace: its device address (CUDA), its cl_mem (OpenCL); may be 0 */
    uint64_t device_capacity;          /* its size in bytes, what lies before the scratch memory included */
    uint64_t device_used;              /* the offset at which scratch memory begins */
    void *stream;                      /* CUstream, cl_command_queue; NULL: the default one */
    uint64_t error;                    /* 0; the CONVC_ERROR_* of the first failure */
    void *module;                      /* NULL; the runtime's */
    uint64_t block_count;              /* 0; the runtime's */
    uint64_t blocks[CONVC_GPU_BLOCKS]; /* the runtime's */
} convc_gpu_context;

/* What a block of `bytes` bytes takes of the workspace, from an offset that is a multiple of CONVC_GPU_ALIGNMENT: the
 * first one begins at the next such offset. The scratch memory of a kernel is the largest sum of this over the blocks
 * alive at once. As for CPU kernels, blocks must be counted until those allocated after them are freed too. */
static inline uint64_t convc_gpu_block_bytes(uint64_t bytes) {
    return (bytes + (bytes == 0) + CONVC_GPU_ALIGNMENT - 1) / CONVC_GPU_ALIGNMENT * CONVC_GPU_ALIGNMENT;
}

/* A halide_buffer_t. The entry point's have no host memory, no flags, and
 *
 *     CUDA      device: the address                 padding: not looked at
 *     OpenCL    device: the cl_mem                  padding: the offset in it in bytes, a multiple of
 * CONVC_GPU_ALIGNMENT
 *
 * (Halide neither reads nor writes `padding`.) */
typedef struct convc_gpu_dimension {
    int32_t min;
    int32_t extent;
    int32_t stride;
    uint32_t flags;
} convc_gpu_dimension;

typedef struct convc_gpu_buffer {
    uint64_t device;
    const void *device_interface;
    void *host;
    uint64_t flags; /* 1: the host's copy is newer */
    uint8_t type_code;
    uint8_t type_bits;
    uint16_t type_lanes;
    int32_t dimensions;
    const convc_gpu_dimension *dim;
    uint64_t padding;
} convc_gpu_buffer;

/* ---- CUDA: for entry points ----------------------------------------------------------------------------------------
 */

/* 0 when this thread can call a kernel compiled for this compute capability (80 for 8.0), else why not. Opens the
 * driver's library and makes a context current where there is none. */
int convc_cuda_begin_v1(int capability);

/* For entry points that take host memory: in the stream's order, done when it has been waited for. */
int convc_cuda_copy_in_v1(void *stream, uint64_t device, const void *host, uint64_t bytes);
int convc_cuda_copy_out_v1(void *stream, void *host, uint64_t device, uint64_t bytes);
int convc_cuda_synchronize_v1(void *stream);

/* ---- CUDA: for Halide ----------------------------------------------------------------------------------------------
 */

/* Loads a kernel's PTX, which ends with a NUL, into the current context unless it is there. *state begins as NULL and
 * belongs to the runtime from then on. */
int convc_cuda_initialize_kernels_v1(void *user_context, void **state, const char *ptx, int size);
void convc_cuda_finalize_kernels_v1(void *user_context, void *state);

/* Launches a device function. sizes ends with a 0; an argument is a convc_gpu_buffer where is_buffer says so, else
 * points to the value. */
int convc_cuda_run_v1(void *user_context, void *state, const char *name, int blocks_x, int blocks_y, int blocks_z,
                      int threads_x, int threads_y, int threads_z, int shared_bytes, size_t sizes[], void *arguments[],
                      int8_t is_buffer[]);

const void *convc_cuda_device_interface_v1(void);
int convc_cuda_malloc_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface);
int convc_cuda_free_v1(void *user_context, convc_gpu_buffer *buffer);
void convc_cuda_free_as_destructor_v1(void *user_context, void *buffer);
int convc_cuda_copy_to_device_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface);

/* ---- OpenCL: the same ----------------------------------------------------------------------------------------------
 */

/* What a kernel needs of a device beside OpenCL 1.2, added up. */
enum { CONVC_OPENCL_DOUBLES = 1 };

/* 0 when a kernel with these needs can be called on this command queue, NULL for the default one. */
int convc_opencl_begin_v1(void *queue, int needs);

/* Both return when the copy is done. */
int convc_opencl_copy_in_v1(void *queue, void *memory, uint64_t offset, const void *host, uint64_t bytes);
int convc_opencl_copy_out_v1(void *queue, void *host, void *memory, uint64_t offset, uint64_t bytes);
int convc_opencl_synchronize_v1(void *queue);

int convc_opencl_initialize_kernels_v1(void *user_context, void **state, const char *source, int size);
void convc_opencl_finalize_kernels_v1(void *user_context, void *state);
int convc_opencl_run_v1(void *user_context, void *state, const char *name, int blocks_x, int blocks_y, int blocks_z,
                        int threads_x, int threads_y, int threads_z, int shared_bytes, size_t sizes[],
                        void *arguments[], int8_t is_buffer[]);
const void *convc_opencl_device_interface_v1(void);
int convc_opencl_malloc_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface);
int convc_opencl_free_v1(void *user_context, convc_gpu_buffer *buffer);
void convc_opencl_free_as_destructor_v1(void *user_context, void *buffer);
int convc_opencl_copy_to_device_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface);

#ifdef __cplusplus
}
#endif

#endif /* CONVC_GPU_RUNTIME_H */
