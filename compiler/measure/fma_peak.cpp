// The loops are written in assembly, so that they are the same in a debug build and under any compiler. Each holds
// enough independent chains to cover the latency of the multiply-add (4 or 5 cycles) on two pipes: 12 with 16
// registers, 24 with 32. The operands are ordinary numbers: on zeros a core draws less power and may clock higher than
// any kernel lets it.
#include "compiler/measure/fma_peak.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double burst_seconds = 5e-3;

alignas(64) constexpr float factors[16] = {0.731F, -0.552F, 0.913F, -0.271F, 0.417F,  0.858F, -0.639F, 0.125F,
                                           0.377F, -0.941F, 0.686F, 0.209F,  -0.793F, 0.564F, -0.318F, 0.997F};

struct Loop {
    void (*run)(long iterations);
    double flops;  // of one iteration
};

#if defined(__x86_64__)

__attribute__((target("avx512f"))) void avx512_loop(long iterations) {
    asm volatile(
        "vmovaps (%[factors]), %%zmm24\n"
        "vmovaps %%zmm24, %%zmm25\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23\n"
        "vmovaps %%zmm24, %%zmm\\r\n"
        ".endr\n"
        "1:\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23\n"
        "vfmadd231ps %%zmm24, %%zmm25, %%zmm\\r\n"
        ".endr\n"
        "dec %[iterations]\n"
        "jnz 1b\n"
        "vzeroupper\n"
        : [iterations] "+r"(iterations)
        : [factors] "r"(factors)
        : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
          "xmm23", "xmm24", "xmm25");
}

void avx2_loop(long iterations) {
    asm volatile(
        "vmovaps (%[factors]), %%ymm12\n"
        "vmovaps %%ymm12, %%ymm13\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n"
        "vmovaps %%ymm12, %%ymm\\r\n"
        ".endr\n"
        "1:\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n"
        "vfmadd231ps %%ymm12, %%ymm13, %%ymm\\r\n"
        ".endr\n"
        "dec %[iterations]\n"
        "jnz 1b\n"
        "vzeroupper\n"
        : [iterations] "+r"(iterations)
        : [factors] "r"(factors)
        : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13");
}

// No fused multiply-add before AVX2: six multiplications and six additions, independent of each other. The factors
// only change sign, so no product ever becomes subnormal, which would slow it.
void sse_loop(long iterations) {
    alignas(16) static constexpr float minus_one[4] = {-1, -1, -1, -1};
    asm volatile(
        "movaps (%[factors]), %%xmm12\n"
        "movaps (%[minus_one]), %%xmm13\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n"
        "movaps %%xmm12, %%xmm\\r\n"
        ".endr\n"
        "1:\n"
        ".irp r, 0,1,2,3,4,5\n"
        "mulps %%xmm13, %%xmm\\r\n"
        ".endr\n"
        ".irp r, 6,7,8,9,10,11\n"
        "addps %%xmm12, %%xmm\\r\n"
        ".endr\n"
        "dec %[iterations]\n"
        "jnz 1b\n"
        : [iterations] "+r"(iterations)
        : [factors] "r"(factors), [minus_one] "r"(minus_one)
        : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13");
}

Loop loop_of(Isa isa) {
    switch (isa) {
        case Isa::avx512:
            return {avx512_loop, 24 * 16 * 2};
        case Isa::avx2:
            return {avx2_loop, 12 * 8 * 2};
        default:
            return {sse_loop, 12 * 4};
    }
}

#elif defined(__aarch64__)

void neon_loop(long iterations) {
    asm volatile(
        "ldr q24, [%[factors]]\n"
        "mov v25.16b, v24.16b\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23\n"
        "mov v\\r\\().16b, v24.16b\n"
        ".endr\n"
        "1:\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23\n"
        "fmla v\\r\\().4s, v24.4s, v25.4s\n"
        ".endr\n"
        "subs %[iterations], %[iterations], #1\n"
        "b.ne 1b\n"
        : [iterations] "+r"(iterations)
        : [factors] "r"(factors)
        : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
          "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25");
}

Loop loop_of(Isa) {
    return {neon_loop, 24 * 4 * 2};
}

#endif

struct Window {
    Clock::time_point begin, end;
};

// Waits until all threads are here, then runs the loop.
Window run_together(const Loop &loop, long iterations, std::atomic<int> &waiting) {
    waiting.fetch_sub(1);
    while (waiting.load() > 0) {
    }
    Window window;
    window.begin = Clock::now();
    loop.run(iterations);
    window.end = Clock::now();
    return window;
}

// Seconds from the first thread's start to the last one's end.
double seconds_on_all(const Loop &loop, long iterations, int threads) {
    std::atomic<int> waiting = threads;
    std::vector<Window> windows(static_cast<size_t>(threads));
    std::vector<std::thread> others;
    for (size_t i = 1; i < windows.size(); i++) {
        others.emplace_back([&, i] { windows[i] = run_together(loop, iterations, waiting); });
    }
    windows[0] = run_together(loop, iterations, waiting);
    for (std::thread &other : others) other.join();
    Window all = windows[0];
    for (const Window &window : windows) {
        all.begin = std::min(all.begin, window.begin);
        all.end = std::max(all.end, window.end);
    }
    return std::chrono::duration<double>(all.end - all.begin).count();
}

// As many iterations as take burst_seconds on one thread, once it is warm.
long calibrate(const Loop &loop) {
    long iterations = 1000;
    while (true) {
        const double seconds = seconds_on_all(loop, iterations, 1);
        if (seconds >= burst_seconds / 4) {
            return std::max(1000L, static_cast<long>(static_cast<double>(iterations) * burst_seconds / seconds));
        }
        iterations *= 2;
    }
}

}  // namespace

FmaPeak::FmaPeak(Isa isa, int threads)
    : isa_(isa), threads_(std::max(1, threads)), iterations_(calibrate(loop_of(isa))) {}

double FmaPeak::burst() {
    const Loop loop = loop_of(isa_);
    const double flops = loop.flops * static_cast<double>(iterations_) * threads_;
    const double rate = flops / seconds_on_all(loop, iterations_, threads_) / 1e9;
    best_ = std::max(best_, rate);
    return rate;
}

Isa widest_isa() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return Isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
    return Isa::sse41;
#else
    return Isa::neon;
#endif
}

int kernel_threads() {
    if (const char *text = std::getenv("CONVC_NUM_THREADS")) {
        if (const int threads = std::atoi(text); threads > 0) return threads;
    }
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) return std::max(1, CPU_COUNT(&cpus));
    return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace convc
