/* cuda_runtime.c: see gpu_runtime.h and convc/gpu.h. CUDA: contexts, modules, launches, memory.
 *
 * A call that is not the first of its kernel in its context asks the driver for the current context and its id, and
 * launches: nothing that a stream capture forbids, nothing that waits, and nothing that allocates. */
#include "runtime/gpu_runtime/cuda_driver.h"
#include "runtime/gpu_runtime/gpu_common.h"

#pragma weak convc_cuda_allocate
#pragma weak convc_cuda_begin_v1
#pragma weak convc_cuda_copy_in_v1
#pragma weak convc_cuda_copy_out_v1
#pragma weak convc_cuda_copy_to_device_v1
#pragma weak convc_cuda_device
#pragma weak convc_cuda_device_interface_v1
#pragma weak convc_cuda_download
#pragma weak convc_cuda_finalize_kernels_v1
#pragma weak convc_cuda_free
#pragma weak convc_cuda_free_as_destructor_v1
#pragma weak convc_cuda_free_v1
#pragma weak convc_cuda_initialize_kernels_v1
#pragma weak convc_cuda_malloc_v1
#pragma weak convc_cuda_release
#pragma weak convc_cuda_run_v1
#pragma weak convc_cuda_synchronize
#pragma weak convc_cuda_synchronize_v1
#pragma weak convc_cuda_upload

#define CONVC_PUBLIC __attribute__((visibility("default")))

