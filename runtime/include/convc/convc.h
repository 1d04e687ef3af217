/* convc.h: what every kernel that convc compiles has in common, in plain C.
 *
 * `convc compile net.conv -o out` writes out/libnet.a and out/net.h; net.h repeats this text, so a program needs
 * nothing but those two files. For each layer NAME of net.conv it declares
 *
 *     typedef struct { const float *w0, *b0; } NAME_weights;
 *     size_t NAME_packed_bytes(void);
 *     size_t NAME_workspace_bytes(void);
 *     int    NAME_pack(const NAME_weights *weights, void *packed);                        once
 *     int    NAME(const float *x, const void *packed, float *y, void *workspace);         0, or a CONVC_ERROR_*
 *     const convc_kernel_info *NAME_info(void);
 *
 * Run-time extents (`?` in the layer) come first in NAME and NAME_workspace_bytes, as int64_t, in x's axis order. A
 * batch of 0 is nothing to do: NAME returns 0 at once. Extents that make no sense are CONVC_ERROR_EXTENT, and a
 * workspace of 0.
 *
 * packed and workspace are 64-byte aligned, NULL when their size is 0, and overlap nothing. The call allocates nothing
 * and may be made from many threads at once, each with its own workspace.
 *
 * In a library of several targets each kernel has a variant a target, and the first call of any function chooses for
 * the whole process: the best variant that this CPU runs, or the one named by the environment variable CONVC_TARGET (as
 * in "x86-64-linux-sse41"). All functions are that variant's, the sizes and NAME_info too; what one variant has packed,
 * another refuses. Where no variant fits, sizes are 0 and calls return CONVC_ERROR_TARGET.
 *
 * With --target cuda-sm_80 (or opencl), alone or beside CPU targets, each layer has
 *
 *     size_t NAME_cuda_packed_bytes(void);
 *     size_t NAME_cuda_workspace_bytes(void), NAME_cuda_host_workspace_bytes(void);
 *     int    NAME_cuda_pack(const NAME_weights *weights, void *packed);     once, into host memory
 *     int    NAME_cuda(const float *x, const void *packed, float *y, void *workspace, void *stream);
 *     int    NAME_cuda_host(const float *x, const void *packed, float *y, void *workspace);
 *     const convc_kernel_info *NAME_cuda_info(void);
 *
 * NAME_cuda takes device memory and puts its work into the stream; it does not look whether packed is this kernel's.
 * Tensors are 16-byte aligned. NAME_cuda_host takes x and y in host memory and returns when y is there. Both take
 * packed from device memory, where a program has copied it, and workspace too; convc_cuda_allocate() and
 * convc_cuda_upload() of gpu.h do that without CUDA's headers. A program starts and runs on the CPU where there is no
 * driver: there these calls return CONVC_ERROR_DRIVER.
 */
#ifndef CONVC_H
#define CONVC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CONVC_OK = 0,
    CONVC_ERROR_NULL = 1,      /* a pointer that must not be NULL is */
    CONVC_ERROR_ALIGNMENT = 2, /* packed or workspace is not 64-byte aligned */
    CONVC_ERROR_PACKED = 3,    /* packed was not filled by this kernel's pack function */
    CONVC_ERROR_EXTENT = 4,    /* a run-time extent is negative, too small for the kernel, or a tensor too large */
    CONVC_ERROR_TARGET = 5,   /* this CPU runs none of the library's variants, or not the one that CONVC_TARGET names */
    CONVC_ERROR_INTERNAL = 6, /* a bug of convc's */
    /* Of kernels for a GPU alone; convc_gpu_error() of gpu.h has the driver's own words. */
    CONVC_ERROR_DRIVER = 7, /* the driver's library is not there, or the driver does not start */
    CONVC_ERROR_DEVICE = 8, /* there is no device, or it is not one that the kernel was compiled for */
    CONVC_ERROR_MEMORY = 9, /* the device is out of memory */
    CONVC_ERROR_LAUNCH = 10 /* the driver refused: memory or a stream of another context; or a kernel failed */
};

/* A tensor of the call. Extents in the layout's order; -1 stands for one given at run time. */
typedef struct convc_tensor_info {
    const char *name;   /* "x", or as declared; the output is "y" */
    const char *layout; /* "nhwc" */
    int32_t rank;       /* number of extents */
    int32_t reserved;
    const int64_t *extents;
} convc_tensor_info;

/* A tensor of learned numbers, f32, in PyTorch's name, shape and row-major order. */
typedef struct convc_parameter_info {
    const char *name; /* "0.weight" */
    int32_t rank;
    int32_t reserved;
    const int64_t *shape;
} convc_parameter_info;

/* Everything about one kernel, for programs that find it by name (dlsym, ctypes). Static; never freed. */
typedef struct convc_kernel_info {
    uint32_t abi;          /* CONVC_ABI */
    uint32_t extent_count; /* run-time extents that a call takes */
    const char *name;      /* "res2_3x3" */
    const char *layer;     /* "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu" */
    const char *schedule;  /* "direct(...)" */
    const char *target;    /* "x86-64-linux-avx2-fma" */
    const char *version;   /* of convc */
    int32_t input_count;
    int32_t parameter_count;
    const convc_tensor_info *inputs; /* x first */
    const convc_tensor_info *output;
    const convc_parameter_info *parameters; /* in the order of NAME_weights' members; NULL when there are none */
    size_t packed_bytes;
    size_t workspace_bytes; /* 0 where run-time extents decide it: workspace() says */
    /* NAME_pack and NAME with uniform arguments. extents: the run-time extents in x's axis order, NULL when there are
     * none. */
    int (*pack)(const float *const *parameters, void *packed);
    int (*run)(const int64_t *extents, const float *const *inputs, const void *packed, float *y, void *workspace);
    size_t (*workspace)(const int64_t *extents); /* bytes of it for a call with these extents */
    /* Of a kernel for a GPU, else NULL: NAME_cuda with uniform arguments, all of them device memory. pack then writes
     * host memory, which is to be copied to the device; run is NAME_cuda_host, whose tensors are host memory and whose
     * packed and workspace, of these sizes, are device memory. */
    int (*launch)(const int64_t *extents, const float *const *inputs, const void *packed, float *y, void *workspace,
                  void *stream);
} convc_kernel_info;

#define CONVC_ABI 2u

/* Threads a call may use; 0 restores the default, which is $CONVC_NUM_THREADS or else every CPU the process may run on.
 * Returns the number in force. A kernel that needs workspace uses at most as many as the target that it was compiled
 * for names. Not while a call is under way in another thread. */
int convc_set_threads(int threads);

/* Ends the worker threads; the next call starts them again. Not while a call is under way in another thread. */
void convc_shutdown(void);

#ifdef __cplusplus
}
#endif

#endif /* CONVC_H */
