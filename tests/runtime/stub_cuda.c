/* stub_cuda.c: a driver in place of NVIDIA's for tests, a library that calls itself libcuda.so.1. It keeps the rules
 * that the runtime must keep (which context a module, a stream or memory belongs to, what may be called during a
 * capture), counts what is not given back, records launches, and fails when told to. Device memory is the host's.
 *
 * Its PTX is a line "entry NAME BYTES..." for each function, with the sizes of its arguments; a line "error TEXT" does
 * not compile. Contexts lie in few places, so that a new one soon has the address of a destroyed one. Built with
 * STUB_CUDA_OLD it is a driver before 12.0, with STUB_CUDA_BROKEN one that lacks a function.
 *
 * glibc has none of the functions that the first check wants; addresses are numbers in CUDA:
 * NOLINTBEGIN(clang-analyzer-security.insecureAPI.*,performance-no-int-to-ptr) */
#define _GNU_SOURCE /* usleep. NOLINT */
#include "tests/runtime/stub_cuda.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    success = 0,
    invalid_value = 1,
    out_of_memory = 2,
    not_initialized = 3,
    no_device = 100,
    invalid_device = 101,
    invalid_context = 201,
    invalid_ptx = 218,
    invalid_handle = 400,
    not_found = 500,
    context_is_destroyed = 709,
    capture_unsupported = 900,
    unheard_of = 1234
};

enum { most_devices = 4, most_contexts = 8, most_modules = 4096, most_functions = 4, most_blocks = 256 };
enum { most_faults = 8, most_names = 64, most_streams = 64, most_rows = 256 };

typedef struct context {
    int is_alive;
    int device;
    unsigned long long id;
} context;

typedef struct function {
    struct module *module;
    char name[64];
    unsigned argument_count;
    unsigned sizes[STUB_CUDA_ARGUMENTS + 1];
    unsigned shared_bytes;
} function;

/* A module's, a stream's and a memory's context may be gone, and another at its address. */
typedef struct module {
    int is_alive;
    const context *owner;
    unsigned long long owner_id;
    function functions[most_functions];
} module;

typedef struct stream {
    const context *owner;
    unsigned long long owner_id;
} stream;

typedef struct memory {
    char *address;
    size_t bytes;
    const context *owner;
    unsigned long long owner_id;
} memory;

typedef struct named_number {
    const char *name;
    int number;
    int times;
} named_number;

static struct {
    pid_t process; /* in which cuInit() was called */
    int devices;
    int capability[most_devices];
    uint64_t memory_bytes;
    int load_time;
    int is_capturing;
    int refused;
    context *primary;  /* of each device */
    context *contexts; /* made by cuCtxCreate() */
    int retained[most_devices];
    stream streams[most_streams];
    int stream_count;
    memory blocks[most_blocks];
    named_number faults[most_faults];
    named_number calls[most_names];
    int launch_count;
} driver;

/* Where contexts lie until the next reset, which takes a new row: an older driver would not know their addresses. */
static context rows[most_rows][most_devices + most_contexts];
static int row;

static unsigned long long last_id;   /* never given twice */
static module modules[most_modules]; /* nor is one of these used twice between resets */
static int module_count;
static stub_cuda_launch launches[STUB_CUDA_LAUNCHES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local context *current;

/* ---- for tests, while no other thread calls the driver
 * ---------------------------------------------------------------
 */

static void let_go_of_all(void) {
    for (int i = 0; driver.primary != NULL && i < most_devices + most_contexts; ++i) driver.primary[i].is_alive = 0;
    for (int i = 0; i < module_count; ++i) modules[i].is_alive = 0;
    module_count = 0;
    for (int i = 0; i < most_blocks; ++i) free(driver.blocks[i].address);
}

void stub_cuda_reset(void) {
    pthread_mutex_lock(&lock);
    let_go_of_all();
    const pid_t process = driver.process;
    memset(&driver, 0, sizeof driver);
    driver.process = process;
    driver.primary = rows[row++ % most_rows];
    driver.contexts = driver.primary + most_devices;
    driver.devices = 2;
    driver.memory_bytes = UINT64_C(1) << 30;
    for (int i = 0; i < most_devices; ++i) driver.capability[i] = 80;
    current = NULL;
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void start(void) {
    stub_cuda_reset();
}

void stub_cuda_set_devices(int count) {
    driver.devices = count;
}
void stub_cuda_set_capability(int device, int capability) {
    driver.capability[device] = capability;
}
void stub_cuda_set_memory(uint64_t bytes) {
    driver.memory_bytes = bytes;
}
void stub_cuda_set_load_time(int microseconds) {
    driver.load_time = microseconds;
}

void stub_cuda_fail(const char *name, int result, int times) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < most_faults; ++i) {
        if (driver.faults[i].times > 0) continue;
        driver.faults[i] = (named_number){name, result, times};
        break;
    }
    pthread_mutex_unlock(&lock);
}

