// Google Benchmark over the layers of any .conv file:
//
//     convc_bench [FILE.conv | FILE.conv:LAYER | 'f32 nhwc[...] -> ...']... [--benchmark_filter=REGEX ...]
//
// Weights are packed beforehand. Google Benchmark reports means; `GFLOP/s` and `peak_percent` are of the mean too, and
// the peak is measured before and after each benchmark. `convc bench` reports the minimum and interleaves more finely.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <chrono>
#include <list>

#include "compiler/driver/layer_run.h"
#include "compiler/driver/session.h"
#include "compiler/plan/host_target.h"

namespace convc {
namespace {

// Kept until the end: the benchmarks refer to it.
struct Subject {
    Plan plan;
    std::string name;
};

FmaPeak &peak() {
    static FmaPeak only(host_target().isa, kernel_threads());
    return only;
}

Result<double> time_calls(benchmark::State &state, const Subject &subject) {
    const Result<LayerData> data = make_data(subject.plan.layer, {});
    if (!data) return data.error();
    Result<LoadedKernel> kernel = load_plan(subject.plan);
    if (!kernel) return kernel.error();
    Result<KernelCall> call = KernelCall::prepare(std::move(*kernel), *data);
    if (!call) return call.error();
    if (const int code = call->run(); code != CONVC_OK) return call_error("a call", code);
    const auto begin = std::chrono::steady_clock::now();
    for ([[maybe_unused]] auto _ : state) call->run();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    return 2 * real_multiplications(data->layer) * static_cast<double>(state.iterations()) / elapsed.count() / 1e9;
}

void benchmark_layer(benchmark::State &state, const Subject &subject) {
    peak().burst();
    const Result<double> gflops = time_calls(state, subject);
    peak().burst();
    if (!gflops) return state.SkipWithError(gflops.error().message.c_str());
    state.counters["GFLOP/s"] = *gflops;
    state.counters["peak_percent"] = 100 * *gflops / peak().best();
    state.SetLabel(print_schedules(subject.plan.schedules()));
}

// Layers without a kernel are left out, and said to be.
Status register_layers(Session &session, const std::string &argument, std::list<Subject> &subjects) {
    const Result<Program> program = session.check(argument);
    if (!program) return program.error();
    for (const CheckedLayer *checked : program->selected) {
        Result<Plan> plan = plan_layer(*program, *checked, host_target());
        if (!plan) {
            session.console().note(
                fmt::format("{}: {} is left out: {}\n", program->file.name, checked->layer.name, plan.error().message));
            continue;
        }
        const std::string name = program->is_line ? checked->layer.canonical_line() : checked->layer.name;
        subjects.push_back({std::move(*plan), name});
        const Subject &subject = subjects.back();
        benchmark::RegisterBenchmark(name.c_str(),
                                     [&subject](benchmark::State &state) { benchmark_layer(state, subject); })
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
    }
    return {};
}

int run(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);  // takes out its own options
    std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.empty()) arguments = {CONVC_EXAMPLES "/mobilenet_v2.conv", CONVC_EXAMPLES "/resnet50.conv"};
    Console console;
    Session session(console, {});
    std::list<Subject> subjects;
    for (const std::string &argument : arguments) {
        if (Status status = register_layers(session, argument, subjects); !status) return console.fail(status.error());
    }
    benchmark::AddCustomContext("target", host_target().full_name());
    peak().burst();
    benchmark::AddCustomContext("fma_peak_gflops", fmt::format("{:.1f}", peak().best()));
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

}  // namespace
}  // namespace convc

int main(int argc, char **argv) {
    return convc::run(argc, argv);
}
