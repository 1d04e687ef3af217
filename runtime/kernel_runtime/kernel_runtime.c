/* kernel_runtime.c: see kernel_runtime.h. Five parts: memory, tasks, the thread pool, the CPU's level, the variant.
 *
 * The pool. One parallel loop (a job) runs at a time; whoever finds the pool busy runs its loop by itself. The caller
 * is participant 0, workers are 1, 2, ... Every participant owns a contiguous share of the tasks, the same share
 * whenever the extent is the same, so that repeated calls touch the same caches; a participant that is done with its
 * share takes tasks from the others'. The caller returns when the tasks are done, not when the workers have been heard
 * of: a worker that is asleep, preempted or late costs nothing but its help.
 *
 * That makes late workers the one delicate thing: they may look at a job that is over. A participant therefore owns
 * nothing until it has claimed a task, by compare-and-swap on a word that holds the job's generation beside the next
 * index. Once a job is over all its tasks are claimed, so claims under its generation fail from then on; and as long as
 * a claimed task is unfinished the caller cannot start another job, so what a successful claimer has read of the job
 * belongs to it. Where a share ends is read before the claim and may be the next job's: then, by release and acquire,
 * the claimer sees the next job's shares too, and fails. Every job writes the shares of all threads, those beyond its
 * participants too: a share left at an old generation could be claimed by a late worker that has read the new extent.
 *
 * Measured on two cores of a Zen 3 (tests/runtime/pool_benchmark.cpp): a loop of two tasks that both threads take part
 * in costs 0.6 to 0.9 us when the worker still spins, 20 to 30 us when it has to be woken; a loop whose tasks are over
 * before the worker has noticed costs 0.05 to 0.2 us.
 */
#define _GNU_SOURCE /* CPU_COUNT, sched_getaffinity. NOLINT(bugprone-reserved-identifier) */
#include "runtime/kernel_runtime/kernel_runtime.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "convc/convc.h"

/* Two archives that are linked whole into one program or library bring this object twice: the first one serves both. */
#pragma weak convc_kernel_choose_v1
#pragma weak convc_kernel_cpu_level_v1
#pragma weak convc_kernel_free_v1
#pragma weak convc_kernel_malloc_v1
#pragma weak convc_kernel_parallel_for_v1
#pragma weak convc_set_threads
#pragma weak convc_shutdown

/* ---- memory --------------------------------------------------------------------------------------------------------
 */

/* The 64 bytes before a block. The last 8 bytes of a block's room repeat its size (Knuth's boundary tag), so that the
 * block below the top can be found when the top goes. */
typedef struct block_header {
    uint64_t room; /* convc_kernel_block_bytes() of what was asked for */
    uint64_t freed;
} block_header;

enum { header_bytes = 64 };

static block_header *block_at(const convc_kernel_context *context, uint64_t offset) {
    return (block_header *)(context->base + offset);
}

static uint64_t *boundary_tag(const convc_kernel_context *context, uint64_t end) {
    return (uint64_t *)(context->base + end - sizeof(uint64_t));
}

void *convc_kernel_malloc_v1(void *user_context, size_t bytes) {
    convc_kernel_context *context = user_context;
    const uint64_t left = context->capacity - context->used;
    if (bytes > left) return NULL; /* and so the sum below cannot wrap: a workspace is far from 2^64 bytes */
    const uint64_t room = convc_kernel_block_bytes(bytes);
    if (room > left) return NULL;
    block_header *header = block_at(context, context->used);
    header->room = room;
    header->freed = 0;
    context->used += room;
    *boundary_tag(context, context->used) = room;
    return (char *)header + header_bytes;
}

void convc_kernel_free_v1(void *user_context, void *block) {
    convc_kernel_context *context = user_context;
    if (block == NULL) return;
    ((block_header *)((char *)block - header_bytes))->freed = 1;
    while (context->used > 0) {
        const uint64_t below = context->used - *boundary_tag(context, context->used);
        if (!block_at(context, below)->freed) return;
        context->used = below;
    }
}

/* ---- tasks ---------------------------------------------------------------------------------------------------------
 */

/* The context of a task whose arena starts at `base`. */
static convc_kernel_context task_context(char *base, uint64_t bytes) {
    return (convc_kernel_context){.base = base, .capacity = bytes, .used = 0, .task_arena_bytes = CONVC_KERNEL_SERIAL};
}

