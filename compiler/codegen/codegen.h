// Plan to Kernel: Halide compiles the groups of a plan into one object, LLVM's IRBuilder writes the C entry points
// beside it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "convc/kernel.h"
#include "convc/status.h"

namespace convc {

// A function of a GPU's code as a kernel starts it; -1: known at run time only.
struct DeviceLaunch {
    std::string function;
    std::array<int64_t, 3> blocks{-1, -1, -1}, threads{-1, -1, -1};
    int64_t shared_bytes = -1;  // of a block, given at the launch
};

// What the driver of a GPU is given for a group of stages: PTX, or OpenCL C.
struct DeviceCode {
    std::string text;
    std::vector<DeviceLaunch> launches;
};

// Human-readable forms of the same code, made only when asked for.
struct Listings {
    bool assembly = false;  // what --emit asm writes
    bool llvm = false;
    bool stmt = false;
    bool stmt_html = false;
    bool device = false;
    std::map<std::string, std::string> texts;  // "asm", "llvm", "stmt", "stmt_html" -> text
    std::vector<DeviceCode> device_code;       // of each group of stages
};

// Compiles. `symbol` is the C name and prefix of every symbol. Thread-safe. A failure of Halide's or LLVM's comes back
// as Failure::internal with its text.
//
// `baked_packed`: what the pack function wrote of the kernel compiled without it from the same plan. It becomes a
// constant of the object, and the kernel then has no parameters; compiler/api/compile_cached.h does the whole of it.
Result<Kernel> compile_kernel(const Plan &plan, const std::string &symbol, Listings *listings = nullptr,
                              const std::string &baked_packed = {});

// The symbol of a layer's kernel for one of a library's several targets: "res2_3x3.avx2", whose functions are hidden;
// for a GPU "res2_3x3_cuda", which a program calls by that name.
std::string variant_symbol(const std::string &name, const Target &target);

// The public functions of a layer that was compiled for several targets: NAME, NAME_pack, ... choose once per process
// among `variants`, which were compiled under their variant_symbol(), best first. A kernel of one object that needs
// theirs; its numbers are the first variant's.
Result<Kernel> compile_dispatcher(const Layer &layer, const std::vector<Kernel> &variants);

// The C header of a library of kernels: convc.h's text, then each layer's declarations.
struct HeaderEntry {
    Layer layer;
    Kernel kernel;
    std::vector<Kernel> variants{};  // best first, where there are several and `kernel` chooses among them
    std::vector<Kernel> on_gpu{};    // NAME_cuda, NAME_opencl; without a CPU's, the symbol of `kernel` is empty
    bool has_baked_weights = false;

    bool on_cpu() const { return !kernel.symbol.empty(); }
};
std::string write_header(const std::string &library, const std::vector<HeaderEntry> &entries);

// What kernels need beside them wherever they are linked. Fails where convc was built without a C compiler for the
// target's architecture, and says what was missing.
Result<std::vector<ObjectFile>> kernel_runtime(const Target &target, bool with_gpu = false);

// The archive: every kernel's objects and the kernel runtime for the architecture of `target`; with kernels for a GPU,
// the GPU runtime too.
Result<std::string> write_archive(const std::vector<const Kernel *> &kernels, const Target &target);

// What convc was built with, as it goes into cache keys: versions and build ids of convc, Halide and LLVM.
std::string build_identity();

}  // namespace convc
