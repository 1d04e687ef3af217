/* device.h of a convc bundle: where kernels find their tensors. Those for a CPU take the program's own memory; those
 * for a GPU, for which build.sh defines BUNDLE_CUDA or BUNDLE_OPENCL, memory of its device.
 */
#ifndef CONVC_BUNDLE_DEVICE_H
#define CONVC_BUNDLE_DEVICE_H

#include <stddef.h>
#include <stdio.h>

#include "convc/convc.h"

#if defined(BUNDLE_CUDA) || defined(BUNDLE_OPENCL)

#include "convc/gpu.h"

#ifdef BUNDLE_CUDA
#define DEVICE(function) convc_cuda_##function
#else
#define DEVICE(function) convc_opencl_##function
#endif

/* Waiting takes some 10 us. */
#define DEVICE_BATCH_SECONDS 1e-3

/* Memory of the device, with the numbers of this memory in it; `held` is NULL for none. */
static inline int device_hold(void *memory, size_t bytes, void **held) {
    const int code = DEVICE(allocate)(bytes, held);
    return code != CONVC_OK || bytes == 0 ? code : DEVICE(upload)(*held, memory, bytes);
}

static inline int device_fetch(void *memory, const void *held, size_t bytes) {
    return bytes == 0 ? CONVC_OK : DEVICE(download)(memory, held, bytes);
}

static inline int device_run(const convc_kernel_info *info, const int64_t *extents, const float *const *inputs,
                             const void *packed, float *y, void *workspace) {
    return info->launch(extents, inputs, packed, y, workspace, NULL);
}

static inline int device_wait(void) {
    return DEVICE(synchronize)(NULL);
}

static inline int device_is_missing(int code) {
    return code == CONVC_ERROR_DRIVER || code == CONVC_ERROR_DEVICE;
}

/* ": " and what the driver says of this thread's last failure, or "". */
static inline const char *device_error(void) {
    static char text[320];
    const char *said = convc_gpu_error();
    snprintf(text, sizeof text, "%s%s", said[0] != '\0' ? ": " : "", said);
    return text;
}

#else

/* 200 times a reading of the clock. */
#define DEVICE_BATCH_SECONDS 5e-6

static inline int device_hold(void *memory, size_t bytes, void **held) {
    (void)bytes;
    *held = memory;
    return CONVC_OK;
}

static inline int device_fetch(void *memory, const void *held, size_t bytes) {
    (void)memory, (void)held, (void)bytes; /* it is there already */
    return CONVC_OK;
}

static inline int device_run(const convc_kernel_info *info, const int64_t *extents, const float *const *inputs,
                             const void *packed, float *y, void *workspace) {
    return info->run(extents, inputs, packed, y, workspace);
}

static inline int device_wait(void) {
    return CONVC_OK;
}

static inline int device_is_missing(int code) {
    return code == CONVC_ERROR_TARGET;
}

static inline const char *device_error(void) {
    return "";
}

#endif

#endif /* CONVC_BUNDLE_DEVICE_H */
