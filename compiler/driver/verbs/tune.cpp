// convc tune: searches schedules, and writes the winners beside the file.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>

#include "compiler/codegen/codegen.h"
#include "compiler/driver/bundle/bundle.h"
#include "compiler/driver/files.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/driver/verbs/speed_table.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/measure/fma_peak.h"
#include "compiler/plan/host_target.h"
#include "compiler/tune/tune_layer.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::vector<std::string> files;
    std::string budget, effort = "normal", only, database, bundle, target = "host";
    std::vector<std::string> worker{"/proc/self/exe", "trial-worker"};
    int trials = 0;
};

// Set by the first interrupt: what was found is written. A second one ends the program.
std::atomic<bool> interrupted = false;

extern "C" void interrupt(int signal) {
    interrupted = true;
    (void)std::signal(signal, SIG_DFL);
}

// A folder of the search's own, gone with it.
class ScratchFolder {
public:
    ScratchFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "convc-tune-XXXXXX").string();
        if (::mkdtemp(name.data())) path_ = name;
    }
    ~ScratchFolder() {
        std::error_code error;
        if (!path_.empty()) std::filesystem::remove_all(path_, error);
    }
    ScratchFolder(const ScratchFolder &) = delete;
    ScratchFolder &operator=(const ScratchFolder &) = delete;
    const std::string &path() const { return path_; }

private:
    std::string path_;
};

// 90, 90s, 10m, 2h as seconds.
Result<double> read_duration(const std::string &text) {
    static const std::regex form(R"((\d+(?:\.\d+)?)([smh]?))");
    std::smatch parts;
    if (!std::regex_match(text, parts, form)) {
        return Error{Failure::usage, fmt::format("--budget takes a time like 90s, 10m or 2h, not '{}'", text)};
    }
    const double unit = parts[2] == "h" ? 3600 : parts[2] == "m" ? 60 : 1;
    return std::stod(parts[1]) * unit;
}

int trials_of(const Options &options) {
    if (options.trials > 0) return options.trials;
    return options.effort == "quick" ? 40 : options.effort == "normal" ? 160 : 1'000'000;
}

std::string machine_name() {
    std::array<char, 256> name{};
    (void)::gethostname(name.data(), name.size() - 1);
    return name.data();
}

class Bar {
public:
    Bar(Console &console, std::string layer) : enabled_(console.error_is_terminal()), layer_(std::move(layer)) {}
    ~Bar() {
        if (enabled_) std::fputs("\r\033[K", stderr);
    }
    Bar(const Bar &) = delete;
    Bar &operator=(const Bar &) = delete;

    void show(const TuneProgress &progress) const {
        if (!enabled_) return;
        constexpr size_t width = 24;
        const auto filled = std::min<size_t>(width, width * static_cast<size_t>(progress.trials) /
                                                        static_cast<size_t>(std::max(progress.most_trials, 1)));
        std::fputs(fmt::format("\r\033[K{} [{:=<{}}{: <{}}] {} trials, best {:.2f} x default's time", layer_, "",
                               filled, "", width - filled, progress.trials, progress.relative)
                       .c_str(),
                   stderr);
    }

private:
    bool enabled_;
    std::string layer_;
};

struct Search {
    Console &console;
    const Options &options;
    const Target target;
    TrialRunner &runner;
    TrialDatabase &database;
    double seconds_left;
    size_t layers_left;
};

std::string row_of(const std::string &layer, const TunedLayer &tuned) {
    return fmt::format("{:<32} {:>10} {:>10} {:>7.3f} {:>7} {:>7} {:>8}  {}\n", layer,
                       milliseconds(tuned.default_seconds), milliseconds(tuned.seconds),
                       tuned.default_seconds / tuned.seconds, tuned.trials, tuned.known, tuned.failures,
                       tuned.improved ? print_schedules(tuned.schedules) : "default");
}

std::string head_row() {
    return fmt::format("{:<32} {:>10} {:>10} {:>7} {:>7} {:>7} {:>8}  {}\n", "layer", "default ms", "tuned ms", "gain",
                       "trials", "known", "failures", "schedule");
}