/* All tasks in turn, in one arena. */
static int run_serially(const convc_kernel_context *parent, convc_kernel_task task, int min, int extent,
                        uint8_t *closure) {
    const int nested = parent->task_arena_bytes == CONVC_KERNEL_SERIAL;
    const uint64_t bytes = nested ? parent->capacity - parent->used : parent->task_arena_bytes;
    for (int i = 0; i < extent; ++i) {
        convc_kernel_context context = task_context(parent->base + parent->used, bytes);
        const int result = task(&context, min + i, closure);
        if (result != 0) return result;
    }
    return 0;
}

/* How many of `extent` tasks may run at once: each of them needs an arena. */
static int arenas(const convc_kernel_context *parent, int extent) {
    if (parent->task_arena_bytes == 0) return extent;
    const uint64_t room = (parent->capacity - parent->used) / parent->task_arena_bytes;
    return room < (uint64_t)extent ? (int)room : extent;
}

/* ---- the pool: what its threads share ------------------------------------------------------------------------------
 */

enum { max_threads = 256, cache_line = 64 };

/* The job at hand. `generation` names it and is written last; a worker spins on it, so the rest lies in the same line.
 */
typedef struct job {
    _Alignas(cache_line) _Atomic uint32_t generation;
    _Atomic uint32_t participants;
    _Atomic uint32_t extent;
    _Atomic int min;
    _Atomic(convc_kernel_task) task;
    _Atomic(uint8_t *) closure;
    _Atomic(char *) arenas;
    _Atomic uint64_t arena_bytes;
} job;

/* A participant's share: generation << 32 | the next index to claim. */
typedef struct share {
    _Alignas(cache_line) _Atomic uint64_t next;
} share;

static struct {
    job job;

    _Alignas(cache_line) _Atomic uint32_t unfinished; /* tasks; the caller waits for 0 */
    _Atomic uint32_t caller_sleeps;
    _Atomic uint64_t failure; /* index << 32 | result of the failed task with the smallest index */

    _Alignas(cache_line) _Atomic uint64_t sleeping[max_threads / 64]; /* a bit for each worker in the futex */
    _Atomic int stopping;
    int yields; /* more threads than CPUs: do not spin without yielding; written while there are no workers */

    _Alignas(cache_line) atomic_flag busy; /* held for a job, and to start and stop threads: guards what follows */
    int requested;                         /* convc_set_threads(); 0: the default */
    int started;                           /* threads, the caller included; 0: none yet */
    uint32_t first_generation;             /* the last one before the workers started */
    pthread_t workers[max_threads];

    share shares[max_threads];
} pool = {.busy = ATOMIC_FLAG_INIT};

static const uint64_t no_failure = UINT64_MAX;

/* ---- the pool: waiting ---------------------------------------------------------------------------------------------
 */

enum { spin_ns = 80 * 1000, spin_without_yield_ns = 15 * 1000 };

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* `yield` is a no-op on the cores there are; isb waits some 10 ns */
#endif
}

typedef struct spinner {
    uint64_t start;
    uint32_t count;
} spinner;

/* One round of waiting; 0 when it has been long enough and the thread should sleep. Yields after a while, so that a
 * thread we wait for can have this CPU when there are too few. */
static int spin(spinner *s) {
    if (++s->count % 32 != 0) {
        cpu_relax();
        return 1;
    }
    const uint64_t now = now_ns();
    if (s->start == 0) s->start = now;
    if (now - s->start > spin_ns) return 0;
    if (now - s->start > spin_without_yield_ns || pool.yields) sched_yield();
    return 1;
}

/* The bit by which a worker is woken; workers 32 apart share one and may wake in vain. */
static uint32_t futex_bit(uint32_t participant) {
    return UINT32_C(1) << participant % 32;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, uint32_t bits) {
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, NULL, NULL, bits);
}

static void futex_wake(_Atomic uint32_t *word, uint32_t bits) {
    syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, bits);
}

static void sleep_until_woken(uint32_t participant, uint32_t seen) {
    _Atomic uint64_t *word = &pool.sleeping[participant / 64];
    const uint64_t bit = UINT64_C(1) << participant % 64;
    /* Sequentially consistent, as the caller's store of the generation and load of this word are: either the caller
     * sees the bit, or the futex sees the new generation and does not sleep. */
    atomic_fetch_or(word, bit);
    futex_wait(&pool.job.generation, seen, futex_bit(participant));
    atomic_fetch_and(word, ~bit);
}

/* Wakes those of the first `participants` that sleep. */
static void wake_workers(uint32_t participants) {
    uint64_t any = 0;
    for (uint32_t word = 0; word * 64 < participants; ++word) {
        const uint32_t count = participants - word * 64;
        const uint64_t ours = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
        any |= atomic_load(&pool.sleeping[word]) & ours;
    }
    if (any == 0) return;
    futex_wake(&pool.job.generation, participants >= 32 ? UINT32_MAX : (UINT32_C(1) << participants) - 1);
}