void stub_cuda_begin_capture(void) {
    driver.is_capturing = 1;
    driver.refused = 0;
}

int stub_cuda_end_capture(void) {
    driver.is_capturing = 0;
    return driver.refused;
}

int stub_cuda_calls(const char *name) {
    for (int i = 0; i < most_names && driver.calls[i].name != NULL; ++i) {
        if (strcmp(driver.calls[i].name, name) == 0) return driver.calls[i].number;
    }
    return 0;
}

int stub_cuda_launches(void) {
    return driver.launch_count;
}

const stub_cuda_launch *stub_cuda_get_launch(int index) {
    return &launches[index];
}

int stub_cuda_live_modules(void) {
    int count = 0;
    for (int i = 0; i < module_count; ++i) count += modules[i].is_alive;
    return count;
}

int stub_cuda_live_memory(void) {
    int count = 0;
    for (int i = 0; i < most_blocks; ++i) count += driver.blocks[i].address != NULL;
    return count;
}

int stub_cuda_primary_retained(int device) {
    return driver.retained[device];
}

/* ---- at the beginning of each function (with the lock held from here on) -------------------------------------------
 */

static void count_call(const char *name) {
    int i = 0;
    while (driver.calls[i].name != NULL && strcmp(driver.calls[i].name, name) != 0) ++i;
    driver.calls[i].name = name;
    ++driver.calls[i].number;
}

static int injected_fault(const char *name) {
    for (int i = 0; i < most_faults; ++i) {
        named_number *fault = &driver.faults[i];
        if (fault->times == 0 || strcmp(fault->name, name) != 0) continue;
        --fault->times;
        return fault->number;
    }
    return success;
}

/* What does not wait, allocate or load. */
static int may_be_captured(const char *name) {
    static const char *const names[] = {"cuCtxGetCurrent",     "cuCtxGetId",         "cuCtxGetDevice",
                                        "cuCtxSetCurrent",     "cuFuncSetAttribute", "cuLaunchKernel",
                                        "cuDeviceGetAttribute"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        if (strcmp(names[i], name) == 0) return 1;
    }
    return 0;
}

static int enter(const char *name) {
    pthread_mutex_lock(&lock);
    count_call(name);
    if (driver.process != getpid()) return not_initialized;
    if (driver.is_capturing && !may_be_captured(name)) {
        ++driver.refused;
        return capture_unsupported;
    }
    return injected_fault(name);
}

static int enter_with_context(const char *name) {
    const int result = enter(name);
    if (result != success) return result;
    if (current == NULL) return invalid_context;
    return current->is_alive ? success : context_is_destroyed;
}

static int leave(int result) {
    pthread_mutex_unlock(&lock);
    return result;
}

static int is_mine(const context *owner, unsigned long long id) {
    return owner == current && id == current->id;
}

/* ---- the driver and devices ----------------------------------------------------------------------------------------
 */

int cuInit(unsigned flags) {
    pthread_mutex_lock(&lock);
    count_call("cuInit");
    const int result = flags != 0 ? invalid_value : injected_fault("cuInit");
    if (result == success && driver.process == 0) driver.process = getpid();
    return leave(result != success || driver.process == getpid() ? result : not_initialized);
}

