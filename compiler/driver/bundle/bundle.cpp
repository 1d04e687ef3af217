#include "compiler/driver/bundle/bundle.h"

#include <fmt/format.h>
#include <llvm/Support/Program.h>

#include <algorithm>
#include <array>
#include <set>

#include "compiler/codegen/codegen.h"
#include "compiler/codegen/convc_header_text.h"
#include "compiler/driver/bundle/bundle_texts.h"
#include "compiler/driver/bundle/table_source.h"
#include "compiler/driver/files.h"
#include "compiler/driver/progress.h"
#include "compiler/measure/fma_peak.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "compiler/tune/kernel_ranges.h"
#include "compiler/tune/schedule_search.h"
#include "compiler/tune/stages_of_layer.h"
#include "compiler/tune/trial_runner.h"
#include "runtime/kernel_cache.h"

namespace convc {
namespace {

constexpr const char *driver_file = "driver.c";  // written first: a folder with it is a bundle, or was to be one
constexpr const char *table_file = "candidates.c";
constexpr const char *library_file = "libcandidates.a";
constexpr const char *script_file = "build.sh";
constexpr const char *program_file = "tune";

Error interrupted() {
    return {Failure::environment, "interrupted: no bundle was written"};
}

// ---- the candidates ----

// A layer's trials are shared out over the runs of its stages that one kernel computes, as tune_layer() does it.
class PartChooser {
public:
    PartChooser(const Layer &layer, const BundleOptions &options) : layer_(layer), options_(options) {}

    Status choose(std::vector<BundlePart> &parts, std::set<std::string> &lines) {
        constexpr int fewest = 2;  // the default and another
        const std::vector<StageRange> ranges = kernel_ranges(layer_, options_.target);
        int trials = options_.trials;
        for (size_t i = 0; i < ranges.size(); i++) {
            const int share = std::max(trials / static_cast<int>(ranges.size() - i), fewest);
            trials -= share;
            if (Status status = add(ranges[i], share, parts, lines); !status) return status;
        }
        // Where no kernel computes all of it, the default is still worth a measurement.
        return add({0, static_cast<int>(layer_.stages.size())}, 1, parts, lines);
    }

private:
    Status add(const StageRange &range, int trials, std::vector<BundlePart> &parts, std::set<std::string> &lines) {
        const Layer part = stages_of_layer(layer_, range.first, range.count);
        if (!lines.insert(part.canonical_line()).second) return {};
        const Result<Plan> standard = make_plan(part, options_.target);
        if (!standard) return standard.error();
        parts.push_back({name_of(range), part, {}, {}});
        for (const std::string &schedule : schedules_of(*standard, trials)) {
            parts.back().candidates.push_back({schedule, {}, {}});
        }
        return {};
    }

    std::string name_of(const StageRange &range) const {
        if (range.count == static_cast<int>(layer_.stages.size())) return layer_.name;
        if (range.count == 1) return fmt::format("{}, stage {}", layer_.name, range.first);
        return fmt::format("{}, stages {} to {}", layer_.name, range.first, range.first + range.count - 1);
    }

    // The default, and what a search that knows no times yet would ask for.
    std::vector<std::string> schedules_of(const Plan &standard, int trials) const {
        std::vector<std::string> all{print_schedules(standard.schedules())};
        if (trials == 1) return all;
        const StageGroup group{&standard.layer, 0, static_cast<int>(standard.layer.stages.size())};
        ScheduleSearch search(group, options_.target, {}, 1);
        while (static_cast<int>(all.size()) < trials) {
            const auto schedule = search.next();
            if (!schedule) break;
            if (std::string text = print_schedule(*schedule); text != all[0]) all.push_back(std::move(text));
        }
        return all;
    }

    const Layer &layer_;
    const BundleOptions &options_;
};

Result<std::vector<BundlePart>> choose_parts(const std::vector<Layer> &layers, const BundleOptions &options) {
    std::vector<BundlePart> parts;
    std::set<std::string> lines;
    for (const Layer &layer : layers) {
        if (Status status = PartChooser(layer, options).choose(parts, lines); !status) return status.error();
    }
    return parts;
}

// ---- their kernels ----

class KernelMaker {
public:
    KernelMaker(const BundleOptions &options, Progress &progress)
        : options_(options),
          progress_(progress),
          folder_(options.scratch / "kernels"),
          runner_({.worker = options.worker, .folder = folder_, .limits = {}, .compilers = kernel_threads()}) {}

