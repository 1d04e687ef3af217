/* gpu_common.h: what the CUDA and the OpenCL runtime share (gpu_memory.c, gpu_modules.c). Entry points see
 * gpu_runtime.h.
 */
#ifndef CONVC_GPU_COMMON_H
#define CONVC_GPU_COMMON_H

#include <pthread.h>
#include <stdatomic.h>

#include "convc/convc.h"
#include "runtime/gpu_runtime/gpu_runtime.h"

/* ---- failures ------------------------------------------------------------------------------------------------------
 */

/* Makes a text this thread's convc_gpu_error(), and returns the code. */
int convc_gpu_fail_v1(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* snprintf(), whose result nobody here needs. */
void convc_gpu_write_v1(char *text, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Keeps the first failure of a call in its context; returns the code. */
int convc_gpu_note_v1(convc_gpu_context *context, int code);

/* ---- scratch memory ------------------------------------------------------------------------------------------------
 */

/* Bytes from a buffer's first element to its last. */
uint64_t convc_gpu_buffer_bytes_v1(const convc_gpu_buffer *buffer);

/* Takes a block of the workspace and sets its offset, or fails with CONVC_ERROR_INTERNAL: code generation has counted
 * what a kernel takes. */
int convc_gpu_take_block_v1(convc_gpu_context *context, uint64_t bytes, uint64_t *offset);

/* Gives back the block that begins at an offset. In any order, but only the top of the stack is free for others. */
void convc_gpu_give_block_v1(convc_gpu_context *context, uint64_t offset);

/* Fails where Halide would copy from the host, which has no copy. */
int convc_gpu_check_host_v1(const convc_gpu_buffer *buffer);

/* ---- modules -------------------------------------------------------------------------------------------------------
 * A module is a kernel's device code in one driver context. A kernel's state word holds its convc_gpu_code, which is
 * made at the first call and lists the modules. Nothing is found by the address of the state word or of the code it
 * belongs to: a JIT may unmap them and put another kernel there, whose word is NULL again. What is left of the unmapped
 * one is its list, until the modules are released.
 */

/* A driver context, and a device where a context has several, each with modules of its own (OpenCL). The instance tells
 * a context from an earlier one at the same address (CUDA's id of a context). */
typedef struct convc_gpu_place {
    void *context;
    void *device;
    uint64_t instance;
} convc_gpu_place;

/* A device function of a module. */
typedef struct convc_gpu_function {
    struct convc_gpu_function *next;
    void *handle;
    pthread_mutex_t lock;          /* held while a launch that cannot share the handle uses it */
    _Atomic uint32_t shared_bytes; /* dynamic shared memory that it may be launched with; 0 at first */
    char name[];
} convc_gpu_function;

typedef struct convc_gpu_module {
    struct convc_gpu_module *next;
    struct convc_gpu_code *code;
    convc_gpu_place place;
    void *handle; /* NULL: a thread is loading it */
    _Atomic uint32_t uses;
    _Atomic(convc_gpu_function *) functions;
} convc_gpu_module;

/* How a driver loads. All functions but forget return 0 or have failed by convc_gpu_fail_v1(). */
typedef struct convc_gpu_loader {
    int (*load)(const convc_gpu_place *place, const char *source, size_t bytes, void **module);
    int (*find)(void *module, const char *name, void **function);
    void (*forget)(void *function); /* may be NULL */
    int (*unload)(void *module);
} convc_gpu_loader;

/* All kernels that a driver has been asked to load. Static, zero at first. */
typedef struct convc_gpu_registry {
    _Atomic(struct convc_gpu_code *) codes;
} convc_gpu_registry;

/* The module of the kernel with this state word in this place, loaded when need be; give it back with _release. Threads
 * that want the same module wait for the one that loads it. */
int convc_gpu_module_acquire_v1(convc_gpu_registry *registry, const convc_gpu_loader *loader,
                                const convc_gpu_place *place, void **state, const char *source, size_t bytes,
                                convc_gpu_module **module);
void convc_gpu_module_release_v1(convc_gpu_module *module);

/* A function of an acquired module, looked up in the driver once. */
int convc_gpu_module_function_v1(const convc_gpu_loader *loader, convc_gpu_module *module, const char *name,
                                 convc_gpu_function **function);

/* Unloads all modules of a place, or of every place where it is NULL, that nobody uses. Returns the first failure. */
int convc_gpu_unload_all_v1(convc_gpu_registry *registry, const convc_gpu_loader *loader, const convc_gpu_place *place);

#endif /* CONVC_GPU_COMMON_H */
