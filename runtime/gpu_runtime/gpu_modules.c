/* gpu_modules.c: see gpu_common.h. Which device code is loaded where.
 *
 * Each kernel has a lock of its own, held for the moment of a look-up and not while the driver loads, so threads that
 * call different kernels never meet here, and those that call the same one hardly. The list of all kernels only grows
 * at its head and is read without a lock. Host memory is allocated when a module is loaded and when a function is
 * called for the first time, never in later calls. */
#include <stdlib.h>
#include <string.h>

#include "runtime/gpu_runtime/gpu_common.h"

#pragma weak convc_gpu_module_acquire_v1
#pragma weak convc_gpu_module_function_v1
#pragma weak convc_gpu_module_release_v1
#pragma weak convc_gpu_unload_all_v1

/* A kernel: what its state word points to. Lives as long as the process, for a state word may be anywhere. */
typedef struct convc_gpu_code {
    struct convc_gpu_code *next;
    pthread_mutex_t lock; /* of the modules, and of additions to their functions */
    pthread_cond_t loaded;
    convc_gpu_module *modules;
} convc_gpu_code;

static int out_of_host_memory(void) {
    return convc_gpu_fail_v1(CONVC_ERROR_MEMORY, "out of memory on the host");
}

/* ---- kernels -------------------------------------------------------------------------------------------------------
 */

static convc_gpu_code *new_code(void) {
    convc_gpu_code *code = calloc(1, sizeof *code);
    if (code == NULL) return NULL;
    pthread_mutex_init(&code->lock, NULL);
    pthread_cond_init(&code->loaded, NULL);
    return code;
}

