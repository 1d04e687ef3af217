#include "compiler/measure/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "compiler/measure/all_cpus.h"

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

using Read = void (*)(const char *from, const char *to);

constexpr size_t block = 512;  // bytes that one turn of a loop reads

#if defined(__x86_64__)

__attribute__((target("avx512f"))) void read_avx512(const char *from, const char *to) {
    asm volatile(
        "1:\n"
        ".irp r, 0,1,2,3,4,5,6,7\n"
        "vmovaps 64*\\r(%[from]), %%zmm\\r\n"
        ".endr\n"
        "add $512, %[from]\n"
        "cmp %[to], %[from]\n"
        "jb 1b\n"
        "vzeroupper\n"
        : [from] "+r"(from)
        : [to] "r"(to)
        : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
}

__attribute__((target("avx"))) void read_avx(const char *from, const char *to) {
    asm volatile(
        "1:\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "vmovaps 32*\\r(%[from]), %%ymm\\r\n"
        ".endr\n"
        "add $512, %[from]\n"
        "cmp %[to], %[from]\n"
        "jb 1b\n"
        "vzeroupper\n"
        : [from] "+r"(from)
        : [to] "r"(to)
        : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

void read_sse(const char *from, const char *to) {
    asm volatile(
        "1:\n"
        ".irp half, 0,256\n"
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "movaps \\half+16*\\r(%[from]), %%xmm\\r\n"
        ".endr\n"
        ".endr\n"
        "add $512, %[from]\n"
        "cmp %[to], %[from]\n"
        "jb 1b\n"
        : [from] "+r"(from)
        : [to] "r"(to)
        : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

Read read_for(Isa isa) {
    switch (isa) {
        case Isa::avx512:
            return read_avx512;
        case Isa::avx2:
            return read_avx;
        default:
            return read_sse;
    }
}

#elif defined(__aarch64__)

void read_neon(const char *from, const char *to) {
    asm volatile(
        "1:\n"
        ".rept 16\n"
        "ldp q0, q1, [%[from]], #32\n"
        ".endr\n"
        "cmp %[from], %[to]\n"
        "b.lo 1b\n"
        : [from] "+r"(from)
        : [to] "r"(to)
        : "cc", "memory", "v0", "v1");
}

Read read_for(Isa) {
    return read_neon;
}

#endif

struct Free {
    void operator()(char *memory) const { std::free(memory); }
};

// Written once: pages that were never written are all the same page of zeros, which every cache holds.
std::unique_ptr<char, Free> written_memory(size_t bytes) {
    constexpr size_t page = 4096;
    std::unique_ptr<char, Free> memory(static_cast<char *>(std::aligned_alloc(page, (bytes + page - 1) / page * page)));
    if (memory) std::memset(memory.get(), 1, bytes);
    return memory;
}

size_t whole_blocks(size_t bytes) {
    return std::max(block, bytes / block * block);
}

size_t larger_than_caches(const Target &target) {
    constexpr size_t most = 256 << 20;
    return std::min(most, 4 * static_cast<size_t>(target.l3_bytes));
}

// GB/s of `threads` that each read `bytes` of their own, again and again for some 30 ms. Each counts its own best pass:
// the passes of all overlap.
double best_rate(Read read, size_t bytes, int threads) {
    constexpr std::chrono::milliseconds budget(30);
    bytes = whole_blocks(bytes);
    std::vector<double> rates(static_cast<size_t>(threads));
    std::atomic<int> waiting = threads;
    on_all_cpus(threads, [&](int thread) {
        const auto memory = written_memory(bytes);
        waiting.fetch_sub(1);
        while (waiting.load() > 0) {
        }
        if (!memory) return;
        // A pass is long enough for a reading of the clock not to count.
        const size_t passes = 1 + (size_t{1} << 20) / bytes;
        const Clock::time_point start = Clock::now();
        double best = 0;
        do {
            const Clock::time_point begin = Clock::now();
            for (size_t i = 0; i < passes; i++) read(memory.get(), memory.get() + bytes);
            const std::chrono::duration<double> elapsed = Clock::now() - begin;
            best = std::max(best, static_cast<double>(passes * bytes) / elapsed.count());
        } while (Clock::now() - start < budget);
        rates[static_cast<size_t>(thread)] = best;
    });
    double sum = 0;
    for (const double rate : rates) sum += rate / 1e9;
    return sum;
}

}  // namespace

Bandwidth measure_bandwidth(const Target &target, int threads) {
    threads = useful_threads(threads);
    const Read read = read_for(target.isa);
    const auto parts = static_cast<size_t>(threads);
    return {best_rate(read, static_cast<size_t>(target.l2_bytes) / 2, threads),
            best_rate(read, static_cast<size_t>(target.l3_bytes) / 2 / parts, threads),
            best_rate(read, larger_than_caches(target) / parts, threads)};
}

void clear_caches(const Target &target, int threads) {
    const Read read = read_for(target.isa);
    static const size_t bytes = whole_blocks(larger_than_caches(target));
    static const auto memory = written_memory(bytes);
    if (!memory) return;
    on_all_cpus(useful_threads(threads), [&](int) { read(memory.get(), memory.get() + bytes); });
}

}  // namespace convc
