/* opencl_driver.c: see opencl_driver.h. Opens libOpenCL.so.1 once a process, and names what it returns: OpenCL has no
 * function for that. */
#include "runtime/gpu_runtime/opencl_driver.h"

#include <dlfcn.h>

#include "runtime/gpu_runtime/gpu_common.h"

#pragma weak convc_opencl_open_v1
#pragma weak convc_opencl_result_v1
#pragma weak convc_opencl_started_v1

typedef union driver_table {
    opencl_driver functions;
    void *addresses[sizeof(opencl_driver) / sizeof(void *)]; /* as dlsym() gives them; C has no conversion */
} driver_table;

static driver_table table;
static char library_failure[256]; /* why there are no functions; "" when there are */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static atomic_int is_lost; /* this is the child of a fork(), and the parent had a context */

#define CONVC_OPENCL_SYMBOL(type, name, parameters) #name,
static const char *const symbols[] = {CONVC_OPENCL_FUNCTIONS(CONVC_OPENCL_SYMBOL)};
#undef CONVC_OPENCL_SYMBOL
_Static_assert(sizeof symbols == sizeof table.addresses, "a driver_table is an array of addresses");

static void load_library(void) {
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        convc_gpu_write_v1(library_failure, sizeof library_failure, "%s",
                           reason != NULL ? reason : "libOpenCL.so.1 does not load");
        return;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; ++i) {
        table.addresses[i] = dlsym(library, symbols[i]);
        if (table.addresses[i] != NULL) continue;
        convc_gpu_write_v1(library_failure, sizeof library_failure, "libOpenCL.so.1 has no %s", symbols[i]);
        return;
    }
}

static void lose_driver(void) {
    atomic_store(&is_lost, 1);
}

void convc_opencl_started_v1(void) {
    static atomic_flag fork_handled = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&fork_handled)) pthread_atfork(NULL, NULL, lose_driver);
}

int convc_opencl_open_v1(const opencl_driver **driver) {
    *driver = &table.functions;
    if (atomic_load_explicit(&is_lost, memory_order_relaxed)) {
        return convc_gpu_fail_v1(CONVC_ERROR_DRIVER, "OpenCL's driver does not work in the child of a fork()");
    }
    pthread_once(&library_once, load_library);
    if (library_failure[0] == '\0') return CONVC_OK;
    return convc_gpu_fail_v1(CONVC_ERROR_DRIVER, "%s", library_failure);
}

static int code_of(int result) {
    switch (result) {
        case opencl_success:
            return CONVC_OK;
        case opencl_mem_object_allocation_failure:
        case opencl_out_of_host_memory:
        case opencl_invalid_buffer_size:
            return CONVC_ERROR_MEMORY;
        case opencl_platform_not_found_khr:
            return CONVC_ERROR_DRIVER;
        case opencl_device_not_found:
        case opencl_device_not_available:
        case opencl_compiler_not_available:
        case opencl_build_program_failure:
            return CONVC_ERROR_DEVICE;
        case opencl_invalid_kernel_name:
        case opencl_invalid_arg_index:
        case opencl_invalid_arg_size:
        case opencl_invalid_kernel_args:
            return CONVC_ERROR_INTERNAL;
        default:
            return CONVC_ERROR_LAUNCH;
    }
}

/* The name without CL_, by -result; NULL where OpenCL has no such number. */
static const char *const names[] = {
    "SUCCESS",
    "DEVICE_NOT_FOUND",
    "DEVICE_NOT_AVAILABLE",
    "COMPILER_NOT_AVAILABLE",
    "MEM_OBJECT_ALLOCATION_FAILURE",
    "OUT_OF_RESOURCES",
    "OUT_OF_HOST_MEMORY",
    "PROFILING_INFO_NOT_AVAILABLE",
    "MEM_COPY_OVERLAP",
    "IMAGE_FORMAT_MISMATCH",
    "IMAGE_FORMAT_NOT_SUPPORTED",
    "BUILD_PROGRAM_FAILURE",
    "MAP_FAILURE",
    "MISALIGNED_SUB_BUFFER_OFFSET",
    "EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
    "COMPILE_PROGRAM_FAILURE",
    "LINKER_NOT_AVAILABLE",
    "LINK_PROGRAM_FAILURE",
    [30] = "INVALID_VALUE",
    "INVALID_DEVICE_TYPE",
    "INVALID_PLATFORM",
    "INVALID_DEVICE",
    "INVALID_CONTEXT",
    "INVALID_QUEUE_PROPERTIES",
    "INVALID_COMMAND_QUEUE",
    "INVALID_HOST_PTR",
    "INVALID_MEM_OBJECT",
    [42] = "INVALID_BINARY",
    "INVALID_BUILD_OPTIONS",
    "INVALID_PROGRAM",
    "INVALID_PROGRAM_EXECUTABLE",
    "INVALID_KERNEL_NAME",
    "INVALID_KERNEL_DEFINITION",
    "INVALID_KERNEL",
    "INVALID_ARG_INDEX",
    "INVALID_ARG_VALUE",
    "INVALID_ARG_SIZE",
    "INVALID_KERNEL_ARGS",
    "INVALID_WORK_DIMENSION",
    "INVALID_WORK_GROUP_SIZE",
    "INVALID_WORK_ITEM_SIZE",
    "INVALID_GLOBAL_OFFSET",
    "INVALID_EVENT_WAIT_LIST",
    "INVALID_EVENT",
    "INVALID_OPERATION",
    [61] = "INVALID_BUFFER_SIZE",
    [63] = "INVALID_GLOBAL_WORK_SIZE",
    "INVALID_PROPERTY",
};

int convc_opencl_result_v1(int result, const char *function, const char *log) {
    if (result == opencl_success) return CONVC_OK;
    const int count = (int)(sizeof names / sizeof names[0]);
    const char *name = result <= 0 && result > -count ? names[-result] : NULL;
    if (result == opencl_platform_not_found_khr) name = "PLATFORM_NOT_FOUND_KHR";
    if (name == NULL) name = "ERROR";
    return convc_gpu_fail_v1(code_of(result), "CL_%s: %d (%s)%s%s", name, result, function, log[0] != '\0' ? "\n" : "",
                             log);
}