/* ---- the pool: working ---------------------------------------------------------------------------------------------
 */

/* Where the share of a participant begins; that of participant `participants` is the end. */
static uint32_t share_begin(uint32_t participant, uint32_t participants, uint32_t extent) {
    const uint32_t rest = extent % participants;
    return participant * (extent / participants) + (participant < rest ? participant : rest);
}

/* Takes the next task of a share: 1 and its index, or 0 when there is none left or the job is over. */
static int claim(uint32_t owner, uint32_t generation, uint32_t end, uint32_t *index) {
    _Atomic uint64_t *next = &pool.shares[owner].next;
    uint64_t word = atomic_load_explicit(next, memory_order_relaxed);
    do {
        *index = (uint32_t)word;
        if (word >> 32 != generation || *index >= end) return 0;
    } while (!atomic_compare_exchange_weak_explicit(next, &word, word + 1, memory_order_relaxed, memory_order_relaxed));
    return 1;
}

static void note_failure(uint32_t index, int result) {
    const uint64_t mine = (uint64_t)index << 32 | (uint32_t)result;
    uint64_t least = atomic_load_explicit(&pool.failure, memory_order_relaxed);
    while (mine < least && !atomic_compare_exchange_weak_explicit(&pool.failure, &least, mine, memory_order_relaxed,
                                                                  memory_order_relaxed)) {
    }
}

static void run_task(uint32_t participant, uint32_t index) {
    const uint64_t failure = atomic_load_explicit(&pool.failure, memory_order_relaxed);
    if (failure != no_failure && index > failure >> 32) return;
    const convc_kernel_task task = atomic_load_explicit(&pool.job.task, memory_order_relaxed);
    uint8_t *closure = atomic_load_explicit(&pool.job.closure, memory_order_relaxed);
    const int min = atomic_load_explicit(&pool.job.min, memory_order_relaxed);
    /* A participant's tasks share an arena, which stays in its cache. There are at least as many arenas as
     * participants. */
    const uint64_t bytes = atomic_load_explicit(&pool.job.arena_bytes, memory_order_relaxed);
    char *arenas = atomic_load_explicit(&pool.job.arenas, memory_order_relaxed);
    convc_kernel_context context = task_context(arenas + participant * bytes, bytes);
    const int result = task(&context, min + (int)index, closure);
    if (result != 0) note_failure(index, result);
}

/* Runs tasks of the job until none is left unclaimed. */
static void take_part(uint32_t participant, uint32_t generation) {
    const uint32_t participants = atomic_load_explicit(&pool.job.participants, memory_order_acquire);
    const uint32_t extent = atomic_load_explicit(&pool.job.extent, memory_order_acquire);
    uint32_t done = 0;
    for (uint32_t turn = 0; turn < participants; ++turn) {
        const uint32_t owner = (participant + turn) % participants;
        const uint32_t end = share_begin(owner + 1, participants, extent);
        for (uint32_t index; claim(owner, generation, end, &index); ++done) run_task(participant, index);
    }
    /* The last to finish wakes the caller if it sleeps; sequentially consistent as in sleep_until_woken(). */
    if (done != 0 && atomic_fetch_sub(&pool.unfinished, done) == done && atomic_load(&pool.caller_sleeps)) {
        futex_wake(&pool.unfinished, UINT32_MAX);
    }
}

/* The generation of the next job for this worker, or any when the pool is stopping. */
static uint32_t wait_for_job(uint32_t participant, uint32_t seen) {
    spinner s = {0};
    for (;;) {
        const uint32_t generation = atomic_load_explicit(&pool.job.generation, memory_order_acquire);
        if (generation == seen) {
            if (!spin(&s)) sleep_until_woken(participant, seen);
            continue;
        }
        if (atomic_load_explicit(&pool.stopping, memory_order_relaxed)) return generation;
        if (participant < atomic_load_explicit(&pool.job.participants, memory_order_relaxed)) return generation;
        seen = generation; /* a small job, for others: it is no reason to spin for longer */
    }
}

static void *worker_main(void *argument) {
    const uint32_t participant = (uint32_t)((share *)argument - pool.shares);
    uint32_t generation = pool.first_generation;
    for (;;) {
        generation = wait_for_job(participant, generation);
        if (atomic_load_explicit(&pool.stopping, memory_order_relaxed)) return NULL;
        take_part(participant, generation);
    }
}