    // A candidate that cannot be compiled is one that failed; the default has to be there.
    Status compile(size_t index, BundlePart &part) {
        const Result<KernelCache> cache = KernelCache::open(folder_);
        if (!cache) return cache.error();
        runner_.prepare(part.layer, options_.target, part.candidates[0].schedule);
        // A few at a time, so that the progress is seen.
        const auto step = static_cast<size_t>(4 * kernel_threads());
        for (size_t begin = 0; begin < part.candidates.size(); begin += step) {
            const size_t end = std::min(begin + step, part.candidates.size());
            if (Status status = compile(index, part, begin, end, *cache); !status) return status;
        }
        return {};
    }

private:
    Status compile(size_t index, BundlePart &part, size_t begin, size_t end, const KernelCache &cache) {
        std::vector<std::string> schedules, symbols;
        for (size_t i = begin; i < end; i++) {
            schedules.push_back(part.candidates[i].schedule);
            symbols.push_back(fmt::format("bundle_{}_{}", index, i));
        }
        const std::vector<std::optional<Trial>> failures = runner_.compile(schedules, symbols);
        if (options_.stopped()) return interrupted();
        for (size_t i = 0; i < schedules.size(); i++) {
            BundleCandidate &candidate = part.candidates[begin + i];
            progress_.advance(part.name);
            if (failures[i]) {
                candidate.failure = *failures[i];
                if (begin + i == 0) return no_default(part);
                continue;
            }
            candidate.kernel = cache.find({symbols[i], part.layer.canonical_line(), candidate.schedule,
                                           options_.target.full_name(), build_identity()});
            if (!candidate.kernel) {
                return Error{Failure::environment,
                             fmt::format("cannot keep kernels in '{}'; is there space left?", folder_.string())};
            }
        }
        return {};
    }

    static Error no_default(const BundlePart &part) {
        const Trial &failure = part.candidates[0].failure;
        return {Failure::internal,
                fmt::format("the default schedule {} of {} {}: {}", part.candidates[0].schedule,
                            part.layer.canonical_line(), outcome_name(failure.outcome), failure.reason)};
    }

