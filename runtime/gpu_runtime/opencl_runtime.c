/* opencl_runtime.c: see gpu_runtime.h and convc/gpu.h. OpenCL: the default queue, programs, launches, memory.
 *
 * A call works in its command queue's context, on its device. A program keeps its context alive, so the address of a
 * context with a program of ours is never another's.
 *
 * OpenCL has no pointers into memory: a device function gets a cl_mem, so an argument that begins inside one goes in as
 * a sub-buffer, made for the launch. */
#include <string.h>

#include "runtime/gpu_runtime/gpu_common.h"
#include "runtime/gpu_runtime/opencl_driver.h"

#pragma weak convc_opencl_allocate
#pragma weak convc_opencl_begin_v1
#pragma weak convc_opencl_copy_in_v1
#pragma weak convc_opencl_copy_out_v1
#pragma weak convc_opencl_copy_to_device_v1
#pragma weak convc_opencl_device
#pragma weak convc_opencl_device_interface_v1
#pragma weak convc_opencl_download
#pragma weak convc_opencl_finalize_kernels_v1
#pragma weak convc_opencl_free
#pragma weak convc_opencl_free_as_destructor_v1
#pragma weak convc_opencl_free_v1
#pragma weak convc_opencl_initialize_kernels_v1
#pragma weak convc_opencl_malloc_v1
#pragma weak convc_opencl_release
#pragma weak convc_opencl_run_v1
#pragma weak convc_opencl_synchronize
#pragma weak convc_opencl_synchronize_v1
#pragma weak convc_opencl_upload

#define CONVC_PUBLIC __attribute__((visibility("default")))

/* CONVC_OK, or the failure of a function, which the text names. */
#define CONVC_OPENCL_CALL(driver, function, ...) convc_opencl_result_v1((driver)->function(__VA_ARGS__), #function, "")

static convc_gpu_registry registry;

/* Where a call works. */
typedef struct opencl_place {
    void *queue;
    void *context;
    void *device;
} opencl_place;

/* ---- the default queue ---------------------------------------------------------------------------------------------
 */

static pthread_mutex_t default_lock = PTHREAD_MUTEX_INITIALIZER;
static opencl_place default_place; /* made once and kept; guarded by the lock */

enum { most_platforms = 16 };

/* The first device of a type; 0 when no platform has one. */
static int find_device(const opencl_driver *driver, void *const *platforms, uint32_t count, uint64_t type,
                       void **device) {
    for (uint32_t i = 0; i < count; ++i) {
        uint32_t found = 0;
        if (driver->clGetDeviceIDs(platforms[i], type, 1, device, &found) == opencl_success && found > 0) return 1;
    }
    return 0;
}

static int choose_device(const opencl_driver *driver, void **device) {
    void *platforms[most_platforms];
    uint32_t count = 0;
    const int result = CONVC_OPENCL_CALL(driver, clGetPlatformIDs, most_platforms, platforms, &count);
    if (result != CONVC_OK) return result == CONVC_ERROR_LAUNCH ? CONVC_ERROR_DRIVER : result;
    if (count > most_platforms) count = most_platforms;
    if (find_device(driver, platforms, count, opencl_device_type_gpu, device)) return CONVC_OK;
    if (find_device(driver, platforms, count, OPENCL_DEVICE_TYPE_ALL, device)) return CONVC_OK;
    return convc_opencl_result_v1(opencl_device_not_found, "clGetDeviceIDs", "");
}

static int make_default_place(const opencl_driver *driver) {
    opencl_place place = {0};
    int made = opencl_success;
    int result = choose_device(driver, &place.device);
    if (result != CONVC_OK) return result;
    place.context = driver->clCreateContext(NULL, 1, &place.device, NULL, NULL, &made);
    result = convc_opencl_result_v1(made, "clCreateContext", "");
    if (result != CONVC_OK) return result;
    place.queue = driver->clCreateCommandQueue(place.context, place.device, 0, &made);
    result = convc_opencl_result_v1(made, "clCreateCommandQueue", "");
    if (result != CONVC_OK) {
        driver->clReleaseContext(place.context);
        return result;
    }
    default_place = place;
    return CONVC_OK;
}

