// The verbs of the command line, each in a file of its own. A function adds its verb to the command line; what it hands
// over runs once the command line has been understood, and returns the exit status.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "compiler/driver/console.h"
#include "compiler/driver/session.h"

namespace convc {

using VerbAction = std::function<int(Console &)>;

// Set by the verb that the command line chose.
struct ChosenVerb {
    VerbAction action;
};
void set_action(CLI::App &verb, ChosenVerb &chosen, VerbAction action);

// A verb's place on the command line. `examples` are shown by its --help, each indented by two spaces.
CLI::App *new_verb(CLI::App &program, const std::string &name, const std::string &does,
                   const std::vector<std::string> &examples);

// --let and --diagnostics, which every verb that reads layers has.
struct CommonOptions {
    SourceOptions source;
    std::string diagnostics = "text";
};
void add_common_options(CLI::App &verb, CommonOptions &options);

// --target T: one that this machine runs, or, where nothing is run, any.
void add_target_option(CLI::App &verb, std::string &target);

// The usual head of an action: --diagnostics, --let, then the session.
Result<Session> open_session(Console &console, const CommonOptions &options);

// Laid out for people too; bytes that are not UTF-8 (of a path) are replaced.
std::string print_json(const nlohmann::ordered_json &value);

void add_bench(CLI::App &program, ChosenVerb &chosen);
void add_cache(CLI::App &program, ChosenVerb &chosen);
void add_check(CLI::App &program, ChosenVerb &chosen);
void add_compile(CLI::App &program, ChosenVerb &chosen);
void add_db(CLI::App &program, ChosenVerb &chosen);
void add_doctor(CLI::App &program, ChosenVerb &chosen);
void add_explain(CLI::App &program, ChosenVerb &chosen);
void add_fmt(CLI::App &program, ChosenVerb &chosen);
void add_run(CLI::App &program, ChosenVerb &chosen);
void add_split(CLI::App &program, ChosenVerb &chosen);
void add_trial_worker(CLI::App &program, ChosenVerb &chosen);
void add_tune(CLI::App &program, ChosenVerb &chosen);

}  // namespace convc
