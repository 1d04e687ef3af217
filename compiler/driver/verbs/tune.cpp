// convc tune: searches schedules, and writes the winners beside the file.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <regex>
#include <string_view>

#include "compiler/codegen/codegen.h"
#include "compiler/driver/bundle/bundle.h"
#include "compiler/driver/duration.h"
#include "compiler/driver/files.h"
#include "compiler/driver/progress.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/driver/tuning/report_data.h"
#include "compiler/driver/tuning/scratch_folder.h"
#include "compiler/driver/tuning/tune_display.h"
#include "compiler/driver/tuning/tune_jobs.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/plan/host_target.h"
#include "compiler/tune/tune_layer.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::vector<std::string> files;
    std::string budget, effort, only, database, shard = "1/1", target = "host", output, bundle, report;
    std::vector<std::string> worker{"/proc/self/exe", "trial-worker"};
    int trials = 0, threads = 0;
};

// Set by the first interrupt: what was found is written. A second one ends the program.
std::atomic<bool> interrupted = false;

extern "C" void interrupt(int signal) {
    constexpr std::string_view text =
        "\ninterrupted: the trial under way is the last one; a second interrupt ends at once\n";
    (void)!::write(STDERR_FILENO, text.data(), text.size());
    interrupted = true;
    (void)std::signal(signal, SIG_DFL);
}

int trials_of(const Options &options) {
    constexpr int quick = 40, normal = 160, all = 1'000'000;
    if (options.trials > 0) return options.trials;
    if (options.effort.empty()) return options.budget.empty() ? normal : all;
    return options.effort == "quick" ? quick : options.effort == "normal" ? normal : all;
}

