// convc db: what tuners have learnt, shown, taken elsewhere, put together and thrown away.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "compiler/codegen/codegen.h"
#include "compiler/cost/table.h"
#include "compiler/driver/duration.h"
#include "compiler/driver/files.h"
#include "compiler/driver/tuning/winners.h"
#include "compiler/driver/verbs/speed_table.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/plan/host_target.h"
#include "compiler/sema/spelling.h"
#include "compiler/tune/trial_database.h"
#include "compiler/tune/trial_selection.h"
#include "compiler/tune/trial_summary.h"

namespace convc {
namespace {

using nlohmann::ordered_json;
using sema::counted;

struct Options {
    CommonOptions common;
    std::string database;
    std::vector<std::string> others;  // what is imported or merged
    std::string output;
    std::optional<std::string> layer, target, machine, build, older_than;
    std::string order = "newest";
    bool keep_build = false, failures = false, dry_run = false, json = false;
};

constexpr const char *this_build = "this";

Result<TrialSelection> read_selection(const Options &options) {
    TrialSelection selection;
    if (options.layer) {
        try {
            selection.layer.emplace(*options.layer);
        } catch (const std::regex_error &) {
            return Error{Failure::usage, fmt::format("--layer takes a regular expression, not '{}'", *options.layer)};
        }
    }
    if (options.target) {
        const Result<Target> target = resolve_target(*options.target);
        if (!target) return target.error();
        selection.target = target->full_name();
    }
    selection.machine = options.machine;
    selection.build = options.build == this_build ? build_identity() : options.build;
    if (options.keep_build) selection.other_build = build_identity();
    if (options.older_than) {
        const Result<double> age = read_duration("--older-than", *options.older_than);
        if (!age) return age.error();
        selection.finished_before = std::time(nullptr) - static_cast<int64_t>(*age);
    }
    selection.failures = options.failures;
    return selection;
}

Result<std::vector<Trial>> read_trials(const std::string &file, const TrialSelection &selection = {}) {
    const Result<TrialDatabase> database = TrialDatabase::open(file, TrialDatabase::Missing::refused);
    if (!database) return database.error();
    Result<std::vector<Trial>> trials = database->trials();
    if (!trials) return trials.error();
    return selected_of(std::move(*trials), selection);
}

Result<std::vector<Trial>> read_selected(const Options &options) {
    const Result<TrialSelection> selection = read_selection(options);
    if (!selection) return selection.error();
    return read_trials(options.database, *selection);
}

// ---- list

// Short, and still what --build finds: of a build's identity, the digest's beginning.
std::string build_label(const std::string &build) {
    if (build == build_identity()) return this_build;
    constexpr size_t longest = 12;
    const std::string program = build.substr(0, build.find(';'));
    return program.substr(program.rfind(' ') + 1).substr(0, longest);
}

std::string failures_text(const TrialSummary &summary) {
    std::string text;
    for (const auto &[outcome, count] : summary.failures) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, outcome_name(outcome));
    }
    return text;
}

std::vector<std::string> cells(const TrialSummary &summary) {
    std::vector<std::string> row{summary.target,
                                 summary.machine,
                                 build_label(summary.build),
                                 fmt::format("{:%F %R}", fmt::gmtime(summary.newest)),
                                 std::to_string(summary.trials),
                                 failures_text(summary)};
    if (!summary.best) return row;
    row.push_back(milliseconds(summary.best->seconds));
    row.push_back(fmt::format("{:.3f}", 1 / summary.best->relative));
    row.push_back(summary.best->key.schedule);
    return row;
}

// One table, so that all columns are aligned, with each layer's line over its rows.
std::string as_text(const std::vector<TrialSummary> &summaries) {
    using enum Table::Align;
    Table table({left, left, left, left, right, left, right, right, left});
    table.add_row({"target", "machine", "build", "newest (UTC)", "trials", "failures", "best ms", "gain", "schedule"});
    for (const TrialSummary &summary : summaries) table.add_row(cells(summary));
    std::istringstream rows(table.print(2));
    std::string row, text;
    std::getline(rows, row);
    text = row + "\n";
    const std::string *layer = nullptr;
    for (const TrialSummary &summary : summaries) {
        if (!layer || *layer != summary.layer) text += summary.layer + "\n";
        layer = &summary.layer;
        std::getline(rows, row);
        text += row + "\n";
    }
    return text;
}

ordered_json as_json(const std::vector<TrialSummary> &summaries) {
    ordered_json list = ordered_json::array();
    for (const TrialSummary &summary : summaries) {
        ordered_json failures = ordered_json::object();
        for (const auto &[outcome, count] : summary.failures) failures[outcome_name(outcome)] = count;
        ordered_json object{{"layer", summary.layer}, {"target", summary.target}, {"machine", summary.machine},
                            {"build", summary.build}, {"newest", summary.newest}, {"trials", summary.trials},
                            {"failures", failures},   {"best", nullptr}};
        if (summary.best) {
            object["best"] = {{"schedule", summary.best->key.schedule},
                              {"seconds", summary.best->seconds},
                              {"relative", summary.best->relative},
                              {"workspace", summary.best->workspace}};
        }
        list.push_back(std::move(object));
    }
    return list;
}

