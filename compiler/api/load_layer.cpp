// The C++ API: from text to a kernel that runs. See convc/convc.hpp.
#include <fmt/format.h>

#include "compiler/api/compile_cached.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "convc/convc.hpp"
#include "runtime/kernel_cache.h"

namespace convc {

Result<Layer> parse_layer(std::string_view text) {
    const SourceFile file{"<layer>", std::string(text)};
    Diagnostics diagnostics;
    const ast::Module module = parse_module(file, diagnostics);
    CheckedModule checked = check_module(module, diagnostics);
    if (diagnostics.has_errors()) return Error{Failure::invalid_input, render_text(file, diagnostics, false)};
    if (checked.layers.size() != 1) {
        return Error{Failure::invalid_input, fmt::format("expected one layer, found {}", checked.layers.size())};
    }
    return std::move(checked.layers.front().layer);
}

namespace {

// Every kernel that is loaded into a process has the same C name: each lives in a library of its own.
constexpr const char *loaded_symbol = "layer";

Result<KernelCache> open_cache(const LoadOptions &options) {
    if (!options.use_cache) return Error{Failure::usage, "the cache is not used"};
    return KernelCache::open(options.cache_directory.empty() ? KernelCache::default_directory()
                                                             : std::filesystem::path(options.cache_directory));
}

}  // namespace

Result<LoadedKernel> load_layer(const Layer &layer, const LoadOptions &options) {
    const Target target = host_target();
    Result<Plan> plan =
        options.schedules.empty() ? make_best_plan(layer, target) : make_pinned_plan(layer, target, options.schedules);
    if (!plan) return plan.error();
    Result<Kernel> kernel = compile_or_find(*plan, loaded_symbol, open_cache(options));
    if (!kernel) return kernel.error();
    return load_kernel(*kernel);
}

}  // namespace convc