static int use_default(const opencl_driver *driver, opencl_place *place) {
    pthread_mutex_lock(&default_lock);
    const int result = default_place.queue != NULL ? CONVC_OK : make_default_place(driver);
    *place = default_place;
    pthread_mutex_unlock(&default_lock);
    return result;
}

/* ---- the queue of a call -------------------------------------------------------------------------------------------
 */

static int ask_queue(const opencl_driver *driver, void *queue, opencl_place *place) {
    const size_t pointer = sizeof(void *);
    place->queue = queue;
    int result = CONVC_OPENCL_CALL(driver, clGetCommandQueueInfo, queue, opencl_queue_context, pointer,
                                   (void *)&place->context, NULL);
    if (result != CONVC_OK) return result;
    return CONVC_OPENCL_CALL(driver, clGetCommandQueueInfo, queue, opencl_queue_device, pointer, (void *)&place->device,
                             NULL);
}

/* Opens the library and finds out where to work; NULL is the default queue. */
static int enter(const opencl_driver **driver, void *queue, opencl_place *place) {
    const int opened = convc_opencl_open_v1(driver);
    if (opened != CONVC_OK) return opened;
    const int result = queue != NULL ? ask_queue(*driver, queue, place) : use_default(*driver, place);
    if (result == CONVC_OK) convc_opencl_started_v1();
    return result;
}

/* The steps of a kernel follow one another by their order in the queue alone. */
static int check_order(const opencl_driver *driver, void *queue) {
    uint64_t properties = 0;
    const int result = CONVC_OPENCL_CALL(driver, clGetCommandQueueInfo, queue, opencl_queue_properties,
                                         sizeof properties, &properties, NULL);
    if (result != CONVC_OK || !(properties & opencl_queue_out_of_order_exec_mode_enable)) return result;
    return convc_gpu_fail_v1(CONVC_ERROR_LAUNCH, "the command queue is not in order");
}

static int check_doubles(const opencl_driver *driver, void *device) {
    uint64_t doubles = 0;
    const int result = driver->clGetDeviceInfo(device, opencl_device_double_fp_config, sizeof doubles, &doubles, NULL);
    if (result == opencl_success && doubles != 0) return CONVC_OK;
    return convc_gpu_fail_v1(CONVC_ERROR_DEVICE, "the device has no arithmetic in double precision");
}

int convc_opencl_begin_v1(void *queue, int needs) {
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    int result = enter(&driver, queue, &place);
    if (result == CONVC_OK && queue != NULL) result = check_order(driver, queue);
    if (result == CONVC_OK && needs & CONVC_OPENCL_DOUBLES) result = check_doubles(driver, place.device);
    return result;
}

/* ---- programs ------------------------------------------------------------------------------------------------------
 */

/* Halide's sources put small tables where the device has room for constants. */
static void write_options(const opencl_driver *driver, void *device, char *options, size_t bytes) {
    uint64_t constant_bytes = 0;
    uint32_t constants = 0;
    driver->clGetDeviceInfo(device, opencl_device_max_constant_buffer_size, sizeof constant_bytes, &constant_bytes,
                            NULL);
    driver->clGetDeviceInfo(device, opencl_device_max_constant_args, sizeof constants, &constants, NULL);
    convc_gpu_write_v1(options, bytes, "-D MAX_CONSTANT_BUFFER_SIZE=%llu -D MAX_CONSTANT_ARGS=%u",
                       (unsigned long long)constant_bytes, constants);
}