/* CONVC_OK, or the failure of a driver's function, which the text names. */
#define CONVC_CUDA_CALL(driver, function, ...) \
    convc_cuda_result_v1(driver, (driver)->function(__VA_ARGS__), #function, "")

static convc_gpu_registry registry;

/* ---- the context ---------------------------------------------------------------------------------------------------
 */

/* The primary context of device 0, which threads without a context get. Retained once and kept: what threads have
 * current must not go away under them. Guarded by the lock. */
static pthread_mutex_t primary_lock = PTHREAD_MUTEX_INITIALIZER;
static void *primary_context;

/* cudaDeviceReset() ends a primary context whoever retains it. */
static int retain_primary(const cuda_driver *driver) {
    int device = 0;
    int result = CONVC_CUDA_CALL(driver, cuDeviceGet, &device, 0);
    if (result != CONVC_OK) return result;
    unsigned flags = 0;
    int is_active = 0;
    if (primary_context != NULL) {
        result = CONVC_CUDA_CALL(driver, cuDevicePrimaryCtxGetState, device, &flags, &is_active);
        if (result != CONVC_OK || is_active) return result;
    }
    return CONVC_CUDA_CALL(driver, cuDevicePrimaryCtxRetain, &primary_context, device);
}

static int use_primary(const cuda_driver *driver, void **context) {
    pthread_mutex_lock(&primary_lock);
    int result = retain_primary(driver);
    if (result == CONVC_OK) {
        *context = primary_context;
        result = CONVC_CUDA_CALL(driver, cuCtxSetCurrent, primary_context);
    }
    pthread_mutex_unlock(&primary_lock);
    return result;
}

/* Opens the driver and finds the context to work in. */
static int enter(const cuda_driver **driver, convc_gpu_place *place) {
    int result = convc_cuda_open_v1(driver);
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(*driver, cuCtxGetCurrent, &place->context);
    if (result == CONVC_OK && place->context == NULL) result = use_primary(*driver, &place->context);
    if (result != CONVC_OK) return result;
    unsigned long long id = 0;
    if ((*driver)->cuCtxGetId != NULL) result = CONVC_CUDA_CALL(*driver, cuCtxGetId, place->context, &id);
    place->instance = id;
    return result;
}

static int get_capability(const cuda_driver *driver, int device, int *capability) {
    int major = 0;
    int minor = 0;
    int result = CONVC_CUDA_CALL(driver, cuDeviceGetAttribute, &major, cuda_capability_major, device);
    if (result == CONVC_OK) {
        result = CONVC_CUDA_CALL(driver, cuDeviceGetAttribute, &minor, cuda_capability_minor, device);
    }
    *capability = 10 * major + minor;
    return result;
}

int convc_cuda_begin_v1(int capability) {
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    int device = 0;
    int there_is = 0;
    int result = enter(&driver, &place);
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(driver, cuCtxGetDevice, &device);
    if (result == CONVC_OK) result = get_capability(driver, device, &there_is);
    if (result != CONVC_OK || there_is >= capability) return result;
    return convc_gpu_fail_v1(CONVC_ERROR_DEVICE, "the device has compute capability %d.%d, the kernel needs %d.%d",
                             there_is / 10, there_is % 10, capability / 10, capability % 10);
}

/* ---- modules -------------------------------------------------------------------------------------------------------
 */

static int load_module(const convc_gpu_place *place, const char *ptx, size_t bytes, void **module) {
    (void)place; /* it is the current one */
    (void)bytes;
    const cuda_driver *driver = NULL;
    int result = convc_cuda_open_v1(&driver);
    if (result != CONVC_OK) return result;
    char log[768] = "";
    int options[] = {cuda_jit_error_log_buffer, cuda_jit_error_log_buffer_size_bytes};
    union {
        void *pointer;
        size_t number;
    } values[] = {{.pointer = log}, {.number = sizeof log - 1}};
    result = driver->cuModuleLoadDataEx(module, ptx, 2, options, &values[0].pointer);
    log[sizeof log - 1] = '\0';
    return convc_cuda_result_v1(driver, result, "cuModuleLoadDataEx", log);
}

static int find_function(void *module, const char *name, void **function) {
    const cuda_driver *driver = NULL;
    const int result = convc_cuda_open_v1(&driver);
    if (result != CONVC_OK) return result;
    return CONVC_CUDA_CALL(driver, cuModuleGetFunction, function, module, name);
}

static int unload_module(void *module) {
    const cuda_driver *driver = NULL;
    const int result = convc_cuda_open_v1(&driver);
    if (result != CONVC_OK) return result;
    return CONVC_CUDA_CALL(driver, cuModuleUnload, module);
}

static const convc_gpu_loader loader = {
    .load = load_module, .find = find_function, .forget = NULL, .unload = unload_module};

int convc_cuda_initialize_kernels_v1(void *user_context, void **state, const char *ptx, int size) {
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    convc_gpu_module *module = NULL;
    int result = enter(&driver, &place);
    if (result == CONVC_OK) {
        result = convc_gpu_module_acquire_v1(&registry, &loader, &place, state, ptx, (size_t)size, &module);
    }
    context->module = module;
    return convc_gpu_note_v1(context, result);
}

void convc_cuda_finalize_kernels_v1(void *user_context, void *state) {
    (void)state;
    convc_gpu_context *context = user_context;
    if (context->module != NULL) convc_gpu_module_release_v1(context->module);
    context->module = NULL;
}

CONVC_PUBLIC int convc_cuda_release(void) {
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    if (atomic_load_explicit(&registry.codes, memory_order_acquire) == NULL) return CONVC_OK;
    int result = enter(&driver, &place);
    if (result != CONVC_OK) return result;
    result = CONVC_CUDA_CALL(driver, cuCtxSynchronize, );
    const int unloaded = convc_gpu_unload_all_v1(&registry, &loader, &place);
    return result != CONVC_OK ? result : unloaded;
}

/* ---- launches ------------------------------------------------------------------------------------------------------
 */

/* Where the driver finds each argument. A device address lies in its buffer. */
static int collect_parameters(const size_t sizes[], void *arguments[], const int8_t is_buffer[], void **parameters) {
    for (int i = 0; sizes[i] != 0; ++i) {
        if (i == CONVC_GPU_ARGUMENTS) {
            return convc_gpu_fail_v1(CONVC_ERROR_INTERNAL, "a device function has more than %d arguments", i);
        }
        parameters[i] = arguments[i];
        if (!is_buffer[i]) continue;
        convc_gpu_buffer *buffer = arguments[i];
        if (buffer->device == 0) {
            return convc_gpu_fail_v1(CONVC_ERROR_INTERNAL, "argument %d of a device function has no memory", i);
        }
        parameters[i] = &buffer->device;
    }
    return CONVC_OK;
}

/* More shared memory than every device has must be asked for, once a function. */
static int allow_shared_memory(const cuda_driver *driver, convc_gpu_function *function, int bytes) {
    enum { always_allowed = 48 * 1024 };
    if (bytes <= always_allowed) return CONVC_OK;
    if ((uint32_t)bytes <= atomic_load_explicit(&function->shared_bytes, memory_order_acquire)) return CONVC_OK;
    pthread_mutex_lock(&function->lock);
    int result = CONVC_OK;
    if ((uint32_t)bytes > atomic_load_explicit(&function->shared_bytes, memory_order_relaxed)) {
        result =
            CONVC_CUDA_CALL(driver, cuFuncSetAttribute, function->handle, cuda_max_dynamic_shared_size_bytes, bytes);
        if (result == CONVC_OK) {
            atomic_store_explicit(&function->shared_bytes, (uint32_t)bytes, memory_order_release);
        }
    }
    pthread_mutex_unlock(&function->lock);
    return result;
}

int convc_cuda_run_v1(void *user_context, void *state, const char *name, int blocks_x, int blocks_y, int blocks_z,
                      int threads_x, int threads_y, int threads_z, int shared_bytes, size_t sizes[], void *arguments[],
                      int8_t is_buffer[]) {
    (void)state;
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    if (blocks_x < 1 || blocks_y < 1 || blocks_z < 1) return CONVC_OK; /* a loop of no iterations */
    if (context->module == NULL) return convc_gpu_note_v1(context, CONVC_ERROR_INTERNAL);
    const cuda_driver *driver = NULL;
    convc_gpu_function *function = NULL;
    void *parameters[CONVC_GPU_ARGUMENTS];
    int result = convc_cuda_open_v1(&driver);
    if (result == CONVC_OK) result = collect_parameters(sizes, arguments, is_buffer, parameters);
    if (result == CONVC_OK) result = convc_gpu_module_function_v1(&loader, context->module, name, &function);
    if (result == CONVC_OK) result = allow_shared_memory(driver, function, shared_bytes);
    if (result == CONVC_OK) {
        result = CONVC_CUDA_CALL(driver, cuLaunchKernel, function->handle, (unsigned)blocks_x, (unsigned)blocks_y,
                                 (unsigned)blocks_z, (unsigned)threads_x, (unsigned)threads_y, (unsigned)threads_z,
                                 (unsigned)shared_bytes, context->stream, parameters, NULL);
    }
    return convc_gpu_note_v1(context, result);
}

/* ---- scratch memory ------------------------------------------------------------------------------------------------
 */

/* Halide carries the address along and gives it back; nothing looks behind it. */
const void *convc_cuda_device_interface_v1(void) {
    static const char interface;
    return &interface;
}

int convc_cuda_malloc_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface) {
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    if (buffer->device != 0) return CONVC_OK;
    uint64_t offset = 0;
    const int result = convc_gpu_take_block_v1(context, convc_gpu_buffer_bytes_v1(buffer), &offset);
    if (result != CONVC_OK) return convc_gpu_note_v1(context, result);
    buffer->device = context->device_base + offset;
    buffer->device_interface = interface;
    return CONVC_OK;
}