    const BundleOptions &options_;
    Progress &progress_;
    std::filesystem::path folder_;
    TrialRunner runner_;
};

Status compile_parts(Console &console, std::vector<BundlePart> &parts, const BundleOptions &options) {
    size_t candidates = 0;
    for (const BundlePart &part : parts) candidates += part.candidates.size();
    Progress progress(console, "compiling", candidates);
    KernelMaker maker(options, progress);
    for (size_t i = 0; i < parts.size(); i++) {
        if (Status status = maker.compile(i, parts[i]); !status) return status;
    }
    return {};
}

// ---- what they shall compute ----

Status compute_parts(Console &console, std::vector<BundlePart> &parts, const BundleOptions &options) {
    Progress progress(console, "computing what is right", parts.size());
    for (BundlePart &part : parts) {
        if (options.stopped()) return interrupted();
        Result<BundleData> data = make_bundle_data(part.layer);
        if (!data) return data.error();
        part.data = *std::move(data);
        progress.advance(part.name);
    }
    return {};
}

// ---- the folder ----

std::string script_of(const Target &target) {
    return fmt::format(
        "#!/bin/sh\n"
        "# Builds ./{} of this bundle. CC is a C compiler for {}; nothing else is needed.\n"
        "set -e\n"
        "cd \"$(dirname \"$0\")\"\n"
        "${{CC:-cc}} -std=c99 -O2 -I.{} {} trial.c {} {} -pthread -lm{} -o {}\n",
        program_file, target.on_gpu() ? target.architecture() : target.name(),
        target.on_gpu() ? (target.gpu == Gpu::cuda ? " -DBUNDLE_CUDA" : " -DBUNDLE_OPENCL") : "", driver_file,
        table_file, library_file, target.on_gpu() ? " -ldl" : "", program_file);
}

// Another's files are not to be written over.
Status check_folder(const std::filesystem::path &folder) {
    std::error_code error;
    if (!std::filesystem::exists(folder, error)) return {};
    if (!std::filesystem::is_directory(folder, error)) {
        return Error{Failure::environment, fmt::format("'{}' is not a folder", folder.string())};
    }
    if (std::filesystem::is_empty(folder, error)) return {};
    const std::string_view first_line = bundle_driver_text.substr(0, bundle_driver_text.find('\n'));
    const Result<std::string> driver = read_file(folder / driver_file);
    if (driver && driver->starts_with(first_line)) return {};
    return Error{Failure::environment, fmt::format("'{}' is not empty, and no earlier bundle is in it; name another "
                                                   "folder",
                                                   folder.string())};
}

Result<std::string> library_of(const std::vector<BundlePart> &parts, const Target &target) {
    std::vector<const Kernel *> kernels;
    for (const BundlePart &part : parts) {
        for (const BundleCandidate &candidate : part.candidates) {
            if (candidate.kernel) kernels.push_back(&*candidate.kernel);
        }
    }
    return write_archive(kernels, target);
}

Status write_folder(const std::vector<BundlePart> &parts, const BundleOptions &options) {
    const Result<std::string> library = library_of(parts, options.target);
    if (!library) return library.error();
    const std::string script = script_of(options.target);
    const std::string table = table_source(parts, options.target, build_identity());
    const std::array<std::pair<const char *, std::string_view>, 10> files{{{driver_file, bundle_driver_text},
                                                                           {"trial.c", bundle_trial_text},
                                                                           {"trial.h", bundle_trial_header_text},
                                                                           {"bundle_table.h", bundle_table_header_text},
                                                                           {"convc/convc.h", convc_header_text},
                                                                           {"convc/gpu.h", convc_gpu_header_text},
                                                                           {"device.h", bundle_device_header_text},
                                                                           {script_file, script},
                                                                           {library_file, *library},
                                                                           {table_file, table}}};
    if (Status status = make_directory(options.folder); !status) return status;
    // An earlier bundle is none any more, until all of this one is there.
    for (const char *file : {program_file, table_file}) {
        std::error_code error;
        std::filesystem::remove(options.folder / file, error);
        if (error) {
            return Error{Failure::environment,
                         fmt::format("cannot remove '{}': {}", (options.folder / file).string(), error.message())};
        }
    }
    for (const auto &[name, text] : files) {
        const std::filesystem::path path = options.folder / name;
        if (Status status = make_directory(path.parent_path()); !status) return status;
        if (Status status = write_file(path, text); !status) return status;
    }
    return {};
}

// Whether there is a program now. A machine without a C compiler is no failure: the other one may have one.
bool build_program(const std::filesystem::path &folder) {
    const auto shell = llvm::sys::findProgramByName("sh");
    if (!shell) return false;
    const std::string script = (folder / script_file).string();
    const llvm::StringRef nowhere;  // /dev/null
    return llvm::sys::ExecuteAndWait(*shell, {"sh", script}, std::nullopt, {nowhere, nowhere, nowhere}) == 0;
}

void say_what_is_there(Console &console, const std::vector<BundlePart> &parts, const BundleOptions &options) {
    size_t candidates = 0, failures = 0;
    for (const BundlePart &part : parts) {
        candidates += part.candidates.size();
        for (const BundleCandidate &candidate : part.candidates) failures += candidate.kernel ? 0 : 1;
    }
    const bool is_built =
        options.target.architecture() == host_target().architecture() && build_program(options.folder);
    console.print(
        fmt::format("{}: {} candidates of {} layers and parts of layers for {}, {} of them not compiled\n"
                    "copy it there; in it, {}./{}; then, here: convc db import DB results.jsonl\n",
                    options.folder.string(), candidates, parts.size(), options.target.full_name(), failures,
                    is_built ? "" : fmt::format("sh {}; ", script_file), program_file));
}

}  // namespace

Status write_bundle(Console &console, const std::vector<Layer> &layers, const BundleOptions &options) {
    if (Status status = check_folder(options.folder); !status) return status;
    if (const auto runtime = kernel_runtime(options.target); !runtime) return runtime.error();
    Result<std::vector<BundlePart>> parts = choose_parts(layers, options);
    if (!parts) return parts.error();
    if (Status status = compile_parts(console, *parts, options); !status) return status;
    if (Status status = compute_parts(console, *parts, options); !status) return status;
    if (Status status = write_folder(*parts, options); !status) return status;
    say_what_is_there(console, *parts, options);
    return {};
}

}  // namespace convc