Status tune_program(Search &search, Program &program) {
    std::vector<FoundSchedule> found;
    const std::regex only(search.options.only);
    for (const CheckedLayer *checked : program.selected) {
        const size_t left = search.layers_left--;
        if (!search.options.only.empty() && !std::regex_search(checked->layer.name, only)) continue;
        if (interrupted) break;
        const auto begin = std::chrono::steady_clock::now();
        TuneOptions options;
        options.trials = trials_of(search.options);
        options.seconds = search.seconds_left / static_cast<double>(left);
        options.machine = machine_name();
        options.build = build_identity();
        options.stopped = [] { return interrupted.load(); };
        const Bar bar(search.console, checked->layer.name);
        const Result<TunedLayer> tuned = tune_layer(checked->layer, search.target, search.runner, search.database,
                                                    options, [&](const TuneProgress &progress) { bar.show(progress); });
        if (!tuned) return tuned.error();
        search.seconds_left -= std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        search.console.print(row_of(checked->layer.name, *tuned));
        std::fflush(stdout);
        found.push_back({checked->layer.name, search.target.full_name(), tuned->schedules});
        if (program.is_line || program.file.name == "<stdin>") continue;
        // After every layer: whatever happens next, this one is kept.
        const std::string text = with_schedules(program.schedules, program.module, found);
        if (Status status = write_file(schedules_file_of(program.file.name), text); !status) return status;
    }
    return {};
}

// For a machine that has no convc.
Status bundle(Console &console, const Options &options, const std::vector<Program> &programs,
              const std::string &scratch) {
    const Result<Target> target = resolve_target(options.target);
    if (!target) return target.error();
    std::vector<Layer> layers;
    const std::regex only(options.only);
    for (const Program &program : programs) {
        for (const CheckedLayer *checked : program.selected) {
            if (std::regex_search(checked->layer.name, only)) layers.push_back(checked->layer);
        }
    }
    return write_bundle(console, layers, {options.bundle, *target, trials_of(options), options.worker, scratch, [] {
                                              return interrupted.load();
                                          }});
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<double> budget = options.budget.empty() ? Result<double>(1e12) : read_duration(options.budget);
    if (!budget) return console.fail(budget.error());
    std::vector<Program> programs;
    size_t layers = 0;
    for (const std::string &file : options.files) {
        Result<Program> program = session->check(file);
        if (!program) return console.fail(program.error());
        layers += program->selected.size();
        programs.push_back(std::move(*program));
    }
    const ScratchFolder scratch;
    if (scratch.path().empty()) return console.fail({Failure::environment, "cannot make a folder for kernels"});
    (void)std::signal(SIGPIPE, SIG_IGN);
    (void)std::signal(SIGINT, interrupt);
    (void)std::signal(SIGTERM, interrupt);
    if (!options.bundle.empty()) {
        const Status status = bundle(console, options, programs, scratch.path());
        return status ? 0 : console.fail(status.error());
    }
    const std::string database_file = options.database.empty() ? scratch.path() + "/trials.db" : options.database;
    Result<TrialDatabase> database = TrialDatabase::open(database_file);
    if (!database) return console.fail(database.error());
    TrialRunner runner(
        {.worker = options.worker, .folder = scratch.path() + "/kernels", .limits = {}, .compilers = kernel_threads()});
    Search search{console, options, host_target(), runner, *database, *budget, layers};
    console.print(head_row());
    for (Program &program : programs) {
        if (Status status = tune_program(search, program); !status) return console.fail(status.error());
    }
    return 0;
}

}  // namespace

void add_tune(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "tune", "search for faster schedules, and write them beside the file",
                              {"tune net.conv --budget 10m", "tune net.conv:stem --trials 300 --database trials.db"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->files, "a .conv file, FILE:LAYER, or a layer in quotes")->required();
    verb->add_option("--budget", options->budget, "of the whole run: 90s, 10m, 2h")->type_name("TIME");
    verb->add_option("--trials", options->trials, "of a layer; in place of --effort")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000).description(""));
    verb->add_option("--effort", options->effort, "quick (40 trials a layer), normal (160) or exhaustive (all)")
        ->check(CLI::IsMember({"quick", "normal", "exhaustive"}).description(""));
    verb->add_option("--only", options->only, "layers whose name has a match of it")->type_name("REGEX");
    verb->add_option("--database", options->database, "keeps the trials, and goes on where an earlier run ended")
        ->type_name("PATH");
    CLI::Option *bundle = verb->add_option("--bundle", options->bundle,
                                           "write the candidates as a C program, to be timed where there is no convc")
                              ->type_name("DIR");
    verb->add_option("--target", options->target, "of a bundle: host, or a name such as arm-64-linux")
        ->type_name("T")
        ->needs(bundle);
    // For tests: what answers in place of convc trial-worker.
    verb->add_option("--worker", options->worker)->group("");
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