int convc_cuda_free_v1(void *user_context, convc_gpu_buffer *buffer) {
    convc_gpu_context *context = user_context;
    if (buffer->device == 0) return CONVC_OK;
    convc_gpu_give_block_v1(context, buffer->device - context->device_base);
    buffer->device = 0;
    buffer->device_interface = NULL;
    return CONVC_OK;
}

void convc_cuda_free_as_destructor_v1(void *user_context, void *buffer) {
    convc_cuda_free_v1(user_context, buffer);
}

int convc_cuda_copy_to_device_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface) {
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    const int result = convc_gpu_check_host_v1(buffer);
    if (result != CONVC_OK) return convc_gpu_note_v1(context, result);
    return convc_cuda_malloc_v1(user_context, buffer, interface);
}

/* ---- copies for entry points ---------------------------------------------------------------------------------------
 */

int convc_cuda_copy_in_v1(void *stream, uint64_t device, const void *host, uint64_t bytes) {
    const cuda_driver *driver = NULL;
    const int result = convc_cuda_open_v1(&driver);
    if (result != CONVC_OK || bytes == 0) return result;
    return CONVC_CUDA_CALL(driver, cuMemcpyHtoDAsync, device, host, bytes, stream);
}

int convc_cuda_copy_out_v1(void *stream, void *host, uint64_t device, uint64_t bytes) {
    const cuda_driver *driver = NULL;
    const int result = convc_cuda_open_v1(&driver);
    if (result != CONVC_OK || bytes == 0) return result;
    return CONVC_CUDA_CALL(driver, cuMemcpyDtoHAsync, host, device, bytes, stream);
}