static void enlist(convc_gpu_registry *registry, convc_gpu_code *code) {
    code->next = atomic_load_explicit(&registry->codes, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&registry->codes, &code->next, code, memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

/* What the state word points to; NULL when there is no memory. Of several threads that call a kernel for the first time
 * one sets the word. */
static convc_gpu_code *code_of(convc_gpu_registry *registry, void **state) {
    void *known = __atomic_load_n(state, __ATOMIC_ACQUIRE);
    if (known != NULL) return known;
    convc_gpu_code *code = new_code();
    if (code == NULL) return NULL;
    if (__atomic_compare_exchange_n(state, &known, code, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        enlist(registry, code);
        return code;
    }
    free(code);
    return known;
}

/* ---- modules (with the kernel's lock held) -------------------------------------------------------------------------
 */

static int same_place(const convc_gpu_place *a, const convc_gpu_place *b) {
    return a->context == b->context && a->device == b->device && a->instance == b->instance;
}

static convc_gpu_module *find_module(const convc_gpu_code *code, const convc_gpu_place *place) {
    convc_gpu_module *module = code->modules;
    while (module != NULL && !same_place(&module->place, place)) module = module->next;
    return module;
}

static void unlink_module(convc_gpu_module *module) {
    convc_gpu_module **link = &module->code->modules;
    while (*link != module) link = &(*link)->next;
    *link = module->next;
}

static void free_module(const convc_gpu_loader *loader, convc_gpu_module *module) {
    convc_gpu_function *function = atomic_load_explicit(&module->functions, memory_order_acquire);
    while (function != NULL) {
        convc_gpu_function *next = function->next;
        if (loader->forget != NULL) loader->forget(function->handle);
        pthread_mutex_destroy(&function->lock);
        free(function);
        function = next;
    }
    free(module);
}

static int is_idle(convc_gpu_module *module) {
    return module->handle != NULL && atomic_load_explicit(&module->uses, memory_order_acquire) == 0;
}

/* The context that a module was loaded into is gone, and the module with it. */
static int has_ended(const convc_gpu_module *module, const convc_gpu_place *place) {
    return module->place.context == place->context && module->place.instance != place->instance;
}

static void forget_ended(const convc_gpu_loader *loader, convc_gpu_code *code, const convc_gpu_place *place) {
    convc_gpu_module *next = NULL;
    for (convc_gpu_module *module = code->modules; module != NULL; module = next) {
        next = module->next;
        if (!has_ended(module, place) || !is_idle(module)) continue;
        unlink_module(module);
        free_module(loader, module);
    }
}

/* A module without a handle, which the caller will load. */
static convc_gpu_module *add_module(convc_gpu_code *code, const convc_gpu_place *place) {
    convc_gpu_module *module = calloc(1, sizeof *module);
    if (module == NULL) return NULL;
    module->code = code;
    module->place = *place;
    module->next = code->modules;
    code->modules = module;
    return module;
}

/* The module as it is, once no thread is loading it; NULL when there is none. */
static convc_gpu_module *wait_for_module(convc_gpu_code *code, const convc_gpu_place *place) {
    convc_gpu_module *module = find_module(code, place);
    while (module != NULL && module->handle == NULL) {
        pthread_cond_wait(&code->loaded, &code->lock);
        module = find_module(code, place); /* it is gone when loading has failed: then this thread tries */
    }
    return module;
}

/* ---- acquire, release ----------------------------------------------------------------------------------------------
 */

static int load(const convc_gpu_loader *loader, convc_gpu_module *module, const char *source, size_t bytes) {
    convc_gpu_code *code = module->code;
    void *handle = NULL;
    const int result = loader->load(&module->place, source, bytes, &handle);
    pthread_mutex_lock(&code->lock);
    if (result == CONVC_OK) {
        module->handle = handle;
        atomic_store_explicit(&module->uses, 1, memory_order_relaxed);
    } else {
        unlink_module(module);
        free(module);
    }
    pthread_cond_broadcast(&code->loaded);
    pthread_mutex_unlock(&code->lock);
    return result;
}

int convc_gpu_module_acquire_v1(convc_gpu_registry *registry, const convc_gpu_loader *loader,
                                const convc_gpu_place *place, void **state, const char *source, size_t bytes,
                                convc_gpu_module **module) {
    convc_gpu_code *code = code_of(registry, state);
    if (code == NULL) return out_of_host_memory();
    pthread_mutex_lock(&code->lock);
    convc_gpu_module *found = wait_for_module(code, place);
    const int is_loaded = found != NULL;
    if (is_loaded) {
        atomic_fetch_add_explicit(&found->uses, 1, memory_order_relaxed);
    } else {
        forget_ended(loader, code, place);
        found = add_module(code, place);
    }
    pthread_mutex_unlock(&code->lock);
    if (found == NULL) return out_of_host_memory();
    const int result = is_loaded ? CONVC_OK : load(loader, found, source, bytes);
    if (result == CONVC_OK) *module = found;
    return result;
}

void convc_gpu_module_release_v1(convc_gpu_module *module) {
    atomic_fetch_sub_explicit(&module->uses, 1, memory_order_release);
}

static int unload_idle(const convc_gpu_loader *loader, convc_gpu_code *code, const convc_gpu_place *place) {
    int first_failure = CONVC_OK;
    pthread_mutex_lock(&code->lock);
    convc_gpu_module *next = NULL;
    for (convc_gpu_module *module = code->modules; module != NULL; module = next) {
        next = module->next;
        if ((place != NULL && !same_place(&module->place, place)) || !is_idle(module)) continue;
        void *handle = module->handle;
        unlink_module(module);
        free_module(loader, module);
        const int result = loader->unload(handle);
        if (first_failure == CONVC_OK) first_failure = result;
    }
    pthread_mutex_unlock(&code->lock);
    return first_failure;
}

int convc_gpu_unload_all_v1(convc_gpu_registry *registry, const convc_gpu_loader *loader,
                            const convc_gpu_place *place) {
    int first_failure = CONVC_OK;
    convc_gpu_code *code = atomic_load_explicit(&registry->codes, memory_order_acquire);
    for (; code != NULL; code = code->next) {
        const int result = unload_idle(loader, code, place);
        if (first_failure == CONVC_OK) first_failure = result;
    }
    return first_failure;
}

/* ---- functions -----------------------------------------------------------------------------------------------------
 */

static convc_gpu_function *find_function(convc_gpu_module *module, const char *name) {
    convc_gpu_function *function = atomic_load_explicit(&module->functions, memory_order_acquire);
    while (function != NULL && strcmp(function->name, name) != 0) function = function->next;
    return function;
}

static int add_function(const convc_gpu_loader *loader, convc_gpu_module *module, const char *name,
                        convc_gpu_function **added) {
    const size_t name_bytes = strlen(name) + 1;
    convc_gpu_function *function = calloc(1, sizeof *function + name_bytes);
    if (function == NULL) return out_of_host_memory();
    const int result = loader->find(module->handle, name, &function->handle);
    if (result != CONVC_OK) {
        free(function);
        return result;
    }
    pthread_mutex_init(&function->lock, NULL);
    for (size_t i = 0; i < name_bytes; ++i) function->name[i] = name[i];
    function->next = atomic_load_explicit(&module->functions, memory_order_relaxed);
    atomic_store_explicit(&module->functions, function, memory_order_release);
    *added = function;
    return CONVC_OK;
}

int convc_gpu_module_function_v1(const convc_gpu_loader *loader, convc_gpu_module *module, const char *name,
                                 convc_gpu_function **function) {
    *function = find_function(module, name);
    if (*function != NULL) return CONVC_OK;
    pthread_mutex_lock(&module->code->lock);
    *function = find_function(module, name);
    const int result = *function != NULL ? CONVC_OK : add_function(loader, module, name, function);
    pthread_mutex_unlock(&module->code->lock);
    return result;
}
