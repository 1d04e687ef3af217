/* kernel_runtime.h: what a compiled CPU kernel calls, in place of Halide's runtime.
 *
 * Kernels are Halide objects built with no_runtime-no_asserts-no_bounds_query-user_context. They then need three
 * functions, which code generation renames so that they never clash with a Halide that the user links:
 *
 *     halide_malloc       convc_kernel_malloc_v1
 *     halide_free         convc_kernel_free_v1
 *     halide_do_par_for   convc_kernel_parallel_for_v1
 *
 * Their user_context is a convc_kernel_context, which the entry point builds on its stack and which hands out the
 * caller's workspace. Nothing here allocates from the system but the threads' stacks, and nothing prints or aborts.
 *
 * One object file: `convc compile` puts it into every archive, and convc links it for the kernels that it loads itself.
 * The names carry a version because archives of different convc releases may meet in one program.
 */
#ifndef CONVC_KERNEL_RUNTIME_H
#define CONVC_KERNEL_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The memory of one running kernel, or of one task of it: a stack of blocks in [base, base + capacity). The entry point
 * fills it in before each call; code generation mirrors this layout (8-byte fields, in this order, 32 bytes):
 *
 *     base               the workspace, 64-byte aligned; may be NULL when capacity is 0
 *     capacity           its size in bytes
 *     used               0; what of it is taken
 *     task_arena_bytes   what one task of a parallel loop may take: a multiple of 64, 0 when tasks allocate nothing
 */
typedef struct convc_kernel_context {
    char *base;
    uint64_t capacity;
    uint64_t used;
    uint64_t task_arena_bytes;
} convc_kernel_context;

/* As task_arena_bytes: run parallel loops serially, in what is left of this context. Tasks run with it, so that a loop
 * inside a parallel loop needs no arenas of its own. */
#define CONVC_KERNEL_SERIAL UINT64_MAX

/* What a block of `bytes` bytes takes of a context: 64 for its header, the bytes, and at least 64 behind them, so that
 * a vector load which starts inside may end outside; in all a multiple of 64. For bytes <= UINT64_MAX - 191.
 *
 * The workspace of a kernel is the largest sum of this over the blocks alive at once outside parallel loops, plus, at
 * each parallel loop, task_arena_bytes for every task that may run at once (Target::tasks_at_once(), if there are as
 * many): at a loop whose tasks allocate, a call on more threads leaves the others idle. Blocks must be counted until
 * those allocated after them are freed too: frees may come in any order, but only the top of the stack is taken back.
 */
static inline uint64_t convc_kernel_block_bytes(uint64_t bytes) {
    return (bytes + 64 + 64 + 63) / 64 * 64;
}

typedef int (*convc_kernel_task)(void *user_context, int index, uint8_t *closure);

/* A 64-byte aligned block, or NULL when the context has no room left for it. */
void *convc_kernel_malloc_v1(void *user_context, size_t bytes);

/* Gives a block back; NULL is allowed. In any order. */
void convc_kernel_free_v1(void *user_context, void *block);

/* Runs task(context, min + i, closure) for every i in [0, extent), each with a context of task_arena_bytes cut from the
 * caller's behind what is used there. Tasks must not depend on one another: they may run at once, or one after another,
 * in any order, on any thread. Returns 0, or the result of the failed task with the smallest index; tasks behind one
 * that failed may be left out. No more tasks run at once than there is room for arenas; CONVC_ERROR_INTERNAL when there
 * is none for a single one.
 *
 * Runs serially in the caller when the context says so (a loop inside a task), when the pool is busy with another
 * thread's loop, and when there is one thread or one task. */
int convc_kernel_parallel_for_v1(void *user_context, convc_kernel_task task, int min, int extent, uint8_t *closure);

/* What this CPU and its operating system run: 0 none of the below; on x86-64, 1 SSE4.1, 2 x86-64-v3 (AVX2, FMA, F16C,
 * and the integer instructions that LLVM uses with them: BMI1, BMI2, LZCNT, MOVBE), 3 AVX-512 F, BW, CD, DQ and VL as
 * well; on AArch64, 1 NEON. Entry points ask before they run code of that level (Target::cpu_level()). */
int convc_kernel_cpu_level_v1(void);

/* One of a kernel's variants in an archive of several targets; code generation mirrors this layout. */
typedef struct convc_kernel_variant {
    const char *target; /* Target::full_name() */
    int32_t cpu_level;  /* Target::cpu_level() */
    int32_t reserved;
} convc_kernel_variant;

/* The first variant that this CPU runs, as an index; -1 when there is none. The environment variable CONVC_TARGET, as
 * it was when a kernel of this process first asked, leaves only the variant of that name, with or without the CPU model
 * and the threads. So the answer for the same variants is the same throughout a process. */
int convc_kernel_choose_v1(const convc_kernel_variant *variants, int count);

/* convc_set_threads() and convc_shutdown() of convc/convc.h are here too. */

#ifdef __cplusplus
}
#endif

#endif /* CONVC_KERNEL_RUNTIME_H */
