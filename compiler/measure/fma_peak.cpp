// The loops are written in assembly, so that they are the same in a debug build and under any compiler. Each holds
// enough independent chains to cover the latency of the multiply-add (4 or 5 cycles) on two pipes: 12 with 16
// registers, 24 with 32. The operands are ordinary numbers: on zeros a core draws less power and may clock higher than
// any kernel lets it.
#include "compiler/measure/fma_peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "compiler/measure/all_cpus.h"
#include "convc/convc.h"

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double burst_seconds = 5e-3;
constexpr int chunks = 100;  // of a burst: its clock readings
// The peak is that of the best half millisecond. A whole burst is too long: where other programs run too, it hardly
// ever has every core to itself, while a kernel, being shorter, does, and would seem to exceed the peak.
constexpr double window_seconds = 0.5e-3;

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

using Times = std::vector<Clock::time_point>;

// Waits until all threads are here, then runs the loop `chunks` times and notes the time before the first and after
// each.
Times run_together(const Loop &loop, long iterations, std::atomic<int> &waiting) {
    Times times(chunks + 1);
    waiting.fetch_sub(1);
    while (waiting.load() > 0) {
    }
    times[0] = Clock::now();
    for (size_t i = 1; i < times.size(); i++) {
        loop.run(iterations);
        times[i] = Clock::now();
    }
    return times;
}

std::vector<Times> run_on_all(const Loop &loop, long iterations, int threads) {
    std::atomic<int> waiting = threads;
    std::vector<Times> times(static_cast<size_t>(threads));
    on_all_cpus(threads, [&](int i) { times[static_cast<size_t>(i)] = run_together(loop, iterations, waiting); });
    return times;
}

double seconds_between(Clock::time_point begin, Clock::time_point end) {
    return std::chrono::duration<double>(end - begin).count();
}

// How many chunks a thread had done at a time, whole ones and a part.
double chunks_done(const Times &times, Clock::time_point at) {
    if (at <= times.front()) return 0;
    if (at >= times.back()) return chunks;
    const auto next = std::upper_bound(times.begin(), times.end(), at);
    const auto last = next - 1;
    return static_cast<double>(last - times.begin()) + seconds_between(*last, at) / seconds_between(*last, *next);
}

// The most chunks a second that all threads did together over window_seconds.
double best_rate(const std::vector<Times> &all) {
    const auto window = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(window_seconds));
    Clock::time_point begin = all[0].front(), end = all[0].back();
    for (const Times &times : all) {
        begin = std::min(begin, times.front());
        end = std::max(end, times.back());
    }
    double best = 0;
    for (; begin < end; begin += window / 8) {
        double done = 0;
        for (const Times &times : all) done += chunks_done(times, begin + window) - chunks_done(times, begin);
        best = std::max(best, done / window_seconds);
    }
    return best;
}

// As many iterations as take one chunk of burst_seconds, once the core is warm.
long calibrate(const Loop &loop) {
    long iterations = 100;
    while (true) {
        const double chunk = 1 / best_rate(run_on_all(loop, iterations, 1));
        if (chunk >= burst_seconds / chunks / 4) {
            return std::max(1L, static_cast<long>(static_cast<double>(iterations) * burst_seconds / chunks / chunk));
        }
        iterations *= 2;
    }
}

}  // namespace

FmaPeak::FmaPeak(Isa isa, int threads)
    : isa_(isa), threads_(useful_threads(threads)), iterations_(calibrate(loop_of(isa))) {
    // A machine that was idle may give its other cores late: bursts until three in a row have brought nothing.
    constexpr int most_bursts = 20, vain_bursts = 3;
    constexpr double growth = 1.02;
    for (int i = 0, vain = 0; i < most_bursts && vain < vain_bursts; i++) {
        const double before = best_;
        burst();
        vain = best_ > before * growth ? 0 : vain + 1;
    }
}

double FmaPeak::burst() {
    const Loop loop = loop_of(isa_);
    const double flops = loop.flops * static_cast<double>(iterations_);
    const double rate = flops * best_rate(run_on_all(loop, iterations_, threads_)) / 1e9;
    best_ = std::max(best_, rate);
    return rate;
}

// The kernel runtime alone knows the rule.
int kernel_threads() {
    return convc_set_threads(0);
}

}  // namespace convc