int cuDriverGetVersion(int *version) {
    *version = 12040;
    return success;
}
int cuGetErrorName(int result, const char **name) {
    *name = result == out_of_memory ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_OF_STUB";
    return result == unheard_of ? invalid_value : success;
}

int cuGetErrorString(int result, const char **text) {
    *text = result == out_of_memory ? "out of memory" : "words of the stub";
    return result == unheard_of ? invalid_value : success;
}

int cuDeviceGet(int *device, int ordinal) {
    int result = enter("cuDeviceGet");
    if (result == success && ordinal >= driver.devices) result = invalid_device;
    *device = ordinal;
    return leave(result);
}

int cuDeviceGetName(char *name, int bytes, int device) {
    const int result = enter("cuDeviceGetName");
    snprintf(name, (size_t)bytes, "Stub %d", device);
    return leave(result);
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    const int result = enter("cuDeviceGetAttribute");
    *value = attribute * 1000;
    if (attribute == 75) *value = driver.capability[device] / 10;
    if (attribute == 76) *value = driver.capability[device] % 10;
    return leave(result);
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    (void)device;
    const int result = enter("cuDeviceTotalMem_v2");
    *bytes = driver.memory_bytes;
    return leave(result);
}

/* ---- contexts ------------------------------------------------------------------------------------------------------
 */

static void begin_context(context *which, int device) {
    *which = (context){.is_alive = 1, .device = device, .id = ++last_id};
}

static void end_context(context *which) {
    which->is_alive = 0;
    for (int i = 0; i < module_count; ++i) {
        if (modules[i].owner == which && modules[i].owner_id == which->id) modules[i].is_alive = 0;
    }
    for (int i = 0; i < most_blocks; ++i) {
        if (driver.blocks[i].owner != which) continue;
        free(driver.blocks[i].address);
        driver.blocks[i] = (memory){0};
    }
}

int cuDevicePrimaryCtxRetain(void **out, int device) {
    const int result = enter("cuDevicePrimaryCtxRetain");
    if (result != success) return leave(result);
    if (!driver.primary[device].is_alive) begin_context(&driver.primary[device], device);
    ++driver.retained[device];
    *out = &driver.primary[device];
    return leave(success);
}

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    const int result = enter("cuDevicePrimaryCtxGetState");
    *flags = 0;
    *active = driver.primary[device].is_alive;
    return leave(result);
}

int cuDevicePrimaryCtxReset_v2(int device) {
    const int result = enter("cuDevicePrimaryCtxReset_v2");
    if (result == success) end_context(&driver.primary[device]);
    return leave(result);
}

int cuCtxCreate_v2(void **out, unsigned flags, int device) {
    (void)flags;
    int result = enter("cuCtxCreate_v2");
    if (result != success) return leave(result);
    result = out_of_memory;
    for (int i = 0; i < most_contexts && result != success; ++i) {
        if (driver.contexts[i].is_alive) continue;
        begin_context(&driver.contexts[i], device);
        current = &driver.contexts[i];
        *out = current;
        result = success;
    }
    return leave(result);
}

int cuCtxDestroy_v2(void *which) {
    const int result = enter("cuCtxDestroy_v2");
    if (result != success) return leave(result);
    end_context(which);
    if (current == which) current = NULL;
    return leave(success);
}

int cuCtxGetCurrent(void **out) {
    const int result = enter("cuCtxGetCurrent");
    *out = current;
    return leave(result);
}

int cuCtxSetCurrent(void *which) {
    const int result = enter("cuCtxSetCurrent");
    if (result == success) current = which;
    return leave(result);
}

int cuCtxGetDevice(int *device) {
    const int result = enter_with_context("cuCtxGetDevice");
    if (result == success) *device = current->device;
    return leave(result);
}

#ifndef STUB_CUDA_OLD
int cuCtxGetId(void *which, unsigned long long *id) {
    int result = enter("cuCtxGetId");
    if (result == success && !((context *)which)->is_alive) result = context_is_destroyed;
    *id = ((context *)which)->id;
    return leave(result);
}
#endif

