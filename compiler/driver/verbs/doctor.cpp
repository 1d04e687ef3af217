// convc doctor: the machine as convc sees it, what is installed, and what is wrong.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "compiler/codegen/codegen.h"
#include "compiler/driver/layer_run.h"
#include "compiler/driver/verbs/speed_table.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "convc/device_memory.h"
#include "runtime/kernel_cache.h"

namespace convc {
namespace {

struct Options {
    bool json = false;
};

struct Finding {
    std::string key;  // JSON's
    std::string value;
    bool healthy = true;
};

std::string kibibytes(int64_t bytes) {
    return fmt::format("{} KiB", bytes >> 10);
}

std::vector<Finding> machine(const Target &target) {
    return {
        {"target", target.full_name(), true},
        {"vectors", fmt::format("{} lanes of f32, {} registers", target.vector_lanes(), target.vector_registers()),
         true},
        {"caches",
         fmt::format("L1 {}, L2 {}, L3 {}", kibibytes(target.l1_bytes), kibibytes(target.l2_bytes),
                     kibibytes(target.l3_bytes)),
         true},
        {"threads",
         fmt::format("{}{}", kernel_threads(), std::getenv("CONVC_NUM_THREADS") ? " ($CONVC_NUM_THREADS)" : ""), true}};
}

// A machine without one is in order.
Finding gpu(Gpu interface) {
    const char *key = interface == Gpu::cuda ? "cuda" : "opencl";
    const Result<convc_gpu_device> device = gpu_device(interface);
    if (!device) return {key, device.error().message, true};
    return {key,
            fmt::format("{}, {} {}.{}, {} multiprocessors, {} MiB", device->name,
                        interface == Gpu::cuda ? "compute capability" : "version", device->capability / 10,
                        device->capability % 10, device->multiprocessors, device->memory_bytes >> 20),
            true};
}

Finding fma_peak() {
    constexpr int bursts = 20;
    FmaPeak peak(host_target().isa, kernel_threads());
    for (int i = 0; i < bursts; i++) peak.burst();
    return {"fma_peak", fmt::format("{:.1f} GFLOP/s ({})", peak.best(), isa_name(peak.isa())), true};
}

Finding cache() {
    const std::filesystem::path directory = KernelCache::default_directory();
    const Result<KernelCache> opened = KernelCache::open(directory);
    if (!opened) return {"kernel_cache", "not used: " + opened.error().message, false};
    const CacheReport report = opened->verify();
    return {"kernel_cache",
            fmt::format("{}: {} entries, {} KiB, {} damaged", directory.string(), report.entries, report.bytes >> 10,
                        report.damaged.size()),
            report.damaged.empty()};
}

// convc needs none itself, but what it compiles is linked by one.
Finding c_compiler() {
    const char *path = std::getenv("PATH");
    std::istringstream folders(path ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
        const std::string compiler = folder + "/cc";
        if (::access(compiler.c_str(), X_OK) == 0) return {"c_compiler", compiler, true};
    }
    return {"c_compiler", "none in $PATH: what `convc compile` writes has to be linked elsewhere", true};
}

// The targets for which this build of convc can write libraries, and what the others would need.
Finding library_targets() {
    Finding finding{"libraries_for", "", true};
    for (const std::string &name : target_names()) {
        const Result<Target> target = parse_target(name);
        const auto runtime = target ? kernel_runtime(*target) : Result<std::vector<ObjectFile>>(target.error());
        if (!finding.value.empty()) finding.value += runtime ? ", " : "; ";
        finding.value += runtime ? name : runtime.error().message;
    }
    return finding;
}

// The whole way once, on a layer so small that it takes no time but the compiler's.
Result<Verification> try_out(const Target &target) {
    Layer layer;
    layer.inputs.push_back({"x", {}});
    layer.inputs[0].type.space = {4, 4};
    Stage stage;
    stage.axes.resize(2);
    stage.output = layer.inputs[0].type;
    layer.stages.push_back(std::move(stage));
    const Result<Plan> plan = make_plan(layer, target);
    if (!plan) return plan.error();
    const Result<LayerData> data = make_data(layer, {});
    if (!data) return data.error();
    Result<LoadedKernel> kernel = load_plan(*plan);
    if (!kernel) return kernel.error();
    Result<KernelCall> call = KernelCall::prepare(std::move(*kernel), *data);
    if (!call) return call.error();
    if (const int code = call->run(); code != CONVC_OK) return call_error("a call", code);
    return verify(*call, *data);
}

Finding self_test(const Target &target) {
    const Result<Verification> verification = try_out(target);
    if (!verification) return {"self_test", "failed: " + verification.error().message, false};
    if (!verification->ok) return {"self_test", "wrong: " + verification->message, false};
    return {"self_test", "a kernel compiles, loads, runs and agrees with the reference", true};
}

std::vector<Finding> examine() {
    const Target target = host_target();
    std::vector<Finding> findings = machine(target);
    findings.push_back(fma_peak());
    findings.push_back(gpu(Gpu::cuda));
    findings.push_back(gpu(Gpu::opencl));
    findings.push_back({"built_with", build_identity(), true});
    findings.push_back(library_targets());
    findings.push_back(c_compiler());
    findings.push_back(self_test(target));
    findings.push_back(cache());
    return findings;
}

int run(Console &console, const Options &options) {
    const std::vector<Finding> findings = examine();
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    bool healthy = true;
    for (const Finding &finding : findings) {
        healthy = healthy && finding.healthy;
        object[finding.key] = finding.value;
        std::string title = finding.key;
        std::replace(title.begin(), title.end(), '_', ' ');
        if (!options.json) {
            console.print(fmt::format("{:<13} {}{}\n", title, finding.value, finding.healthy ? "" : "   <- look here"));
        }
    }
    object["healthy"] = healthy;
    if (options.json) console.print(print_json(object));
    return healthy ? 0 : console.fail({Failure::environment, "not everything is in order"});
}

}  // namespace

void add_doctor(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "doctor", "what is installed, what is missing, what the machine can do",
                              {"doctor", "doctor --json"});
    auto options = std::make_shared<Options>();
    verb->add_flag("--json", options->json, "for programs");
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