int list(Console &console, const Options &options) {
    const Result<std::vector<Trial>> trials = read_selected(options);
    if (!trials) return console.fail(trials.error());
    const auto order = options.order == "layer" ? SummaryOrder::by_layer : SummaryOrder::newest_layer_first;
    const std::vector<TrialSummary> summaries = summarise(*trials, order);
    if (options.json) {
        console.print(print_json(as_json(summaries)));
    } else if (summaries.empty()) {
        console.note(fmt::format("{} has no such trials\n", options.database));
    } else {
        console.print(as_text(summaries));
    }
    return 0;
}

// ---- export, import, merge, prune

// To standard output, or to the file of -o.
int put_out(Console &console, const Options &options, const std::string &text) {
    if (options.output.empty()) {
        console.print(text);
        return 0;
    }
    std::error_code error;
    if (std::filesystem::equivalent(options.output, options.database, error)) {
        return console.fail(
            {Failure::usage, fmt::format("-o {} is the database itself: give another file", options.output)});
    }
    const Status written = write_file(options.output, text);
    return written ? 0 : console.fail(written.error());
}

int export_trials(Console &console, const Options &options) {
    const Result<std::vector<Trial>> trials = read_selected(options);
    if (!trials) return console.fail(trials.error());
    return put_out(console, options, print_trials(*trials));
}

Result<std::vector<Trial>> read_lines(const std::string &file) {
    const bool standard_input = file == "-";
    const Result<std::string> text = standard_input ? read_standard_input() : read_file(file);
    if (!text) return text.error();
    return parse_trials(*text, standard_input ? "<stdin>" : file);
}

// The database is not opened before everything has been read: what is wrong with any of it changes nothing.
int put_into_database(Console &console, const Options &options,
                      const std::function<Result<std::vector<Trial>>(const std::string &)> &read) {
    std::vector<Trial> all;
    for (const std::string &other : options.others) {
        const Result<std::vector<Trial>> trials = read(other);
        if (!trials) return console.fail(trials.error());
        all.insert(all.end(), trials->begin(), trials->end());
    }
    Result<TrialDatabase> database = TrialDatabase::open(options.database);
    if (!database) return console.fail(database.error());
    const Result<ImportCounts> counts = database->import(all);
    if (!counts) return console.fail(counts.error());
    console.print(fmt::format("{}: of {}, {} new, {} replaced, {} older than what was there, {} known\n",
                              options.database, counted(all.size(), "trial", "trials"), counts->added, counts->replaced,
                              counts->older, counts->known));
    return 0;
}

int import_trials(Console &console, const Options &options) {
    return put_into_database(console, options, read_lines);
}

// ---- winners

int winners(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<std::vector<Program>> programs = session->check_all(options.others);
    if (!programs) return console.fail(programs.error());
    std::vector<const Layer *> layers;
    for (const Program &program : *programs) {
        for (const CheckedLayer *checked : program.selected) layers.push_back(&checked->layer);
    }
    const Result<std::vector<Trial>> trials = read_selected(options);
    if (!trials) return console.fail(trials.error());
    const std::string text =
        fmt::format("# Found by convc tune, {:%F}; written by convc db winners.\n", fmt::gmtime(std::time(nullptr))) +
        print_winners(layers, summarise(*trials, SummaryOrder::newest_layer_first));
    return put_out(console, options, text);
}

int merge(Console &console, const Options &options) {
    return put_into_database(console, options, [](const std::string &file) { return read_trials(file); });
}

int prune(Console &console, const Options &options) {
    const Result<TrialSelection> selection = read_selection(options);
    if (!selection) return console.fail(selection.error());
    if (selection->selects_all()) {
        return console.fail(
            {Failure::usage,
             "db prune takes at least one of --layer, --target, --machine, --build, --keep-build, --older-than and "
             "--failures; to be rid of every trial, remove the file"});
    }
    const auto count = [&]() -> Result<int> {
        Result<TrialDatabase> database = TrialDatabase::open(options.database, TrialDatabase::Missing::refused);
        if (!database) return database.error();
        const auto unwanted = [&](const Trial &trial) { return selection->selects(trial); };
        if (!options.dry_run) return database->prune(unwanted);
        const Result<std::vector<Trial>> trials = database->trials();
        if (!trials) return trials.error();
        return static_cast<int>(std::count_if(trials->begin(), trials->end(), unwanted));
    }();
    if (!count) return console.fail(count.error());
    console.print(fmt::format("{}: {} {}\n", options.database, counted(static_cast<size_t>(*count), "trial", "trials"),
                              options.dry_run ? "would be deleted" : "deleted"));
    return 0;
}