static void wait_for_tasks(void) {
    spinner s = {0};
    for (;;) {
        const uint32_t unfinished = atomic_load_explicit(&pool.unfinished, memory_order_acquire);
        if (unfinished == 0) return;
        if (spin(&s)) continue;
        atomic_store(&pool.caller_sleeps, 1);
        futex_wait(&pool.unfinished, unfinished, UINT32_MAX);
        atomic_store(&pool.caller_sleeps, 0);
    }
}

static int run_in_parallel(const convc_kernel_context *parent, convc_kernel_task task, int min, uint32_t extent,
                           uint8_t *closure, uint32_t participants) {
    const uint32_t generation = atomic_load_explicit(&pool.job.generation, memory_order_relaxed) + 1;
    for (uint32_t i = 0; i < (uint32_t)pool.started; ++i) {
        const uint32_t begin = i < participants ? share_begin(i, participants, extent) : extent;
        atomic_store_explicit(&pool.shares[i].next, (uint64_t)generation << 32 | begin, memory_order_relaxed);
    }
    atomic_store_explicit(&pool.unfinished, extent, memory_order_relaxed);
    atomic_store_explicit(&pool.failure, no_failure, memory_order_relaxed);
    atomic_store_explicit(&pool.job.participants, participants, memory_order_release);
    atomic_store_explicit(&pool.job.extent, extent, memory_order_release);
    atomic_store_explicit(&pool.job.min, min, memory_order_relaxed);
    atomic_store_explicit(&pool.job.task, task, memory_order_relaxed);
    atomic_store_explicit(&pool.job.closure, closure, memory_order_relaxed);
    atomic_store_explicit(&pool.job.arenas, parent->base + parent->used, memory_order_relaxed);
    atomic_store_explicit(&pool.job.arena_bytes, parent->task_arena_bytes, memory_order_relaxed);
    atomic_store(&pool.job.generation, generation);
    wake_workers(participants);
    take_part(0, generation);
    wait_for_tasks();
    const uint64_t failure = atomic_load_explicit(&pool.failure, memory_order_relaxed);
    return failure == no_failure ? 0 : (int)(uint32_t)failure;
}

/* ---- the pool: starting and stopping (all but forget_workers with `busy` held) --------------------------------------
 */

static int try_to_hold_pool(void) {
    return !atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire);
}
static void release_pool(void) {
    atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}

static int usable_cpus(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1,024 CPUs */
    return online > 0 && online <= INT_MAX ? (int)online : 1;
}

static int limit_threads(long threads) {
    if (threads < 1) return 1;
    return threads > max_threads ? max_threads : (int)threads;
}

static int wanted_threads(void) {
    if (pool.requested > 0) return pool.requested;
    const char *text = getenv("CONVC_NUM_THREADS");
    if (text != NULL) {
        char *end = NULL;
        const long threads = strtol(text, &end, 10);
        if (end != text && *end == '\0' && threads > 0) return limit_threads(threads);
    }
    return limit_threads(usable_cpus());
}

/* In the child of a fork(): only the forking thread is left, and another may have held the pool. */
static void forget_workers(void) {
    for (int i = 0; i < max_threads / 64; ++i) atomic_store(&pool.sleeping[i], 0);
    atomic_store(&pool.caller_sleeps, 0);
    atomic_store(&pool.stopping, 0);
    pool.started = 0;
    release_pool();
}

/* Before the pool is first held, and so before any fork() that may find it held: a child that was forked between the
 * two would wait for a thread that it does not have. Twice does no harm. */
static void handle_forks(void) {
    static atomic_int handled;
    if (!atomic_load_explicit(&handled, memory_order_acquire)) {
        atomic_store_explicit(&handled, pthread_atfork(NULL, NULL, forget_workers) == 0, memory_order_release);
    }
}

static void hold_pool(void) {
    handle_forks();
    while (!try_to_hold_pool()) sched_yield();
}

