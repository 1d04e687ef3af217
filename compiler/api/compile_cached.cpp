#include "compiler/api/compile_cached.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "compiler/codegen/codegen.h"
#include "convc/loaded_kernel.h"

namespace convc {

Result<Kernel> compile_or_find(const Plan &plan, const std::string &symbol, const Result<KernelCache> &cache) {
    if (!cache) return compile_kernel(plan, symbol);
    const KernelKey key{symbol, plan.layer.canonical_line(), print_schedules(plan.schedules()), plan.target.full_name(),
                        build_identity()};
    if (std::optional<Kernel> found = cache->find(key)) {
        found->origin = plan.origin_name();  // the one thing of a kernel that the key leaves out
        return *std::move(found);
    }
    Result<Kernel> kernel = compile_kernel(plan, symbol);
    // A full disk costs the next run some time, and this one nothing.
    if (kernel) (void)cache->store(key, *kernel);
    return kernel;
}

namespace {

struct Free {
    void operator()(void *memory) const { std::free(memory); }
};

Status check_parameters(const Layer &layer, const std::vector<std::vector<float>> &parameters) {
    const std::vector<Parameter> wanted = layer.parameters();
    if (parameters.size() != wanted.size()) {
        return Error{Failure::invalid_input,
                     fmt::format("{} parameters given, the layer has {}", parameters.size(), wanted.size())};
    }
    for (size_t i = 0; i < wanted.size(); i++) {
        if (parameters[i].size() == static_cast<size_t>(wanted[i].elements())) continue;
        return Error{Failure::invalid_input, fmt::format("{} has {} elements, the layer needs {}", wanted[i].name(),
                                                         parameters[i].size(), wanted[i].elements())};
    }
    return {};
}

}  // namespace

Result<Kernel> compile_with_weights(const Plan &plan, const std::string &symbol,
                                    const std::vector<std::vector<float>> &parameters) {
    if (Status status = check_parameters(plan.layer, parameters); !status) return status.error();
    if (parameters.empty()) return compile_kernel(plan, symbol);
    // Without the name of a variant, whose functions would be hidden.
    Result<Kernel> unbaked = compile_kernel(plan, symbol.substr(0, symbol.find('.')));
    if (!unbaked) return unbaked.error();
    const Result<LoadedKernel> loaded = load_kernel(*unbaked);
    if (!loaded) {
        return Error{loaded.error().failure,
                     "weights are packed here before they become constants, but " + loaded.error().message};
    }

    std::vector<const float *> pointers;
    pointers.reserve(parameters.size());
    for (const std::vector<float> &parameter : parameters) pointers.push_back(parameter.data());
    const size_t bytes = loaded->info().packed_bytes;
    const std::unique_ptr<void, Free> packed(std::aligned_alloc(64, bytes));
    if (!packed) return Error{Failure::environment, fmt::format("no memory for {} bytes of packed weights", bytes)};
    if (const int code = loaded->info().pack(pointers.data(), packed.get()); code != 0) {
        return Error{Failure::internal, fmt::format("packing the weights failed with error {}", code)};
    }
    return compile_kernel(plan, symbol, nullptr, std::string(static_cast<const char *>(packed.get()), bytes));
}

}  // namespace convc
