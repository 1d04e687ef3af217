// convc compile: a library and its header, and the forms that the code takes on the way.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "compiler/driver/compile_job.h"
#include "compiler/driver/driver_diagnostics.h"
#include "compiler/driver/files.h"
#include "compiler/driver/target_list.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/measure/fma_peak.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::string file;
    std::string directory = ".";
    std::vector<std::string> targets{"host"};
    std::vector<std::string> emit{"archive", "header"};
    std::string weights;
    int jobs = 0;
    bool require_tuned = false;
};

struct OutputFile {
    std::string name;
    std::string bytes;
};

bool emits(const Options &options, std::string_view kind) {
    return std::find(options.emit.begin(), options.emit.end(), kind) != options.emit.end();
}

Status check_emit(const Options &options) {
    static constexpr std::array<std::string_view, 8> kinds{"object", "archive", "header",    "asm",
                                                           "llvm",   "stmt",    "stmt_html", "ptx"};
    for (const std::string &kind : options.emit) {
        if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
            return Error{Failure::usage, fmt::format("--emit takes {}, not '{}'", fmt::join(kinds, ", "), kind)};
        }
    }
    return {};
}

// net.conv -> net; a line given on the command line -> layer.
std::string library_name(const Program &program) {
    if (program.is_line) return "layer";
    if (program.file.name == "<stdin>") return "stdin";
    return std::filesystem::path(program.file.name).stem().string();
}

Result<std::vector<ParameterValues>> read_weights(const Options &options, const std::vector<Plan> &plans) {
    std::vector<ParameterValues> all;
    if (options.weights.empty()) return all;
    const Result<std::unique_ptr<WeightSource>> source = WeightSource::open(options.weights);
    if (!source) return source.error();
    for (const Plan &plan : plans) {
        Result<ParameterValues> values = read_parameters(plan.layer, **source, plans.size() == 1);
        if (!values) return values.error();
        all.push_back(std::move(*values));
    }
    return all;
}

// The plans of every layer for one target after another, best first.
using PlansByTarget = std::vector<std::vector<Plan>>;

Result<PlansByTarget> plan_all(Session &session, const Program &program, const std::vector<Target> &targets) {
    PlansByTarget all;
    for (const Target &target : targets) {
        Result<std::vector<Plan>> plans = session.plan(program, target);
        if (!plans) return plans.error();
        all.push_back(*std::move(plans));
    }
    return all;
}

// Points at the layers that would get a default schedule for any of the targets.
Status check_tuned(Console &console, const Program &program, const PlansByTarget &plans) {
    Diagnostics diagnostics;
    for (size_t layer = 0; layer < program.selected.size(); layer++) {
        std::vector<std::string> targets;
        for (const std::vector<Plan> &of_target : plans) {
            const Plan &plan = of_target[layer];
            if (plan.origin == Plan::Origin::standard) targets.push_back(plan.target.full_name());
        }
        if (targets.empty()) continue;
        const CheckedLayer &checked = *program.selected[layer];
        const bool is_first = diagnostics.all().empty();
        Diagnostics::Builder reported =
            diagnostics.report(checked.range, diagnostic::not_tuned, excerpt(checked.layer.name),
                               fmt::format("{}", fmt::join(targets, ", ")));
        if (is_first) reported.note("`convc tune` finds schedules on such a machine; a `schedule` statement pins one");
    }
    if (!diagnostics.has_errors()) return {};
    console.show(program.file, diagnostics);
    return Error{Failure::not_tuned, ""};
}

// The targets that are CPUs: those stand first.
size_t on_cpus(const PlansByTarget &plans) {
    const auto is_cpu = [](const std::vector<Plan> &of_target) { return !of_target.front().target.on_gpu(); };
    return static_cast<size_t>(std::count_if(plans.begin(), plans.end(), is_cpu));
}

// Layer by layer, and of each layer target by target.
std::vector<CompileJob> make_jobs(const Options &options, const PlansByTarget &plans,
                                  const std::vector<ParameterValues> &weights) {
    Listings listings;
    listings.assembly = emits(options, "asm");
    listings.llvm = emits(options, "llvm");
    listings.stmt = emits(options, "stmt");
    listings.stmt_html = emits(options, "stmt_html");
    listings.device = emits(options, "ptx");
    std::vector<CompileJob> jobs;
    for (size_t layer = 0; layer < plans.front().size(); layer++) {
        const bool has_weights = !weights.empty() && !weights[layer].empty();
        for (const std::vector<Plan> &of_target : plans) {
            const Plan &plan = of_target[layer];
            const std::string name = plan.layer.c_name();
            const bool plain = on_cpus(plans) == 1 && !plan.target.on_gpu();
            jobs.push_back({&plan, plain ? name : variant_symbol(name, plan.target),
                            has_weights ? &weights[layer] : nullptr, listings});
        }
    }
    return jobs;
}