// As the `schedule` statements name it: for this machine exactly; for a target that was named, as it was.
std::string written_target(const Options &options, const Target &target) {
    if (options.target == "host") return target.full_name();
    return options.threads > 0 ? target.full_name() : options.target;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class TuneRun {
public:
    TuneRun(Session &session, const Options &options, const Target &target, TrialRunner &runner,
            TrialDatabase &database, double budget)
        : session_(session),
          options_(options),
          target_(target),
          runner_(runner),
          database_(database),
          budget_(budget),
          roofs_(measure_roofs(target)) {}

    Status tune(std::vector<TuneJob> jobs) {
        for (TuneJob &job : jobs) job.roof_seconds = roofline_seconds(job.layer(), roofs_);
        std::vector<TuneJob> waiting = first_of_each_line(jobs);
        if (Status status = time_defaults(waiting); !status) return status;
        session_.console().print(tune_head());
        std::fflush(stdout);
        Status status;
        for (const TuneJob &job : jobs) {
            if (interrupted) break;
            status = tune(job, waiting);
            if (!status) break;
        }
        // Of what was done before an error, too.
        session_.console().print(tune_summary(all_, seconds_since(begin_)));
        const Status written = write_report();
        return status ? written : status;
    }

private:
    // Which is what the budget is shared out by.
    Status time_defaults(std::vector<TuneJob> &jobs) {
        if (options_.budget.empty()) return {};
        Progress progress(session_.console(), "timing the defaults", jobs.size());
        for (TuneJob &job : jobs) {
            if (interrupted) break;
            if (Status status = time_default(job, target_, runner_); !status) return status;
            progress.advance(job.layer().name);
        }
        return {};
    }

    Status tune(const TuneJob &job, std::vector<TuneJob> &waiting) {
        const std::string line = job.layer().canonical_line();
        if (!done_.contains(line)) {
            // What an earlier layer did not need, those behind it share.
            const double seconds = (budget_ - seconds_since(begin_)) * time_shares(waiting).front();
            waiting.erase(waiting.begin());
            const TuneBar bar(session_.console(), job.layer().name, roofs_, seconds);
            Result<TunedLayer> tuned = tune_layer(job.layer(), target_, runner_, database_, layer_options(job, seconds),
                                                  [&](const TuneProgress &progress) { bar.show(progress); });
            if (!tuned) return tuned.error();
            done_[line] = all_.size();
            all_.push_back(std::move(*tuned));
        }
        const TunedLayer &tuned = all_[done_[line]];
        if (done_.size() > reported_.size()) reported_.push_back(reported_layer(job, tuned, target_));
        session_.console().print(tune_row(job, tuned));
        std::fflush(stdout);
        return keep(job, {job.layer().name, written_target(options_, target_), tuned.schedules});
    }

    TuneOptions layer_options(const TuneJob &job, double seconds) const {
        TuneOptions options;
        options.trials = trials_of(options_);
        options.seconds = seconds;
        options.machine = machine_name();
        options.build = build_identity();
        options.incumbent = schedules_in_effect(*job.program, job.layer(), target_);
        options.stopped = [] { return interrupted.load(); };
        return options;
    }

    // After every layer: whatever happens next, this one is on disk.
    Status keep(const TuneJob &job, const FoundSchedule &found) {
        if (!options_.output.empty()) return add_to_statements(options_.output, found);
        if (job.program->is_line || job.program->file.name == "<stdin>") return {};
        return add_to_schedules_file(session_, job.argument, found);
    }

    Status write_report() const {
        if (options_.report.empty()) return {};
        TuneReport report = report_of_machine(target_, roofs_);
        report.seconds = seconds_since(begin_);
        report.budget = options_.budget.empty() ? 0 : budget_;
        report.layers = reported_;
        return write_file(options_.report, tune_report_page(report));
    }

    Session &session_;
    const Options &options_;
    const Target &target_;
    TrialRunner &runner_;
    TrialDatabase &database_;
    const double budget_;
    const MachineRoofs roofs_;
    const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::vector<TunedLayer> all_;
    std::map<std::string, size_t> done_;  // canonical line to place in all_: a network repeats its layers
    std::vector<ReportedLayer> reported_;
};

Result<std::vector<TuneJob>> choose_jobs(const std::vector<Program> &programs, const Options &options) {
    const Result<Shard> shard = read_shard(options.shard);
    if (!shard) return shard.error();
    std::vector<TuneJob> jobs;
    try {
        const std::regex only(options.only);
        size_t number = 0;
        for (size_t i = 0; i < programs.size(); i++) {
            for (const CheckedLayer *checked : programs[i].selected) {
                if (!options.only.empty() && !std::regex_search(checked->layer.name, only)) continue;
                if (shard->holds(number++)) jobs.push_back({&programs[i], checked, options.files[i], 0, 0});
            }
        }
    } catch (const std::regex_error &error) {
        return Error{Failure::usage,
                     fmt::format("--only '{}' is no regular expression: {}", options.only, error.what())};
    }
    if (jobs.empty() && shard->of == 1) return Error{Failure::usage, "no layer is left to tune"};
    return jobs;
}

// For a machine that has no convc.
Status bundle(Console &console, const Options &options, const std::vector<TuneJob> &jobs, const std::string &scratch) {
    const Result<Target> target = resolve_target(options.target);
    if (!target) return target.error();
    std::vector<Layer> layers;
    layers.reserve(jobs.size());
    for (const TuneJob &job : jobs) layers.push_back(job.layer());
    return write_bundle(console, layers, {options.bundle, *target, trials_of(options), options.worker, scratch, [] {
                                              return interrupted.load();
                                          }});
}

Status tune(Session &session, const Options &options, std::vector<TuneJob> jobs, const std::string &scratch) {
    const Result<double> budget =
        options.budget.empty() ? Result<double>(1e12) : read_duration("--budget", options.budget);
    if (!budget) return budget.error();
    const Result<Target> target = read_tuning_target(options.target, options.threads);
    if (!target) return target.error();
    Result<TrialDatabase> database =
        TrialDatabase::open(options.database.empty() ? scratch + "/trials.db" : options.database);
    if (!database) return database.error();
    TrialRunner runner({.worker = options.worker,
                        .folder = scratch + "/kernels",
                        .limits = {},
                        .compilers = host_target().threads,
                        .cpus = target->threads});
    return TuneRun(session, options, *target, runner, *database, *budget).tune(std::move(jobs));
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<std::vector<Program>> programs = session->check_all(options.files);
    if (!programs) return console.fail(programs.error());
    Result<std::vector<TuneJob>> jobs = choose_jobs(*programs, options);
    if (!jobs) return console.fail(jobs.error());
    const ScratchFolder scratch;
    if (scratch.path().empty()) return console.fail({Failure::environment, "cannot make a folder for kernels"});
    (void)std::signal(SIGPIPE, SIG_IGN);
    (void)std::signal(SIGINT, interrupt);
    (void)std::signal(SIGTERM, interrupt);
    if (std::signal(SIGHUP, interrupt) == SIG_IGN) (void)std::signal(SIGHUP, SIG_IGN);  // as nohup wants it
    const Status status = options.bundle.empty() ? tune(*session, options, std::move(*jobs), scratch.path())
                                                 : bundle(console, options, *jobs, scratch.path());
    return status ? 0 : console.fail(status.error());
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
    verb->add_option("--effort", options->effort,
                     "quick (40 trials a layer), normal (160, what it is without a budget) or exhaustive (all)")
        ->check(CLI::IsMember({"quick", "normal", "exhaustive"}).description(""));
    verb->add_option("--target", options->target, "host, or another one whose code this machine runs; of a bundle, any")
        ->type_name("T");
    verb->add_option("--threads", options->threads, "of the kernels; without it, all CPUs or what the target says")
        ->type_name("N")
        ->check(CLI::Range(1, 4096).description(""));
    verb->add_option("--shard", options->shard, "2/8: of 8 runs, the one that takes every eighth layer from the second")
        ->type_name("I/N");
    verb->add_option("-o,--output", options->output,
                     "where the schedules go, in place of NAME.schedules beside the file")
        ->type_name("PATH");
    verb->add_option("--only", options->only, "layers whose name has a match of it")->type_name("REGEX");
    verb->add_option("--database", options->database, "keeps the trials, and goes on where an earlier run ended")
        ->type_name("PATH");
    verb->add_option("--bundle", options->bundle,
                     "write the candidates as a C program, to be timed where there is no convc")
        ->type_name("DIR");
    verb->add_option("--report", options->report, "an HTML page of the search: its progress, the knobs, the roofline")
        ->type_name("FILE");
    // For tests: what answers in place of convc trial-worker.
    verb->add_option("--worker", options->worker)->group("");
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
