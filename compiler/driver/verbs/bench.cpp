// convc bench: time kernels, as a table or as Google Benchmark's JSON.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "compiler/driver/layer_run.h"
#include "compiler/driver/target_list.h"
#include "compiler/driver/verbs/speed_table.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/plan/host_target.h"

namespace convc {
namespace {

using nlohmann::ordered_json;

struct Options {
    CommonOptions common;
    std::string file;
    std::string target = "host";
    int repeat = 0;
    bool json = false;
};

Result<Speed> measure(const Plan &plan, const Options &options, FmaPeak &peak) {
    const Result<LayerData> data = make_data(plan.layer, {});
    if (!data) return data.error();
    Result<LoadedKernel> kernel = load_plan(plan);
    if (!kernel) return kernel.error();
    Result<KernelCall> call = KernelCall::prepare(std::move(*kernel), *data);
    if (!call) return call.error();
    return measure_call(*call, data->layer, {options.repeat, 0.5}, peak);
}

// The keys that Google Benchmark's own output has and its compare.py reads; times are the minimum. Nanoseconds,
// because compare.py prints no decimals.
ordered_json entry(const Plan &plan, const Speed &speed, size_t index) {
    const std::string name = plan.layer.name;
    return {{"name", name},
            {"family_index", index},
            {"per_family_instance_index", 0},
            {"run_name", name},
            {"run_type", "iteration"},
            {"repetitions", 1},
            {"repetition_index", 0},
            {"threads", 1},
            {"iterations", speed.timing.repeats},
            {"real_time", speed.timing.minimum * 1e9},
            {"cpu_time", speed.timing.minimum * 1e9},
            {"time_unit", "ns"},
            {"median_time", speed.timing.median * 1e9},
            {"GFLOP/s", speed.gflops},
            {"peak_share", speed.share()},
            {"label", plan.layer.canonical_line()},
            {"schedule", print_schedules(plan.schedules())}};
}

ordered_json context(const FmaPeak &peak, const Target &target) {
    return {{"date", fmt::format("{:%FT%T+00:00}", fmt::gmtime(std::time(nullptr)))},
            {"host_name", machine_name()},
            {"executable", "convc"},
            {"num_cpus", peak.threads()},
            {"mhz_per_cpu", 0},  // not looked up: the FMA peak says more
            {"cpu_scaling_enabled", false},
            {"caches", ordered_json::array()},
            {"library_build_type", "release"},
            {"target", target.full_name()},
            {"estimator", "minimum"},
            {"fma_peak_gflops", peak.best()}};
}

int bench_as_json(Console &console, const std::vector<Plan> &plans, const Options &options, FmaPeak &peak) {
    ordered_json entries = ordered_json::array();
    for (const Plan &plan : plans) {
        const Result<Speed> speed = measure(plan, options, peak);
        if (!speed) return console.fail(speed.error());
        entries.push_back(entry(plan, *speed, entries.size()));
    }
    const ordered_json object{{"context", context(peak, plans.empty() ? Target{} : plans[0].target)},
                              {"benchmarks", entries}};
    console.print(print_json(object));
    return 0;
}

int bench_as_table(Console &console, const std::vector<Plan> &plans, const Options &options, FmaPeak &peak) {
    const SpeedTable table(plans, {"min ms", "median ms", "GFLOP/s", "% of peak"});
    console.print(table.head());
    for (const Plan &plan : plans) {
        const Result<Speed> speed = measure(plan, options, peak);
        if (!speed) return console.fail(speed.error());
        console.print(table.row(plan.layer, {milliseconds(speed->timing.minimum), milliseconds(speed->timing.median),
                                             fmt::format("{:.1f}", speed->gflops), table.share_cell(*speed)}));
        std::fflush(stdout);
    }
    console.print(table.foot(peak));
    return 0;
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<Program> program = session->check(options.file);
    if (!program) return console.fail(program.error());
    const Result<Target> target = read_target(options.target);
    if (!target) return console.fail(target.error());
    if (Status status = check_device(*target); !status) return console.fail(status.error());
    const Result<std::vector<Plan>> plans = session->plan(*program, *target);
    if (!plans) return console.fail(plans.error());
    FmaPeak peak(host_target().isa, kernel_threads());
    return options.json ? bench_as_json(console, *plans, options, peak)
                        : bench_as_table(console, *plans, options, peak);
}

}  // namespace

void add_bench(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "bench", "time kernels, weights packed beforehand",
                              {"bench net.conv", "bench net.conv:stem --repeat 1000",
                               "bench net.conv --json > now.json   # for Google Benchmark's compare.py"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->file, "a .conv file, FILE:LAYER, or a layer in quotes")->required();
    verb->add_flag("--json", options->json, "Google Benchmark's JSON; real_time is the minimum");
    add_target_option(*verb, options->target);
    verb->add_option("--repeat", options->repeat, "time so many runs; without it as many as fit 0.5 s")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000).description(""));
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
