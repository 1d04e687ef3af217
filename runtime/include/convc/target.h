// A Target: what a kernel is compiled for. The string form is what `--target`, `schedule ... on "..."` and the caches
// use: architecture, system and instruction set, then optionally the CPU model and the thread count:
//
//     x86-64-linux-avx2-fma
//     x86-64-linux-avx512 znver5 2t
//
// or a GPU's interface, for CUDA with the compute capability that the code needs at least:
//
//     cuda-sm_80
//     opencl
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convc/status.h"

namespace convc {

enum class Isa { sse41, avx2, avx512, neon };
enum class Gpu { none, cuda, opencl };

struct Target {
    Isa isa = Isa::avx2;  // with a GPU: of the code beside it, which packs weights and starts kernels
    Gpu gpu = Gpu::none;  // what computes
    int capability = 0;   // of CUDA: 80 for sm_80
    std::string cpu;      // LLVM's name of the CPU model ("znver3"); empty: any
    int threads = 0;      // 0: not known
    int64_t l1_bytes = 32 << 10;
    int64_t l2_bytes = 512 << 10;
    int64_t l3_bytes = 8 << 20;
    bool half_vectors = false;  // of registers, only the lower halves are used

    bool on_gpu() const { return gpu != Gpu::none; }
    int vector_lanes() const;          // f32 lanes of one register, or of the half that is used
    int vector_registers() const;      // architectural vector registers
    int tasks_at_once() const;         // of a loop, at most, where each takes a part of the workspace
    bool splits_vectors() const;       // computes with a whole register in two turns: halves are as fast
    bool l3_is_mesh() const;           // its slices are spread over a mesh: slower than where few cores share one
    int cpu_level() const;             // what convc_kernel_cpu_level_v1() returns at least on a CPU that runs its code
    std::string isa_word() const;      // "avx2"
    std::string gpu_word() const;      // "cuda", "opencl"; "" without a GPU
    std::string architecture() const;  // "x86-64", "arm-64": what the targets of one library have in common
    std::string name() const;          // "x86-64-linux-avx2-fma", "cuda-sm_80"
    std::string full_name() const;     // with CPU model and threads, where known
    std::string triple() const;        // LLVM's: "x86_64-unknown-linux-gnu"
    bool operator==(const Target &) const = default;
};

// The name() of every target there is: of CPUs, then of GPUs.
std::vector<std::string> target_names();

// OpenCL, or CUDA of a compute capability: of the newest one that convc knows and that does not exceed it.
Target opencl_target();
Target cuda_target(int capability);

// Reads name() or full_name(), with the caches of a CPU model that it knows. `host` is resolved by
// compiler/plan/host_target.h.
Result<Target> parse_target(std::string_view text);

}  // namespace convc