// ---- the command line

void add_filters(CLI::App &part, Options &options) {
    part.add_option("--layer", options.layer, "trials of layers whose canonical line has a match of it")
        ->type_name("REGEX");
    part.add_option("--target", options.target,
                    "of this target: host, a full name, or an instruction set for any CPU model and threads")
        ->type_name("T");
    part.add_option("--machine", options.machine, "of the machine with this name")->type_name("NAME");
    part.add_option("--build", options.build,
                    "of builds of convc whose identity has this part; `this` is the one that runs")
        ->type_name("PART");
}

using Action = int (*)(Console &, const Options &);

// A verb of db's own, with options of its own.
CLI::App *add_part(CLI::App &db, ChosenVerb &chosen, const std::shared_ptr<Options> &options, Action action,
                   const std::string &name, const std::string &does, const std::vector<std::string> &examples) {
    CLI::App *part = new_verb(db, name, does, examples);
    part->add_option("DATABASE", options->database, "a file that convc tune --database writes")->required();
    set_action(*part, chosen, [options, action](Console &console) { return action(console, *options); });
    return part;
}

void add_list(CLI::App &db, ChosenVerb &chosen) {
    auto options = std::make_shared<Options>();
    CLI::App *part = add_part(db, chosen, options, list, "list",
                              "for each layer, target, machine and build: trials, failures and the best schedule",
                              {"db list trials.db", "db list trials.db --layer depthwise --target host --build this"});
    add_filters(*part, *options);
    part->add_option("--sort", options->order, "layers with the newest trials first, or by their lines")
        ->check(CLI::IsMember({"newest", "layer"}).description(""))
        ->option_text("newest|layer");
    part->add_flag("--json", options->json, "for programs");
}

void add_export(CLI::App &db, ChosenVerb &chosen) {
    auto options = std::make_shared<Options>();
    CLI::App *part = add_part(db, chosen, options, export_trials, "export", "the trials as JSON lines",
                              {"db export trials.db -o trials.jsonl", "db export trials.db --machine \"$(hostname)\""});
    part->add_option("-o", options->output, "a file in place of standard output")->type_name("FILE");
    add_filters(*part, *options);
}

void add_import(CLI::App &db, ChosenVerb &chosen) {
    auto options = std::make_shared<Options>();
    CLI::App *part = add_part(db, chosen, options, import_trials, "import",
                              "JSON lines into the database, made where it is missing: all of them or none",
                              {"db import trials.db a.jsonl b.jsonl", "db import trials.db - < trials.jsonl"});
    part->add_option("FILE", options->others, "what db export wrote; - is standard input")->required();
}

void add_merge(CLI::App &db, ChosenVerb &chosen) {
    auto options = std::make_shared<Options>();
    CLI::App *part = add_part(db, chosen, options, merge, "merge",
                              "other databases into the database, made where it is missing: all of them or none",
                              {"db merge trials.db laptop.db server.db"});
    part->add_option("OTHER", options->others, "databases; they stay as they are")->required();
}

void add_prune(CLI::App &db, ChosenVerb &chosen) {
    auto options = std::make_shared<Options>();
    CLI::App *part = add_part(db, chosen, options, prune, "prune", "delete the trials that every option given selects",
                              {"db prune trials.db --keep-build --dry-run", "db prune trials.db --older-than 30d",
                               "db prune trials.db --failures --layer depthwise"});
    add_filters(*part, *options);
    part->add_flag("--keep-build", options->keep_build, "of other builds of convc than this one");
    part->add_option("--older-than", options->older_than, "that finished longer ago: 12h, 30d")->type_name("TIME");
    part->add_flag("--failures", options->failures, "that measured nothing");
    part->add_flag("--dry-run", options->dry_run, "delete nothing, and say how many it would be");
}

void add_winners(CLI::App &db, ChosenVerb &chosen) {
    auto options = std::make_shared<Options>();
    CLI::App *part = add_part(db, chosen, options, winners, "winners",
                              "the best schedules of layers as a .conv file: those 2 % faster than the default or more",
                              {"db winners trials.db net.conv --target host -o tuned.conv"});
    part->add_option("FILE", options->others, "the layers: .conv files, FILE:LAYER, or layers in quotes")->required();
    part->add_option("-o", options->output, "a file in place of standard output")->type_name("PATH");
    add_filters(*part, *options);
    add_common_options(*part, options->common);
}

}  // namespace

void add_db(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "db",
                              "list, export, import, merge or prune a database of tuning trials, and write its winners",
                              {"db list trials.db", "db import --help"});
    verb->require_subcommand(1);
    add_list(*verb, chosen);
    add_export(*verb, chosen);
    add_import(*verb, chosen);
    add_merge(*verb, chosen);
    add_prune(*verb, chosen);
    add_winners(*verb, chosen);
}

}  // namespace convc
