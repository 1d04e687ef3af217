#include "compiler/driver/verbs/verb.h"

#include <nlohmann/json.hpp>

namespace convc {

CLI::App *new_verb(CLI::App &program, const std::string &name, const std::string &does,
                   const std::vector<std::string> &examples) {
    CLI::App *verb = program.add_subcommand(name, does);
    verb->group("Verbs");
    std::string footer = "Examples:";
    for (const std::string &example : examples) footer += "\n  convc " + example;
    verb->footer(footer);
    return verb;
}

void set_action(CLI::App &verb, ChosenVerb &chosen, VerbAction action) {
    verb.callback([&chosen, action = std::move(action)] { chosen.action = action; });
}

void add_common_options(CLI::App &verb, CommonOptions &options) {
    verb.add_option("--let", options.source.lets, "the value of a `let`, whatever the file says")
        ->type_name("NAME=INTEGER")
        ->allow_extra_args(false);
    verb.add_option("--diagnostics", options.diagnostics, "how to say what is wrong, on standard error")
        ->check(CLI::IsMember({"text", "json"}))
        ->option_text("text|json");
}

void add_target_option(CLI::App &verb, std::string &target) {
    verb.add_option("--target", target, "host, or another one: cuda, opencl, an instruction set")->type_name("T");
}

Result<Session> open_session(Console &console, const CommonOptions &options) {
    if (options.diagnostics == "json") console.diagnostic_format = DiagnosticFormat::json;
    Result<std::vector<LetOverride>> lets = read_lets(options.source.lets);
    if (!lets) return lets.error();
    return Session(console, std::move(*lets));
}

std::string print_json(const nlohmann::ordered_json &value) {
    return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace convc
