#include "compiler/driver/layer_run.h"

#include <algorithm>
#include <limits>

#include "compiler/api/compile_cached.h"
#include "compiler/cost/cost.h"
#include "compiler/reference/compare.h"
#include "compiler/reference/reference.h"
#include "convc/schedule.h"

namespace convc {

Result<Kernel> compile_plan(const Plan &plan) {
    // As in load_layer(): the name does not matter in a library of its own, and one name is one cache entry.
    constexpr const char *loaded_symbol = "layer";
    return compile_or_find(plan, loaded_symbol, KernelCache::open(KernelCache::default_directory()));
}

Result<LoadedKernel> load_plan(const Plan &plan) {
    const Result<Kernel> kernel = compile_plan(plan);
    if (!kernel) return kernel.error();
    return load_kernel(*kernel);
}

double real_multiplications(const Layer &layer) {
    const std::optional<LayerCost> cost = layer_cost(layer);
    return cost ? static_cast<double>(cost->real_macs) : 0;
}

Result<Speed> measure_call(KernelCall &call, const Layer &layer, const TimingOptions &options, FmaPeak &peak) {
    if (const int code = call.run(); code != CONVC_OK) return call_error("a call", code);
    Speed speed;
    speed.timing = time_kernel([&] { call.run(); }, options, [&] { peak.burst(); });
    speed.gflops = 2 * real_multiplications(layer) / speed.timing.minimum / 1e9;
    speed.peak = peak.best();
    return speed;
}

Result<std::vector<double>> time_in_turns(const std::vector<KernelCall *> &calls, int turns, double seconds_each) {
    std::vector<double> fastest(calls.size(), std::numeric_limits<double>::infinity());
    for (int turn = 0; turn < turns; turn++) {
        for (size_t i = 0; i < calls.size(); i++) {
            if (const int code = calls[i]->run(); code != CONVC_OK) return call_error("a call", code);
            const Timing timing = time_kernel([&] { calls[i]->run(); }, {0, seconds_each});
            fastest[i] = std::min(fastest[i], timing.minimum);
        }
    }
    return fastest;
}

Result<ReferenceResult> reference_of(const LayerData &data, const std::vector<int64_t> &elements) {
    std::vector<ReferenceTensor> inputs, parameters;
    for (const std::vector<float> &values : data.inputs) inputs.emplace_back(values.begin(), values.end());
    for (const std::vector<float> &values : data.parameters) parameters.emplace_back(values.begin(), values.end());
    return run_reference(data.layer, inputs, parameters, elements);
}

Result<Verification> verify(const KernelCall &call, const LayerData &data) {
    const Result<ReferenceResult> expected = reference_of(data);
    if (!expected) return expected.error();
    const Result<std::vector<float>> output = call.output();
    if (!output) return output.error();
    const Tolerance tolerance = sums_as_written(call.schedules()) ? Tolerance::bounded : Tolerance::transformed;
    const Comparison comparison = compare_output(data.layer.output(), *output, *expected, tolerance);
    return Verification{comparison.ok(), comparison.message()};
}

}  // namespace convc