static int build(const opencl_driver *driver, void *program, void *device) {
    char options[96];
    write_options(driver, device, options, sizeof options);
    const int result = driver->clBuildProgram(program, 1, &device, options, NULL, NULL);
    if (result == opencl_success) return CONVC_OK;
    /* The whole log or nothing is what the driver gives, so the room is generous; its beginning is kept. */
    char log[16384] = "";
    driver->clGetProgramBuildInfo(program, device, opencl_program_build_log, sizeof log - 1, log, NULL);
    return convc_opencl_result_v1(result, "clBuildProgram", log);
}

static int load_program(const convc_gpu_place *place, const char *source, size_t bytes, void **program) {
    const opencl_driver *driver = NULL;
    int result = convc_opencl_open_v1(&driver);
    if (result != CONVC_OK) return result;
    const char *end = memchr(source, '\0', bytes);
    const size_t length = end != NULL ? (size_t)(end - source) : bytes;
    int made = opencl_success;
    *program = driver->clCreateProgramWithSource(place->context, 1, &source, &length, &made);
    result = convc_opencl_result_v1(made, "clCreateProgramWithSource", "");
    if (result != CONVC_OK) return result;
    result = build(driver, *program, place->device);
    if (result != CONVC_OK) driver->clReleaseProgram(*program);
    return result;
}

static int find_kernel(void *program, const char *name, void **kernel) {
    const opencl_driver *driver = NULL;
    const int result = convc_opencl_open_v1(&driver);
    if (result != CONVC_OK) return result;
    int made = opencl_success;
    *kernel = driver->clCreateKernel(program, name, &made);
    return convc_opencl_result_v1(made, "clCreateKernel", "");
}

static void forget_kernel(void *kernel) {
    const opencl_driver *driver = NULL;
    if (convc_opencl_open_v1(&driver) == CONVC_OK) driver->clReleaseKernel(kernel);
}

static int unload_program(void *program) {
    const opencl_driver *driver = NULL;
    const int result = convc_opencl_open_v1(&driver);
    if (result != CONVC_OK) return result;
    return CONVC_OPENCL_CALL(driver, clReleaseProgram, program);
}

static const convc_gpu_loader loader = {
    .load = load_program, .find = find_kernel, .forget = forget_kernel, .unload = unload_program};

int convc_opencl_initialize_kernels_v1(void *user_context, void **state, const char *source, int size) {
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    convc_gpu_module *module = NULL;
    int result = enter(&driver, context->stream, &place);
    if (result == CONVC_OK) {
        const convc_gpu_place key = {place.context, place.device, 0};
        result = convc_gpu_module_acquire_v1(&registry, &loader, &key, state, source, (size_t)size, &module);
    }
    context->module = module;
    return convc_gpu_note_v1(context, result);
}

void convc_opencl_finalize_kernels_v1(void *user_context, void *state) {
    (void)state;
    convc_gpu_context *context = user_context;
    if (context->module != NULL) convc_gpu_module_release_v1(context->module);
    context->module = NULL;
}

CONVC_PUBLIC int convc_opencl_release(void) {
    return convc_gpu_unload_all_v1(&registry, &loader, NULL);
}

/* ---- launches ------------------------------------------------------------------------------------------------------
 */

/* The sub-buffers of one launch. */
typedef struct sub_buffers {
    int count;
    void *memory[CONVC_GPU_ARGUMENTS];
} sub_buffers;

static void release_sub_buffers(const opencl_driver *driver, const sub_buffers *made) {
    for (int i = 0; i < made->count; ++i) driver->clReleaseMemObject(made->memory[i]);
}

/* There are no sub-buffers of sub-buffers: a caller's that is one is taken for its place in the whole. */
static int find_whole(const opencl_driver *driver, void **memory, size_t *offset) {
    void *whole = NULL;
    size_t place = 0;
    int result = CONVC_OPENCL_CALL(driver, clGetMemObjectInfo, *memory, opencl_mem_associated_memobject, sizeof whole,
                                   (void *)&whole, NULL);
    if (result != CONVC_OK || whole == NULL) return result;
    result = CONVC_OPENCL_CALL(driver, clGetMemObjectInfo, *memory, opencl_mem_offset, sizeof place, &place, NULL);
    *memory = whole;
    *offset += place;
    return result;
}

