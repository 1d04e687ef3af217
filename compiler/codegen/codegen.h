// Plan to Kernel: Halide compiles the groups of a plan into one object, LLVM's IRBuilder writes the C entry points
// beside it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "convc/kernel.h"
#include "convc/status.h"

namespace convc {

// Human-readable forms of the same code, made only when asked for.
struct Listings {
    bool assembly = false;  // what --emit asm writes
    bool llvm = false;
    bool stmt = false;
    bool stmt_html = false;
    std::map<std::string, std::string> texts;  // "asm", "llvm", "stmt", "stmt_html" -> text
};

// Compiles. `symbol` is the C name and prefix of every symbol. Thread-safe. A failure of Halide's or LLVM's comes back
// as Failure::internal with its text.
//
// `baked_packed`: what the pack function wrote of the kernel compiled without it from the same plan. It becomes a
// constant of the object, and the kernel then has no parameters; compiler/api/compile_cached.h does the whole of it.
Result<Kernel> compile_kernel(const Plan &plan, const std::string &symbol, Listings *listings = nullptr,
                              const std::string &baked_packed = {});

// The C header of a library of kernels: convc.h's text, then each layer's declarations.
struct HeaderEntry {
    Layer layer;
    Kernel kernel;
};
std::string write_header(const std::string &library, const std::vector<HeaderEntry> &entries);

// What kernels need beside them wherever they are linked. Fails for another architecture than this machine's.
Result<ObjectFile> kernel_runtime(const Target &target);

// The archive: every kernel's objects and the kernel runtime.
Result<std::string> write_archive(const std::vector<const Kernel *> &kernels, const Target &target);

// What convc was built with, as it goes into cache keys: versions and build ids of convc, Halide and LLVM.
std::string build_identity();

}  // namespace convc
