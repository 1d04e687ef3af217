// How long convc itself takes: the three figures that are promised.
//
//     convc_bench_compile [FILE.conv]...      without arguments, every file of examples/
//
//     compiling a kernel (the runtime object aside), median      at most 300 ms
//     loading one from the cache, median                         at most 1 ms
//     checking a file of 10,000 layers                           at most 1 s
//
// Every kernel is compiled once, one after another: the median is over kernels, whose sizes differ far more than the
// runs of one. Loads are repeated, since they are short, and the median of all is taken: unlike a kernel's own time, a
// load's includes the file system, whose usual cost is what a user meets.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>

#include "compiler/api/compile_cached.h"
#include "compiler/driver/progress.h"
#include "compiler/driver/session.h"
#include "compiler/plan/host_target.h"
#include "compiler/sema/lints.h"
#include "compiler/syntax/parser.h"
#include "convc/loaded_kernel.h"
#include "runtime/kernel_cache.h"

namespace convc {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

struct Samples {
    std::vector<double> values;  // milliseconds
    std::vector<double> busy;    // of those, this process on a CPU: less where other programs run too

    double largest() const { return values.empty() ? 0 : *std::max_element(values.begin(), values.end()); }
};

void print_figure(const char *what, double got, double promised, const std::string &details) {
    fmt::print("{:<42} {:>9.3f} ms   promised {:>6.0f} ms   {:<7} {}\n", what, got, promised,
               got <= promised ? "kept" : "BROKEN", details);
}

Result<std::vector<Plan>> plans_of(Session &session, const std::vector<std::string> &files) {
    std::vector<Plan> plans;
    for (const std::string &file : files) {
        const Result<Program> program = session.check(file);
        if (!program) return program.error();
        for (const CheckedLayer *checked : program->selected) {
            Result<Plan> plan = plan_layer(*program, *checked, host_target());
            if (plan) plans.push_back(std::move(*plan));  // the others have no kernel yet
        }
    }
    return plans;
}

// Compiles each into an empty cache, then loads each from it.
Status time_kernels(const std::vector<Plan> &plans, const KernelCache &cache, Progress &progress, Samples &compiling,
                    Samples &loading) {
    constexpr int loads = 5;
    const Result<KernelCache> shared = cache;
    for (size_t i = 0; i < plans.size(); i++) {
        const std::string symbol = "layer";
        const Clock::time_point begin = Clock::now();
        const std::clock_t busy = std::clock();
        const Result<Kernel> kernel = compile_or_find(plans[i], symbol, shared);
        if (!kernel) return kernel.error();
        if (i == 0) continue;  // it also wakes Halide and LLVM
        compiling.values.push_back(milliseconds_since(begin));
        compiling.busy.push_back(1e3 * static_cast<double>(std::clock() - busy) / CLOCKS_PER_SEC);
        for (int load = 0; load < loads; load++) {
            const Clock::time_point again = Clock::now();
            const Result<Kernel> found = compile_or_find(plans[i], symbol, shared);
            if (!found) return found.error();
            const Result<LoadedKernel> loaded = load_kernel(*found);
            if (!loaded) return loaded.error();
            loading.values.push_back(milliseconds_since(again));
        }
        progress.advance(plans[i].layer.name);
    }
    return {};
}

std::string ten_thousand_layers() {
    std::string text;
    for (int i = 0; i < 10'000; i++) {
        text += fmt::format(
            "layer block_{}(x: f32 nhwc[1, {}, {}, 64]) =\n    conv({}, 1x1) + bias + relu6\n"
            " -> depthwise(3x3, pad=1) + bias + relu6\n -> conv(64, 1x1) + bias + add(x)\n",
            i, 7 + i % 50, 7 + i % 50, 64 + 8 * (i % 40));
    }
    return text;
}

// As `convc check` does, reading the file aside.
Result<double> time_check() {
    const SourceFile file{"generated.conv", ten_thousand_layers()};
    Samples samples;
    for (int repeat = 0; repeat < 3; repeat++) {
        const Clock::time_point begin = Clock::now();
        Diagnostics diagnostics;
        const ast::Module tree = parse_module(file, diagnostics);
        const CheckedModule module = check_module(tree, diagnostics);
        lint_module(module, diagnostics);
        samples.values.push_back(milliseconds_since(begin));
        if (module.layers.size() != 10'000) return Error{Failure::internal, render_text(file, diagnostics, false, 1)};
    }
    return median(samples.values);
}

Status report(Session &session, const std::vector<std::string> &files, const KernelCache &cache) {
    const Result<std::vector<Plan>> plans = plans_of(session, files);
    if (!plans) return plans.error();
    Samples compiling, loading;
    {
        Progress progress(session.console(), "compiling", plans->size());
        if (Status status = time_kernels(*plans, cache, progress, compiling, loading); !status) return status;
    }
    const Result<double> checking = time_check();
    if (!checking) return checking.error();
    print_figure("compiling a kernel, median", median(compiling.values), 300,
                 fmt::format("{} kernels, longest {:.0f} ms; {:.0f} ms of CPU time", compiling.values.size(),
                             compiling.largest(), median(compiling.busy)));
    print_figure("loading a kernel from the cache, median", median(loading.values), 1,
                 fmt::format("{} loads, longest {:.2f} ms", loading.values.size(), loading.largest()));
    print_figure("checking a file of 10,000 layers", *checking, 1000, "");
    return {};
}

std::vector<std::string> every_example() {
    std::vector<std::string> files;
    for (const auto &entry : std::filesystem::directory_iterator(CONVC_EXAMPLES)) {
        if (entry.path().extension() == ".conv") files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

int run(int argc, char **argv) {
    Console console;
    Session session(console, {});
    const std::filesystem::path directory =
        std::filesystem::temp_directory_path() / fmt::format("convc-bench-{}", ::getpid());
    const Result<KernelCache> cache = KernelCache::open(directory);
    if (!cache) return console.fail(cache.error());
    const std::vector<std::string> files = argc > 1 ? std::vector<std::string>(argv + 1, argv + argc) : every_example();
    const Status status = report(session, files, *cache);
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    return status ? 0 : console.fail(status.error());
}

}  // namespace
}  // namespace convc

int main(int argc, char **argv) {
    return convc::run(argc, argv);
}