static void *memory_of(const convc_gpu_buffer *buffer) {
    return (void *)(uintptr_t)buffer->device; /* NOLINT(performance-no-int-to-ptr): Halide's field is a number */
}

/* The cl_mem for a buffer that begins inside one. */
static int make_sub_buffer(const opencl_driver *driver, const convc_gpu_buffer *buffer, sub_buffers *made,
                           void **memory) {
    opencl_region region = {buffer->padding, convc_gpu_buffer_bytes_v1(buffer)};
    *memory = memory_of(buffer);
    int result = find_whole(driver, memory, &region.origin);
    if (result != CONVC_OK) return result;
    *memory =
        driver->clCreateSubBuffer(*memory, opencl_mem_read_write, opencl_buffer_create_type_region, &region, &result);
    if (result == opencl_success) made->memory[made->count++] = *memory;
    return convc_opencl_result_v1(result, "clCreateSubBuffer", "");
}

static int set_buffer(const opencl_driver *driver, void *kernel, uint32_t index, const convc_gpu_buffer *buffer,
                      sub_buffers *made) {
    if (buffer->device == 0) {
        return convc_gpu_fail_v1(CONVC_ERROR_INTERNAL, "argument %u of a device function has no memory", index);
    }
    void *memory = memory_of(buffer);
    const int result = buffer->padding == 0 ? CONVC_OK : make_sub_buffer(driver, buffer, made, &memory);
    if (result != CONVC_OK) return result;
    return CONVC_OPENCL_CALL(driver, clSetKernelArg, kernel, index, sizeof memory, (void *)&memory);
}

static int count_arguments(const size_t sizes[], uint32_t *count) {
    *count = 0;
    while (*count <= CONVC_GPU_ARGUMENTS && sizes[*count] != 0) ++*count;
    if (*count <= CONVC_GPU_ARGUMENTS) return CONVC_OK;
    return convc_gpu_fail_v1(CONVC_ERROR_INTERNAL, "a device function has more than %d arguments", CONVC_GPU_ARGUMENTS);
}

/* The arguments, and behind them what Halide's device functions all have: shared memory, where a size of 0 is refused.
 */
static int set_arguments(const opencl_driver *driver, void *kernel, int shared_bytes, const size_t sizes[],
                         void *arguments[], const int8_t is_buffer[], sub_buffers *made) {
    uint32_t count = 0;
    int result = count_arguments(sizes, &count);
    for (uint32_t i = 0; i < count && result == CONVC_OK; ++i) {
        result = is_buffer[i] ? set_buffer(driver, kernel, i, arguments[i], made)
                              : CONVC_OPENCL_CALL(driver, clSetKernelArg, kernel, i, sizes[i], arguments[i]);
    }
    if (result != CONVC_OK) return result;
    const size_t shared = shared_bytes > 0 ? (size_t)shared_bytes : 1;
    return CONVC_OPENCL_CALL(driver, clSetKernelArg, kernel, count, shared, NULL);
}