/* Makes do with fewer workers when the system gives no more. */
static void start_workers(void) {
    const int wanted = wanted_threads();
    pool.yields = wanted > usable_cpus();
    pool.first_generation = atomic_load_explicit(&pool.job.generation, memory_order_relaxed);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the program's signal handlers run on the program's threads */
    int count = 1;
    while (count < wanted && pthread_create(&pool.workers[count], NULL, worker_main, &pool.shares[count]) == 0) {
        ++count;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool.started = count;
}

static void stop_workers(void) {
    atomic_store(&pool.stopping, 1);
    atomic_fetch_add(&pool.job.generation, 1);
    futex_wake(&pool.job.generation, UINT32_MAX);
    for (int i = 1; i < pool.started; ++i) pthread_join(pool.workers[i], NULL);
    atomic_store(&pool.stopping, 0);
    pool.started = 0;
}

__attribute__((visibility("default"))) int convc_set_threads(int threads) {
    hold_pool();
    pool.requested = threads > 0 ? limit_threads(threads) : 0;
    const int wanted = wanted_threads();
    if (pool.started != wanted) stop_workers();
    release_pool();
    return wanted;
}

__attribute__((visibility("default"))) void convc_shutdown(void) {
    hold_pool();
    stop_workers();
    release_pool();
}

/* At exit, and when a shared library with this object in it is unloaded: no thread may stay in code that goes away.
 * When a loop is under way elsewhere the program is at fault; do not hang on it. */
__attribute__((destructor)) static void stop_at_exit(void) {
    if (!try_to_hold_pool()) return;
    stop_workers();
    release_pool();
}

int convc_kernel_parallel_for_v1(void *user_context, convc_kernel_task task, int min, int extent, uint8_t *closure) {
    const convc_kernel_context *parent = user_context;
    if (extent <= 0) return 0;
    if (parent->task_arena_bytes == CONVC_KERNEL_SERIAL) return run_serially(parent, task, min, extent, closure);
    const int at_once = arenas(parent, extent);
    if (at_once == 0) return CONVC_ERROR_INTERNAL;
    handle_forks();
    if (at_once == 1 || !try_to_hold_pool()) return run_serially(parent, task, min, extent, closure);
    if (pool.started == 0) start_workers();
    const int participants = pool.started < at_once ? pool.started : at_once;
    if (participants == 1) {
        release_pool();
        return run_serially(parent, task, min, extent, closure);
    }
    const int result = run_in_parallel(parent, task, min, (uint32_t)extent, closure, (uint32_t)participants);
    release_pool();
    return result;
}

/* ---- the CPU's level -----------------------------------------------------------------------------------------------
 */

#if defined(__x86_64__)

static int all_of(uint32_t word, uint32_t bits) {
    return (word & bits) == bits;
}

/* The registers that the operating system saves: XCR0. By hand, as _xgetbv() needs a compiler flag. */
static uint32_t saved_registers(void) {
    uint32_t low = 0;
    uint32_t high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int detect_cpu_level(void) {
    enum { xmm_ymm = 0x6, xmm_ymm_zmm = 0xe6 };
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all_of(c, bit_SSE4_1)) return 0;
    const uint32_t v3 = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C | bit_MOVBE;
    if (!all_of(c, v3) || !all_of(saved_registers(), xmm_ymm)) return 1;
    if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !all_of(c, bit_LZCNT)) return 1;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !all_of(b, bit_AVX2 | bit_BMI | bit_BMI2)) return 1;
    const uint32_t avx512 = bit_AVX512F | bit_AVX512CD | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    return all_of(b, avx512) && all_of(saved_registers(), xmm_ymm_zmm) ? 3 : 2;
}

#elif defined(__aarch64__)
static int detect_cpu_level(void) {
    return 1;
}
#else
static int detect_cpu_level(void) {
    return 0;
}
#endif

/* Every call of a kernel asks. On a virtual machine cpuid takes microseconds, so it is asked once. */
int convc_kernel_cpu_level_v1(void) {
    static atomic_int level_plus_one;
    int known = atomic_load_explicit(&level_plus_one, memory_order_relaxed);
    if (known == 0) {
        known = detect_cpu_level() + 1;
        atomic_store_explicit(&level_plus_one, known, memory_order_relaxed);
    }
    return known - 1;
}

/* ---- the variant ---------------------------------------------------------------------------------------------------
 */

/* CONVC_TARGET, read once: what the program does to its environment later changes nothing. One that is too long is no
 * target's name, and what is kept of it is none either. */
static char forced_target[128];

static void read_forced_target(void) {
    const char *text = getenv("CONVC_TARGET");
    if (text == NULL) return;
    for (size_t i = 0; text[i] != '\0' && i + 1 < sizeof forced_target; ++i) forced_target[i] = text[i];
}

static int is_called(const char *target, const char *name) {
    const size_t length = strlen(name);
    return strncmp(target, name, length) == 0 && (target[length] == '\0' || target[length] == ' ');
}

int convc_kernel_choose_v1(const convc_kernel_variant *variants, int count) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_forced_target);
    const int level = convc_kernel_cpu_level_v1();
    for (int i = 0; i < count; ++i) {
        if (forced_target[0] != '\0' && !is_called(variants[i].target, forced_target)) continue;
        if (variants[i].cpu_level <= level) return i;
    }
    return -1;
}
