/* stub_cuda.h: what tests ask and tell the driver of stub_cuda.c beside CUDA's own functions. Not while another thread
 * calls the driver. */
#ifndef CONVC_STUB_CUDA_H
#define CONVC_STUB_CUDA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { STUB_CUDA_ARGUMENTS = 64, STUB_CUDA_LAUNCHES = 8192 };

typedef struct stub_cuda_launch {
    char function[64];
    const void *context;
    const void *stream;
    unsigned blocks[3];
    unsigned threads[3];
    unsigned shared_bytes;
    unsigned argument_count;
    uint64_t arguments[STUB_CUDA_ARGUMENTS]; /* what the parameters pointed to */
} stub_cuda_launch;

/* The driver as after a restart: two devices of capability 8.0 with 1 GiB each, no contexts, no faults, nothing
 * counted. The calling thread has no current context. */
void stub_cuda_reset(void);

void stub_cuda_set_devices(int count);
void stub_cuda_set_capability(int device, int capability);
void stub_cuda_set_memory(uint64_t bytes);

/* The next `times` calls of a function of the driver return this CUresult. */
void stub_cuda_fail(const char *function, int result, int times);

/* How long cuModuleLoadDataEx takes. */
void stub_cuda_set_load_time(int microseconds);

/* Between begin and end, functions that CUDA refuses while a stream is captured are refused; end gives their number. */
void stub_cuda_begin_capture(void);
int stub_cuda_end_capture(void);

/* Since the last reset. */
int stub_cuda_calls(const char *function);
int stub_cuda_launches(void);
const stub_cuda_launch *stub_cuda_get_launch(int index);

/* At present. */
int stub_cuda_live_modules(void);
int stub_cuda_live_memory(void);
int stub_cuda_primary_retained(int device);

/* Functions of the driver that programs call and the runtime does not. */
int cuInit(unsigned flags);
int cuCtxCreate_v2(void **context, unsigned flags, int device);
int cuCtxDestroy_v2(void *context);
int cuCtxSetCurrent(void *context);
int cuCtxGetCurrent(void **context);
int cuDevicePrimaryCtxReset_v2(int device);
int cuStreamCreate(void **stream, unsigned flags);

#ifdef __cplusplus
}
#endif

#endif /* CONVC_STUB_CUDA_H */