int convc_opencl_run_v1(void *user_context, void *state, const char *name, int blocks_x, int blocks_y, int blocks_z,
                        int threads_x, int threads_y, int threads_z, int shared_bytes, size_t sizes[],
                        void *arguments[], int8_t is_buffer[]) {
    (void)state;
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    if (blocks_x < 1 || blocks_y < 1 || blocks_z < 1) return CONVC_OK; /* a loop of no iterations */
    if (context->module == NULL) return convc_gpu_note_v1(context, CONVC_ERROR_INTERNAL);
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    convc_gpu_function *function = NULL;
    int result = enter(&driver, context->stream, &place);
    if (result == CONVC_OK) result = convc_gpu_module_function_v1(&loader, context->module, name, &function);
    if (result != CONVC_OK) return convc_gpu_note_v1(context, result);
    const size_t local[] = {(size_t)threads_x, (size_t)threads_y, (size_t)threads_z};
    const size_t global[] = {local[0] * (size_t)blocks_x, local[1] * (size_t)blocks_y, local[2] * (size_t)blocks_z};
    sub_buffers made = {.count = 0};
    pthread_mutex_lock(&function->lock); /* a cl_kernel holds its arguments */
    result = set_arguments(driver, function->handle, shared_bytes, sizes, arguments, is_buffer, &made);
    if (result == CONVC_OK) {
        result = CONVC_OPENCL_CALL(driver, clEnqueueNDRangeKernel, place.queue, function->handle, 3, NULL, global,
                                   local, 0, NULL, NULL);
    }
    pthread_mutex_unlock(&function->lock);
    release_sub_buffers(driver, &made); /* the queue keeps them until the launch is done */
    return convc_gpu_note_v1(context, result);
}

/* ---- scratch memory ------------------------------------------------------------------------------------------------
 */

/* Halide carries the address along and gives it back; nothing looks behind it. */
const void *convc_opencl_device_interface_v1(void) {
    static const char interface;
    return &interface;
}

int convc_opencl_malloc_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface) {
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    if (buffer->device != 0) return CONVC_OK;
    const int result = convc_gpu_take_block_v1(context, convc_gpu_buffer_bytes_v1(buffer), &buffer->padding);
    if (result != CONVC_OK) return convc_gpu_note_v1(context, result);
    buffer->device = context->device_base;
    buffer->device_interface = interface;
    return CONVC_OK;
}

int convc_opencl_free_v1(void *user_context, convc_gpu_buffer *buffer) {
    convc_gpu_context *context = user_context;
    if (buffer->device == 0) return CONVC_OK;
    convc_gpu_give_block_v1(context, buffer->padding);
    buffer->device = 0;
    buffer->device_interface = NULL;
    return CONVC_OK;
}

void convc_opencl_free_as_destructor_v1(void *user_context, void *buffer) {
    convc_opencl_free_v1(user_context, buffer);
}

int convc_opencl_copy_to_device_v1(void *user_context, convc_gpu_buffer *buffer, const void *interface) {
    convc_gpu_context *context = user_context;
    if (context->error != 0) return (int)context->error;
    const int result = convc_gpu_check_host_v1(buffer);
    if (result != CONVC_OK) return convc_gpu_note_v1(context, result);
    return convc_opencl_malloc_v1(user_context, buffer, interface);
}

/* ---- copies --------------------------------------------------------------------------------------------------------
 */

int convc_opencl_copy_in_v1(void *queue, void *memory, uint64_t offset, const void *host, uint64_t bytes) {
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    const int result = enter(&driver, queue, &place);
    if (result != CONVC_OK || bytes == 0) return result;
    return CONVC_OPENCL_CALL(driver, clEnqueueWriteBuffer, place.queue, memory, opencl_true, offset, bytes, host, 0,
                             NULL, NULL);
}

int convc_opencl_copy_out_v1(void *queue, void *host, void *memory, uint64_t offset, uint64_t bytes) {
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    const int result = enter(&driver, queue, &place);
    if (result != CONVC_OK || bytes == 0) return result;
    return CONVC_OPENCL_CALL(driver, clEnqueueReadBuffer, place.queue, memory, opencl_true, offset, bytes, host, 0,
                             NULL, NULL);
}

int convc_opencl_synchronize_v1(void *queue) {
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    const int result = enter(&driver, queue, &place);
    if (result != CONVC_OK) return result;
    return CONVC_OPENCL_CALL(driver, clFinish, place.queue);
}

/* ---- the public functions ------------------------------------------------------------------------------------------
 */

