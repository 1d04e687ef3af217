// convc fmt: the one layout of a file, and canonical lines.
#include <fmt/format.h>

#include "compiler/driver/files.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/syntax/formatter.h"
#include "compiler/syntax/parser.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::vector<std::string> files;
    bool check = false;
    bool one_line = false;
};

int print_lines(Session &session, const std::string &argument) {
    const Result<Program> program = session.check(argument);
    if (!program) return session.console().fail(program.error());
    for (const CheckedLayer *checked : program->selected) {
        session.console().print(checked->layer.canonical_line() + "\n");
    }
    return 0;
}

int lay_out(Console &console, const std::string &argument, bool check) {
    const SourceArgument source = read_argument(argument);
    if (source.layer) {
        return console.fail(
            {Failure::usage, fmt::format("fmt lays out whole files: give {} without ':{}', or --one-line", source.text,
                                         *source.layer)});
    }
    const Result<SourceFile> file = read_source(source);
    if (!file) return console.fail(file.error());
    Diagnostics diagnostics;
    const ast::Module tree = parse_module(*file, diagnostics);
    console.show(*file, diagnostics);
    if (diagnostics.has_errors()) return exit_status(Failure::invalid_input);
    const std::string text = format_module(*file, tree);
    if (check) {
        if (text == file->text) return 0;
        console.print(file->name + "\n");
        return exit_status(Failure::invalid_input);
    }
    if (source.kind != SourceArgument::Kind::file) {
        console.print(text);
        return 0;
    }
    if (text == file->text) return 0;
    const Status status = write_file(source.text, text);
    return status ? 0 : console.fail(status.error());
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    int status = 0;
    for (const std::string &file : options.files) {
        status =
            std::max(status, options.one_line ? print_lines(*session, file) : lay_out(console, file, options.check));
    }
    return status;
}

}  // namespace

void add_fmt(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb =
        new_verb(program, "fmt", "lay files out the one way, in place",
                 {"fmt net.conv", "fmt --check *.conv", "fmt --one-line net.conv:stem", "fmt - < net.conv"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->files, "a .conv file; a layer in quotes or - is printed instead")->required();
    CLI::Option *check = verb->add_flag("--check", options->check,
                                        "change nothing; name the files that are not laid out so, and exit 1");
    verb->add_flag("--one-line", options->one_line, "print each layer's canonical line instead")->excludes(check);
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
