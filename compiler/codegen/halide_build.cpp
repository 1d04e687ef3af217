#include "compiler/codegen/halide_build.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "compiler/codegen/device_code.h"
#include "compiler/codegen/function_memory.h"
#include "compiler/codegen/function_name.h"
#include "schedules/group_generator.h"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"

namespace convc {
namespace {

using Halide::Module;
using Halide::OutputFileType;

Halide::Target halide_target(const Target &target) {
    std::string text;
    switch (target.isa) {
        case Isa::sse41:
            text = "x86-64-linux-sse41";
            break;
        case Isa::avx2:
            text = "x86-64-linux-sse41-avx-f16c-fma-avx2";
            break;
        case Isa::avx512:
            text = "x86-64-linux-sse41-avx-f16c-fma-avx2-avx512-avx512_skylake";
            break;
        case Isa::neon:
            text = "arm-64-linux";
            break;
    }
    for (const char *tuned : {"znver1", "znver2", "znver3", "znver4", "znver5"}) {
        if (target.cpu == tuned) text += fmt::format("-tune_{}", tuned);
    }
    if (target.gpu == Gpu::opencl) text += "-opencl-cl_doubles";
    // What is newer than Halide's newest capability runs its code.
    constexpr int newest_capability = 86;
    if (target.gpu == Gpu::cuda) {
        text += fmt::format("-cuda-cuda_capability_{}", std::min(target.capability, newest_capability));
    }
    return Halide::Target(text + "-no_asserts-no_bounds_query-no_runtime-user_context");
}

// An anonymous file in memory: Halide writes its outputs to paths, and nothing of them is to be left on disk.
class MemoryFile {
public:
    MemoryFile() : descriptor_(memfd_create("convc", MFD_CLOEXEC)) {}
    ~MemoryFile() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    MemoryFile(const MemoryFile &) = delete;
    MemoryFile &operator=(const MemoryFile &) = delete;

    bool valid() const { return descriptor_ >= 0; }
    std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