CONVC_PUBLIC int convc_opencl_allocate(size_t bytes, void **memory) {
    if (memory == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "memory is NULL");
    *memory = NULL;
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    const int result = enter(&driver, NULL, &place);
    if (result != CONVC_OK || bytes == 0) return result;
    int made = opencl_success;
    void *buffer = driver->clCreateBuffer(place.context, opencl_mem_read_write, bytes, NULL, &made);
    if (made == opencl_success) *memory = buffer;
    return convc_opencl_result_v1(made, "clCreateBuffer", "");
}

CONVC_PUBLIC int convc_opencl_free(void *memory) {
    if (memory == NULL) return CONVC_OK;
    const opencl_driver *driver = NULL;
    const int result = convc_opencl_open_v1(&driver);
    if (result != CONVC_OK) return result;
    return CONVC_OPENCL_CALL(driver, clReleaseMemObject, memory);
}

CONVC_PUBLIC int convc_opencl_upload(void *device, const void *host, size_t bytes) {
    if (bytes == 0) return CONVC_OK;
    if (device == NULL || host == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "device or host is NULL");
    return convc_opencl_copy_in_v1(NULL, device, 0, host, bytes);
}

CONVC_PUBLIC int convc_opencl_download(void *host, const void *device, size_t bytes) {
    if (bytes == 0) return CONVC_OK;
    if (device == NULL || host == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "device or host is NULL");
    return convc_opencl_copy_out_v1(NULL, host, (void *)device, 0, bytes);
}

CONVC_PUBLIC int convc_opencl_synchronize(void *stream) {
    return convc_opencl_synchronize_v1(stream);
}

/* "OpenCL 3.0 PoCL": 30. */
static int version_number(const char *version) {
    const char *number = version + strlen("OpenCL ");
    const int is_one = strncmp(version, "OpenCL ", strlen("OpenCL ")) == 0 && number[0] >= '0' && number[1] == '.';
    return is_one ? 10 * (number[0] - '0') + (number[2] - '0') : 0;
}

static int describe(const opencl_driver *driver, void *device, convc_gpu_device *info) {
    char version[128] = "";
    uint32_t clock_mhz = 0;
    size_t threads = 0;
    const struct {
        uint32_t question;
        size_t bytes;
        void *answer;
    } rows[] = {{opencl_device_name, sizeof info->name, info->name},
                {opencl_driver_version, sizeof info->driver, info->driver},
                {opencl_device_version, sizeof version, version},
                {opencl_device_max_compute_units, sizeof info->multiprocessors, &info->multiprocessors},
                {opencl_device_max_clock_frequency, sizeof clock_mhz, &clock_mhz},
                {opencl_device_max_work_group_size, sizeof threads, &threads},
                {opencl_device_global_mem_size, sizeof info->memory_bytes, &info->memory_bytes},
                {opencl_device_global_mem_cache_size, sizeof info->cache_bytes, &info->cache_bytes},
                {opencl_device_local_mem_size, sizeof info->shared_bytes, &info->shared_bytes}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; ++i) {
        const int result =
            CONVC_OPENCL_CALL(driver, clGetDeviceInfo, device, rows[i].question, rows[i].bytes, rows[i].answer, NULL);
        if (result != CONVC_OK) return result;
    }
    info->capability = version_number(version);
    info->clock_khz = (int32_t)(clock_mhz * 1000);
    info->threads_per_block = (int32_t)threads;
    return CONVC_OK;
}

CONVC_PUBLIC int convc_opencl_device(convc_gpu_device *info) {
    if (info == NULL) return convc_gpu_fail_v1(CONVC_ERROR_NULL, "info is NULL");
    *info = (convc_gpu_device){0};
    const opencl_driver *driver = NULL;
    opencl_place place = {0};
    const int result = enter(&driver, NULL, &place);
    return result == CONVC_OK ? describe(driver, place.device, info) : result;
}