int cuCtxSynchronize(void) {
    return leave(enter_with_context("cuCtxSynchronize"));
}

int cuStreamCreate(void **out, unsigned flags) {
    (void)flags;
    const int result = enter_with_context("cuStreamCreate");
    if (result != success) return leave(result);
    stream *made = &driver.streams[driver.stream_count++];
    *made = (stream){current, current->id};
    *out = made;
    return leave(success);
}

static int stream_is_mine(const stream *which) {
    return which == NULL || is_mine(which->owner, which->owner_id);
}

int cuStreamSynchronize(void *which) {
    int result = enter_with_context("cuStreamSynchronize");
    if (result == success && !stream_is_mine(which)) result = invalid_handle;
    return leave(result);
}

/* ---- modules -------------------------------------------------------------------------------------------------------
 */

static void read_entry(function *out, module *owner, const char *line) {
    int used = 0;
    out->module = owner;
    sscanf(line, "entry %63s%n", out->name, &used);
    line += used;
    while (sscanf(line, " %u%n", &out->sizes[out->argument_count], &used) == 1) {
        ++out->argument_count;
        line += used;
    }
}

static int compile(module *out, const char *ptx, char *log, size_t log_bytes) {
    int count = 0;
    for (const char *line = ptx; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        if (*line == '\n') ++line;
        if (strncmp(line, "error ", 6) == 0) {
            snprintf(log, log_bytes, "%s", line + 6);
            return invalid_ptx;
        }
        if (strncmp(line, "entry ", 6) == 0) read_entry(&out->functions[count++], out, line);
    }
    return success;
}

int cuModuleLoadDataEx(void **out, const void *image, unsigned option_count, int *options, void **values) {
    if (driver.load_time > 0) usleep((useconds_t)driver.load_time);
    int result = enter_with_context("cuModuleLoadDataEx");
    if (result != success) return leave(result);
    char nothing = '\0';
    char *log = &nothing;
    size_t log_bytes = 1;
    for (unsigned i = 0; i < option_count; ++i) {
        if (options[i] == 5) log = values[i];
        if (options[i] == 6) log_bytes = (uintptr_t)values[i];
    }
    module *made = &modules[module_count++];
    *made = (module){.is_alive = 1, .owner = current, .owner_id = current->id};
    result = compile(made, image, log, log_bytes);
    if (result != success) made->is_alive = 0;
    *out = made;
    return leave(result);
}

static int module_is_mine(const module *which) {
    return which->is_alive && is_mine(which->owner, which->owner_id);
}

int cuModuleUnload(void *which) {
    int result = enter_with_context("cuModuleUnload");
    if (result == success && !module_is_mine(which)) result = invalid_handle;
    if (result == success) ((module *)which)->is_alive = 0;
    return leave(result);
}

int cuModuleGetFunction(void **out, void *which, const char *name) {
    int result = enter_with_context("cuModuleGetFunction");
    if (result == success && !module_is_mine(which)) result = invalid_handle;
    if (result != success) return leave(result);
    function *functions = ((module *)which)->functions;
    for (int i = 0; i < most_functions; ++i) {
        if (strcmp(functions[i].name, name) != 0) continue;
        *out = &functions[i];
        return leave(success);
    }
    return leave(not_found);
}

int cuFuncSetAttribute(void *which, int attribute, int value) {
    int result = enter_with_context("cuFuncSetAttribute");
    if (result == success && (attribute != 8 || value > 227 * 1024)) result = invalid_value;
    if (result == success) ((function *)which)->shared_bytes = (unsigned)value;
    return leave(result);
}

static int check_launch(const stub_cuda_launch *launch, const function *which) {
    const unsigned always = 48 * 1024;
    const unsigned allowed = which->shared_bytes > always ? which->shared_bytes : always;
    if (!module_is_mine(which->module) || !stream_is_mine(launch->stream)) return invalid_handle;
    if (launch->shared_bytes > allowed) return invalid_value;
    for (int i = 0; i < 3; ++i) {
        if (launch->blocks[i] == 0 || launch->threads[i] == 0) return invalid_value;
    }
    return launch->threads[0] * launch->threads[1] * launch->threads[2] > 1024 ? invalid_value : success;
}

