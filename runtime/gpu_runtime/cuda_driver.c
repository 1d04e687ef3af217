/* cuda_driver.c: see cuda_driver.h. Opens libcuda.so.1 once a process, and names what it returns.
 *
 * A library that is not there is looked for once. A driver that does not start is asked again at the next call: it may
 * be on its way up. */
#include "runtime/gpu_runtime/cuda_driver.h"

#include <dlfcn.h>

#include "runtime/gpu_runtime/gpu_common.h"

#pragma weak convc_cuda_open_v1
#pragma weak convc_cuda_result_v1

typedef union driver_table {
    cuda_driver functions;
    void *addresses[sizeof(cuda_driver) / sizeof(void *)]; /* as dlsym() gives them; C has no conversion */
} driver_table;

static driver_table table;
static char library_failure[256]; /* why there are no functions; "" when there are */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* The child of a fork() has the parent's memory but not its driver, whose calls may hang there. */
enum { driver_closed, driver_open, driver_lost };
static atomic_int driver_state = driver_closed;

#define CONVC_CUDA_SYMBOL(name, symbol, parameters) symbol,
static const char *const symbols[] = {CONVC_CUDA_FUNCTIONS(CONVC_CUDA_SYMBOL)};
#undef CONVC_CUDA_SYMBOL
_Static_assert(sizeof symbols == sizeof table.addresses, "a driver_table is an array of addresses");

static void load_library(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        convc_gpu_write_v1(library_failure, sizeof library_failure, "%s",
                           reason != NULL ? reason : "libcuda.so.1 does not load");
        return;
    }
    const size_t optional = offsetof(cuda_driver, cuCtxGetId) / sizeof(void *);
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; ++i) {
        table.addresses[i] = dlsym(library, symbols[i]);
        if (table.addresses[i] != NULL || i == optional) continue;
        convc_gpu_write_v1(library_failure, sizeof library_failure, "libcuda.so.1 has no %s", symbols[i]);
        return;
    }
}

static void lose_driver(void) {
    if (atomic_load(&driver_state) == driver_open) atomic_store(&driver_state, driver_lost);
}

static int start(void) {
    static atomic_flag fork_handled = ATOMIC_FLAG_INIT;
    const int result = table.functions.cuInit(0);
    if (result != cuda_success) {
        const int code = convc_cuda_result_v1(&table.functions, result, "cuInit", "");
        return code == CONVC_ERROR_LAUNCH ? CONVC_ERROR_DRIVER : code;
    }
    if (!atomic_flag_test_and_set(&fork_handled)) pthread_atfork(NULL, NULL, lose_driver);
    int closed = driver_closed;
    atomic_compare_exchange_strong(&driver_state, &closed, driver_open);
    return CONVC_OK;
}

int convc_cuda_open_v1(const cuda_driver **driver) {
    *driver = &table.functions;
    const int state = atomic_load_explicit(&driver_state, memory_order_acquire);
    if (state == driver_open) return CONVC_OK;
    if (state == driver_lost) {
        return convc_gpu_fail_v1(CONVC_ERROR_DRIVER, "CUDA's driver does not work in the child of a fork()");
    }
    pthread_once(&library_once, load_library);
    if (library_failure[0] != '\0') return convc_gpu_fail_v1(CONVC_ERROR_DRIVER, "%s", library_failure);
    return start();
}

static int code_of(int result) {
    switch (result) {
        case cuda_success:
            return CONVC_OK;
        case cuda_out_of_memory:
            return CONVC_ERROR_MEMORY;
        case cuda_not_initialized:
        case cuda_deinitialized:
        case cuda_stub_library:
        case cuda_jit_compiler_not_found:
        case cuda_jit_compilation_disabled:
        case cuda_shared_object_init_failed:
        case cuda_operating_system:
        case cuda_system_not_ready:
        case cuda_system_driver_mismatch:
        case cuda_compat_not_supported_on_device:
            return CONVC_ERROR_DRIVER;
        case cuda_device_unavailable:
        case cuda_no_device:
        case cuda_invalid_device:
        case cuda_device_not_licensed:
        /* PTX that this driver does not compile for this device is not at fault: they are too old for it, or too small.
         */
        case cuda_invalid_image:
        case cuda_invalid_ptx:
        case cuda_invalid_source:
        case cuda_no_binary_for_gpu:
        case cuda_unsupported_ptx_version:
            return CONVC_ERROR_DEVICE;
        case cuda_not_found:
            return CONVC_ERROR_INTERNAL;
        default:
            return CONVC_ERROR_LAUNCH;
    }
}

int convc_cuda_result_v1(const cuda_driver *driver, int result, const char *function, const char *log) {
    if (result == cuda_success) return CONVC_OK;
    const char *name = NULL;
    const char *text = NULL;
    if (driver->cuGetErrorName(result, &name) != cuda_success || name == NULL) name = "CUDA_ERROR_UNKNOWN";
    if (driver->cuGetErrorString(result, &text) != cuda_success || text == NULL) text = "no description";
    return convc_gpu_fail_v1(code_of(result), "%s: %s (%s)%s%s", name, text, function, log[0] != '\0' ? "\n" : "", log);
}