    std::string contents() const {
        const off_t size = lseek(descriptor_, 0, SEEK_END);
        std::string bytes(size > 0 ? static_cast<size_t>(size) : 0, '\0');
        size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t got = pread(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
            if (got <= 0) break;
            done += static_cast<size_t>(got);
        }
        bytes.resize(done);
        return bytes;
    }

private:
    int descriptor_;
};

// Halide's own reporter prints warnings, and a library does not. Errors it throws, which this one has to do itself.
class SilentReporter : public Halide::CompileTimeErrorReporter {
public:
    void warning(const char *) override {}
    void error(const char *message) override { throw Halide::CompileError(message); }
};

void silence_halide() {
    static SilentReporter reporter;
    static std::once_flag once;
    std::call_once(once, [] { Halide::set_custom_compile_time_error_reporter(&reporter); });
}

bool has_parameters(const std::vector<KernelArgument> &arguments) {
    for (const KernelArgument &argument : arguments) {
        if (argument.role == KernelArgument::Role::parameter) return true;
    }
    return false;
}

Module build_module(const std::string &generator, const KernelRequest &request,
                    const std::vector<KernelArgument> &arguments, const std::string &function, bool with_knobs) {
    Target target = request.target;
    if (!with_knobs) target.gpu = Gpu::none;  // weights are packed on the CPU
    const Halide::GeneratorContext context(halide_target(target));
    const auto built = Halide::Internal::GeneratorRegistry::create(generator, context);
    dynamic_cast<RequestReceiver &>(*built).receive(request, arguments);
    if (with_knobs) {
        for (const auto &[name, value] : request.schedule.knobs) {
            built->set_generatorparam_value(name, std::to_string(value));
        }
    }
    return built->build_module(function);
}

// Moves a module's functions into another, without Halide's argv wrapper and metadata.
void append_functions(Module &to, const Module &from, const std::string &external) {
    for (Halide::Internal::LoweredFunc function : from.functions()) {
        if (function.name == external) function.linkage = Halide::LinkageType::External;
        to.append(function);
    }
    for (const auto &buffer : from.buffers()) to.append(buffer);
    to.set_any_strict_float(to.any_strict_float() || from.any_strict_float());
}

FunctionMemory memory_of(const Module &module, const std::string &function, const Target &target) {
    Result<FunctionMemory> memory = function_memory(module, function, target.tasks_at_once());
    if (!memory) throw Halide::InternalError(memory.error().message);
    return *memory;
}

GroupFunctions build_group(const Plan &plan, size_t index, const std::string &symbol, Module &module) {
    const PlannedGroup &planned = plan.groups[index];
    const StageGroup stages{&plan.layer, planned.first_stage, planned.stage_count};
    const KernelRequest request = kernel_request(stages, planned.schedule, plan.target);
    const Algorithm *algorithm = algorithm_named(planned.schedule.algorithm);

    GroupFunctions group;
    group.arguments = algorithm->arguments(request);
    group.run = function_name(symbol, "run", index);
    const std::string name(algorithm->name);
    Module run = build_module(name, request, group.arguments, group.run, true);
    if (plan.target.on_gpu()) run = with_stable_device_names(run, group.run);
    group.run_memory = memory_of(run, group.run, plan.target);
    append_functions(module, run, group.run);
    if (has_parameters(group.arguments)) {
        group.pack = function_name(symbol, "pack", index);
        const Module pack = build_module(name + "_pack", request, group.arguments, group.pack, false);
        if (memory_of(pack, group.pack, plan.target).bytes() > 0)
            throw Halide::InternalError("packing has no workspace");
        append_functions(module, pack, group.pack);
    }
    return group;
}

struct Output {
    Output(OutputFileType type_, const char *name_) : type(type_), name(name_) {}
    OutputFileType type;
    std::string name;  // in Listings::texts
    MemoryFile file;
};

// Runs LLVM once for the object and every listing that is wanted.
std::string compile_module(const Module &module, Listings *listings) {
    std::vector<std::unique_ptr<Output>> outputs;
    const auto want = [&](bool wanted, OutputFileType type, const char *name) {
        if (wanted) outputs.push_back(std::make_unique<Output>(type, name));
    };
    want(true, OutputFileType::object, "object");
    if (listings) {
        want(listings->assembly, OutputFileType::assembly, "asm");
        want(listings->llvm, OutputFileType::llvm_assembly, "llvm");
        want(listings->stmt, OutputFileType::stmt, "stmt");
        want(listings->stmt_html, OutputFileType::stmt_html, "stmt_html");
    }
    std::map<OutputFileType, std::string> paths;
    for (const auto &output : outputs) {
        if (!output->file.valid()) throw Halide::RuntimeError("cannot create a file in memory");
        paths[output->type] = output->file.path();
    }
    module.compile(paths);
    for (const auto &output : outputs) {
        if (output->type != OutputFileType::object) listings->texts[output->name] += output->file.contents();
    }
    if (listings && listings->device) listings->device_code.push_back(device_code(module));
    return outputs.front()->file.contents();
}

Error halide_failure(const Plan &plan, const char *what) {
    return {Failure::internal, fmt::format("Halide failed on '{}' with {}: {}", plan.layer.canonical_line(),
                                           print_schedules(plan.schedules()), what)};
}

}  // namespace

Result<HalideObjects> build_halide_objects(const Plan &plan, const std::string &symbol, Listings *listings) {
    // Halide reports by throwing; nothing of that leaves this function.
    silence_halide();
    try {
        HalideObjects result;
        const size_t in_one = plan.target.on_gpu() ? 1 : plan.groups.size();
        for (size_t i = 0; i < plan.groups.size(); i += in_one) {
            Module module(symbol, halide_target(plan.target));
            HalideObject object;
            for (size_t group = i; group < i + in_one; group++) {
                result.groups.push_back(build_group(plan, group, symbol, module));
                object.functions.push_back(result.groups.back().run);
                if (!result.groups.back().pack.empty()) object.functions.push_back(result.groups.back().pack);
            }
            object.bytes = compile_module(module, listings);
            result.objects.push_back(std::move(object));
        }
        return result;
    } catch (const Halide::Error &failure) {
        return halide_failure(plan, failure.what());
    } catch (const std::exception &failure) {
        return halide_failure(plan, failure.what());
    }
}

std::string halide_version() {
    return fmt::format("halide {}.{}.{}", HALIDE_VERSION_MAJOR, HALIDE_VERSION_MINOR, HALIDE_VERSION_PATCH);
}

}  // namespace convc
