#include "compiler/driver/command_line.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <optional>

#include "compiler/driver/console.h"
#include "compiler/driver/files.h"
#include "compiler/driver/verbs/verb.h"

namespace convc {
namespace {

// A closed standard stream would be the next file that is opened, and results would be written into it. Each is opened
// the wrong way round, so that using it is the error that it was.
void keep_standard_streams_open() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) == -1) (void)::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

void describe(CLI::App &program) {
    program.name("convc");
    program.set_version_flag("--version", "convc " CONVC_VERSION);
    program.require_subcommand(1);
    program.get_formatter()->label("SUBCOMMAND", "VERB ...");
    program.get_formatter()->label("TEXT", "");
    program.footer(
        "convc VERB --help says more, with examples.\n"
        "\n"
        "Exit status: 0 done; 1 the input is wrong; 2 usage; 3 the environment (files, devices, memory);\n"
        "4 a bug of convc's; 5 compile --require-tuned is not met. Results go to standard output, everything else to "
        "standard error.");
}

// Results of the parser itself: help and version are results, the rest is wrong usage.
int explain_usage(const CLI::App &program, const CLI::ParseError &error, Console &console) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
        program.exit(error, std::cout, std::cerr);
        std::cout.flush();
        if (std::cout) return console.finish(0);
        return console.fail({Failure::environment, "cannot write to standard output"});
    }
    std::string help = "convc";
    for (const CLI::App *verb = &program; !verb->get_subcommands().empty();) {
        verb = verb->get_subcommands().front();
        help += " " + verb->get_name();
    }
    return console.fail({Failure::usage, fmt::format("{}; see {} --help", error.what(), help)});
}

// CLI11 would only say that a subcommand is missing.
std::optional<Error> unknown_verb(const CLI::App &program, int argc, char **argv) {
    std::vector<const CLI::App *> verbs = program.get_subcommands(nullptr);
    std::string name = "convc";
    for (int i = 1; i < argc && !verbs.empty() && argv[i][0] != '-'; i++) {
        const auto is_named = [&](const CLI::App *verb) { return verb->get_name() == argv[i]; };
        const auto found = std::find_if(verbs.begin(), verbs.end(), is_named);
        if (found == verbs.end()) {
            return Error{Failure::usage, fmt::format("there is no verb '{}'; see {} --help", argv[i], name)};
        }
        verbs = (*found)->get_subcommands(nullptr);
        name += fmt::format(" {}", argv[i]);
    }
    return std::nullopt;
}

int parse_and_run(int argc, char **argv, Console &console) {
    CLI::App program("Compiles descriptions of convolution layers into kernels.");
    describe(program);
    ChosenVerb chosen;
    // In the order in which --help lists them.
    add_check(program, chosen);
    add_fmt(program, chosen);
    add_explain(program, chosen);
    add_split(program, chosen);
    add_compile(program, chosen);
    add_run(program, chosen);
    add_bench(program, chosen);
    add_tune(program, chosen);
    add_db(program, chosen);
    add_cache(program, chosen);
    add_doctor(program, chosen);
    add_trial_worker(program, chosen);
    if (const auto error = unknown_verb(program, argc, argv)) return console.fail(*error);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
        return explain_usage(program, error, console);
    }
    return console.finish(chosen.action(console));
}

}  // namespace

// The libraries below do not throw; memory may still run out, and a bug of a dependency must not end in abort().
int run_command_line(int argc, char **argv) {
    keep_standard_streams_open();
    remove_temporary_files_on_signals();
    Console console;
    try {
        return parse_and_run(argc, argv, console);
    } catch (const std::bad_alloc &) {
        return console.fail({Failure::environment, "not enough memory"});
    } catch (const std::exception &error) {
        return console.fail({Failure::internal, error.what()});
    }
}

}  // namespace convc