int cuLaunchKernel(void *what, unsigned blocks_x, unsigned blocks_y, unsigned blocks_z, unsigned threads_x,
                   unsigned threads_y, unsigned threads_z, unsigned shared_bytes, void *where, void **parameters,
                   void **extra) {
    (void)extra;
    int result = enter_with_context("cuLaunchKernel");
    if (result != success) return leave(result);
    const function *which = what;
    stub_cuda_launch *launch = &launches[driver.launch_count];
    *launch = (stub_cuda_launch){.context = current,
                                 .stream = where,
                                 .blocks = {blocks_x, blocks_y, blocks_z},
                                 .threads = {threads_x, threads_y, threads_z},
                                 .shared_bytes = shared_bytes,
                                 .argument_count = which->argument_count};
    result = check_launch(launch, which);
    if (result != success) return leave(result);
    snprintf(launch->function, sizeof launch->function, "%s", which->name);
    for (unsigned i = 0; i < which->argument_count; ++i) memcpy(&launch->arguments[i], parameters[i], which->sizes[i]);
    ++driver.launch_count;
    return leave(success);
}

/* ---- memory --------------------------------------------------------------------------------------------------------
 */

int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    int result = enter_with_context("cuMemAlloc_v2");
    if (result == success && bytes == 0) result = invalid_value;
    if (result == success && bytes > driver.memory_bytes) result = out_of_memory;
    if (result != success) return leave(result);
    int i = 0;
    while (driver.blocks[i].address != NULL) ++i;
    char *room = aligned_alloc(256, (bytes + 255) / 256 * 256);
    driver.blocks[i] = (memory){room, bytes, current, current->id};
    *address = (uintptr_t)room;
    return leave(success);
}

/* The block that holds these bytes, if it is this context's. */
static memory *find_block(uint64_t address, size_t bytes) {
    for (int i = 0; i < most_blocks; ++i) {
        memory *block = &driver.blocks[i];
        const uint64_t begin = (uintptr_t)block->address;
        if (block->address == NULL || !is_mine(block->owner, block->owner_id)) continue;
        if (address >= begin && address + bytes <= begin + block->bytes) return block;
    }
    return NULL;
}

#ifndef STUB_CUDA_BROKEN
int cuMemFree_v2(uint64_t address) {
    const int result = enter_with_context("cuMemFree_v2");
    if (result != success) return leave(result);
    memory *block = find_block(address, 0);
    if (block == NULL || (uintptr_t)block->address != address) return leave(invalid_value);
    free(block->address);
    *block = (memory){0};
    return leave(success);
}
#endif

static int copy(const char *name, void *to, const void *from, uint64_t device, size_t bytes, const void *where) {
    int result = enter_with_context(name);
    if (result == success && !stream_is_mine(where)) result = invalid_handle;
    if (result == success && find_block(device, bytes) == NULL) result = invalid_value;
    if (result == success) memcpy(to, from, bytes);
    return leave(result);
}

int cuMemcpyHtoD_v2(uint64_t device, const void *host, size_t bytes) {
    return copy("cuMemcpyHtoD_v2", (void *)(uintptr_t)device, host, device, bytes, NULL);
}
int cuMemcpyDtoH_v2(void *host, uint64_t device, size_t bytes) {
    return copy("cuMemcpyDtoH_v2", host, (void *)(uintptr_t)device, device, bytes, NULL);
}
int cuMemcpyHtoDAsync_v2(uint64_t device, const void *host, size_t bytes, void *where) {
    return copy("cuMemcpyHtoDAsync_v2", (void *)(uintptr_t)device, host, device, bytes, where);
}
int cuMemcpyDtoHAsync_v2(void *host, uint64_t device, size_t bytes, void *where) {
    return copy("cuMemcpyDtoHAsync_v2", host, (void *)(uintptr_t)device, device, bytes, where);
}
/* NOLINTEND(clang-analyzer-security.insecureAPI.*,performance-no-int-to-ptr) */