// What the library has of each layer: one kernel, or several and what chooses among them; and those for GPUs.
Result<std::vector<HeaderEntry>> gather(const std::vector<CompileJob> &jobs, const std::vector<Kernel> &kernels,
                                        size_t targets, size_t cpus) {
    std::vector<HeaderEntry> entries;
    for (size_t i = 0; i < jobs.size(); i += targets) {
        HeaderEntry entry{jobs[i].plan->layer, cpus > 0 ? kernels[i] : Kernel()};
        entry.has_baked_weights = jobs[i].weights != nullptr;
        const auto first = kernels.begin() + static_cast<std::ptrdiff_t>(i);
        const auto first_gpu = first + static_cast<std::ptrdiff_t>(cpus);
        entry.on_gpu.assign(first_gpu, first + static_cast<std::ptrdiff_t>(targets));
        if (cpus > 1) {
            entry.variants.assign(first, first_gpu);
            Result<Kernel> dispatcher = compile_dispatcher(entry.layer, entry.variants);
            if (!dispatcher) return dispatcher.error();
            entry.kernel = *std::move(dispatcher);
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

std::vector<const Kernel *> all_kernels(const std::vector<HeaderEntry> &entries) {
    std::vector<const Kernel *> all;
    for (const HeaderEntry &entry : entries) {
        if (entry.on_cpu()) all.push_back(&entry.kernel);
        for (const Kernel &variant : entry.variants) all.push_back(&variant);
        for (const Kernel &kernel : entry.on_gpu) all.push_back(&kernel);
    }
    return all;
}

void add_listings(const CompileJob &job, std::vector<OutputFile> &files) {
    static constexpr std::array<std::array<std::string_view, 2>, 4> suffixes{
        {{"asm", ".s"}, {"llvm", ".ll"}, {"stmt", ".stmt"}, {"stmt_html", ".stmt.html"}}};
    for (const auto &[kind, suffix] : suffixes) {
        const auto text = job.listings.texts.find(std::string(kind));
        if (text == job.listings.texts.end()) continue;
        files.push_back({job.symbol + std::string(suffix), text->second});
    }
    // A file for each group of stages: a driver takes them one by one.
    const std::vector<DeviceCode> &device = job.listings.device_code;
    const char *suffix = job.plan->target.gpu == Gpu::cuda ? "ptx" : "cl";
    for (size_t i = 0; i < device.size() && job.plan->target.on_gpu(); i++) {
        const std::string group = device.size() > 1 ? fmt::format("{}.", i) : "";
        files.push_back({fmt::format("{}.{}{}", job.symbol, group, suffix), device[i].text});
    }
}

// Everything that was asked for, in memory: nothing is written until all of it is there.
Result<std::vector<OutputFile>> make_files(const Options &options, const std::string &library, const Target &target,
                                           const std::vector<CompileJob> &jobs,
                                           const std::vector<HeaderEntry> &entries) {
    std::vector<OutputFile> files;
    for (const CompileJob &job : jobs) add_listings(job, files);
    const std::vector<const Kernel *> kernels = all_kernels(entries);
    if (emits(options, "object")) {
        for (const Kernel *kernel : kernels) {
            for (const ObjectFile &object : kernel->objects) files.push_back({object.name, object.bytes});
        }
        const bool with_gpu =
            std::any_of(jobs.begin(), jobs.end(), [](const CompileJob &job) { return job.plan->target.on_gpu(); });
        if (const auto runtime = kernel_runtime(target, with_gpu)) {
            for (const ObjectFile &file : *runtime) files.push_back({file.name, file.bytes});
        }
    }
    if (emits(options, "header")) files.push_back({library + ".h", write_header(library, entries)});
    if (emits(options, "archive")) {
        Result<std::string> archive = write_archive(kernels, target);
        if (!archive) return archive.error();
        files.push_back({"lib" + library + ".a", std::move(*archive)});
    }
    return files;
}

Result<std::vector<OutputFile>> compile(Console &console, const Options &options, const Program &program,
                                        const PlansByTarget &plans) {
    const Result<std::vector<ParameterValues>> weights = read_weights(options, plans.front());
    if (!weights) return weights.error();
    std::vector<CompileJob> jobs = make_jobs(options, plans, *weights);
    const Result<std::vector<Kernel>> kernels = [&] {
        Progress progress(console, "compiling", jobs.size());
        return compile_all(jobs, options.jobs > 0 ? options.jobs : kernel_threads(), progress);
    }();
    if (!kernels) return kernels.error();
    const Result<std::vector<HeaderEntry>> entries = gather(jobs, *kernels, plans.size(), on_cpus(plans));
    if (!entries) return entries.error();
    return make_files(options, library_name(program), plans.front().front().target, jobs, *entries);
}

// Before anything is compiled: is there all that the files asked for will need?
Status check_runtime(const Options &options, const Target &target) {
    if (!emits(options, "archive")) return {};
    const auto runtime = kernel_runtime(target);
    return runtime ? Status() : Status(runtime.error());
}

Status write(const Options &options, const std::vector<OutputFile> &files) {
    if (Status status = make_directory(options.directory); !status) return status;
    for (const OutputFile &file : files) {
        const Status status = write_file(std::filesystem::path(options.directory) / file.name, file.bytes);
        if (!status) return status;
    }
    return {};
}

int run(Console &console, const Options &options) {
    if (Status status = check_emit(options); !status) return console.fail(status.error());
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<std::vector<Target>> targets = read_targets(options.targets);
    if (!targets) return console.fail(targets.error());
    const auto is_gpu = [](const Target &target) { return target.on_gpu(); };
    if (emits(options, "ptx") && std::none_of(targets->begin(), targets->end(), is_gpu)) {
        return console.fail({Failure::usage, "--emit ptx is for GPU targets, such as --target cuda-sm_80"});
    }
    if (Status status = check_runtime(options, targets->front()); !status) return console.fail(status.error());
    const Result<Program> program = session->check(options.file);
    if (!program) return console.fail(program.error());
    const Result<PlansByTarget> plans = plan_all(*session, *program, *targets);
    if (!plans) return console.fail(plans.error());
    if (options.require_tuned) {
        if (Status status = check_tuned(console, *program, *plans); !status) return console.fail(status.error());
    }
    const Result<std::vector<OutputFile>> files = compile(console, options, *program, *plans);
    if (!files) return console.fail(files.error());
    const Status written = write(options, *files);
    return written ? 0 : console.fail(written.error());
}

}  // namespace

void add_compile(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb =
        new_verb(program, "compile", "write a static library of kernels and its C header",
                 {"compile net.conv -o out              # out/libnet.a and out/net.h",
                  "compile net.conv -o out --target x86-64-linux-sse41,x86-64-linux-avx2-fma",
                  "compile net.conv -o out --target host,cuda-sm_80",
                  "compile net.conv:stem -o out --weights weights.npz", "compile net.conv -o out --emit asm,stmt"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->file, "a .conv file, FILE:LAYER, or a layer in quotes")->required();
    verb->add_option("-o", options->directory, "where the files go; made where it is missing")->type_name("DIR");
    verb->add_option("--target", options->targets,
                     "host, an instruction set such as x86-64-linux-avx2-fma (of several, the library chooses the best "
                     "that runs), cuda-sm_80 or opencl")
        ->type_name("T[,T...]")
        ->delimiter(',')
        ->allow_extra_args(false);
    verb->add_option("--emit", options->emit, "of object, archive, header, asm, llvm, stmt, stmt_html, ptx")
        ->type_name("KIND[,KIND...]")
        ->delimiter(',')
        ->allow_extra_args(false);
    verb->add_option("--weights", options->weights,
                     "make these weights constants: a directory of .npy, an .npz or a .safetensors")
        ->type_name("PATH");
    verb->add_option("-j", options->jobs, "layers compiled at once; without it one a CPU")
        ->type_name("N")
        ->check(CLI::Range(1, 1024).description(""));
    verb->add_flag("--require-tuned", options->require_tuned,
                   "write nothing, and exit 5, where a layer has no tuned or pinned schedule for a target");
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