int convc_cuda_synchronize_v1(void *stream) {
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    const int result = enter(&driver, &place);
    if (result != CONVC_OK) return result;
    return CONVC_CUDA_CALL(driver, cuStreamSynchronize, stream);
}

/* ---- the public functions ------------------------------------------------------------------------------------------
 */

CONVC_PUBLIC int convc_cuda_allocate(size_t bytes, void **memory) {
    if (memory == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "memory is NULL");
    *memory = NULL;
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    int result = enter(&driver, &place);
    if (result != CONVC_OK || bytes == 0) return result;
    result = CONVC_CUDA_CALL(driver, cuMemAlloc, memory, bytes);
    if (result != CONVC_OK) *memory = NULL;
    return result;
}

CONVC_PUBLIC int convc_cuda_free(void *memory) {
    if (memory == NULL) return CONVC_OK;
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    const int result = enter(&driver, &place);
    if (result != CONVC_OK) return result;
    return CONVC_CUDA_CALL(driver, cuMemFree, memory);
}

/* The driver returns from a copy of pageable memory when it has put the bytes aside: the stream has to be waited for.
 */
CONVC_PUBLIC int convc_cuda_upload(void *device, const void *host, size_t bytes) {
    if (bytes == 0) return CONVC_OK;
    if (device == NULL || host == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "device or host is NULL");
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    int result = enter(&driver, &place);
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(driver, cuMemcpyHtoD, device, host, bytes);
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(driver, cuStreamSynchronize, NULL);
    return result;
}

CONVC_PUBLIC int convc_cuda_download(void *host, const void *device, size_t bytes) {
    if (bytes == 0) return CONVC_OK;
    if (device == NULL || host == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "device or host is NULL");
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    const int result = enter(&driver, &place);
    if (result != CONVC_OK) return result;
    return CONVC_CUDA_CALL(driver, cuMemcpyDtoH, host, device, bytes);
}

CONVC_PUBLIC int convc_cuda_synchronize(void *stream) {
    return convc_cuda_synchronize_v1(stream);
}

static int describe(const cuda_driver *driver, int device, convc_gpu_device *info) {
    int version = 0;
    int shared_bytes = 0;
    int cache_bytes = 0;
    size_t memory_bytes = 0;
    int capability = 0;
    int result = get_capability(driver, device, &capability);
    const struct {
        int attribute;
        int *value;
    } rows[] = {{cuda_multiprocessor_count, &info->multiprocessors},
                {cuda_clock_rate, &info->clock_khz},
                {cuda_max_threads_per_block, &info->threads_per_block},
                {cuda_max_shared_memory_per_block_optin, &shared_bytes},
                {cuda_l2_cache_size, &cache_bytes}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && result == CONVC_OK; ++i) {
        result = CONVC_CUDA_CALL(driver, cuDeviceGetAttribute, rows[i].value, rows[i].attribute, device);
    }
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(driver, cuDeviceTotalMem, &memory_bytes, device);
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(driver, cuDriverGetVersion, &version);
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(driver, cuDeviceGetName, info->name, sizeof info->name, device);
    info->capability = capability;
    info->memory_bytes = memory_bytes;
    info->cache_bytes = (uint64_t)cache_bytes;
    info->shared_bytes = (uint64_t)shared_bytes;
    convc_gpu_write_v1(info->driver, sizeof info->driver, "%d.%d", version / 1000, version % 1000 / 10);
    return result;
}

CONVC_PUBLIC int convc_cuda_device(convc_gpu_device *info) {
    if (info == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "info is NULL");
    *info = (convc_gpu_device){0};
    const cuda_driver *driver = NULL;
    convc_gpu_place place = {0};
    int device = 0;
    int result = enter(&driver, &place);
    if (result == CONVC_OK) result = CONVC_CUDA_CALL(driver, cuCtxGetDevice, &device);
    return result == CONVC_OK ? describe(driver, device, info) : result;
}
