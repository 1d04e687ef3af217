// convc check: diagnostics and lints.
#include "compiler/driver/verbs/verb.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::vector<std::string> files;
};

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    int status = 0;
    for (const std::string &file : options.files) {
        const Result<Program> program = session->check(file, Session::Lints::reported);
        if (!program) status = std::max(status, console.fail(program.error()));
    }
    return status;
}

}  // namespace

void add_check(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "check", "report every mistake and what is probably not meant",
                              {"check net.conv", "check --diagnostics=json - < net.conv",
                               "check 'f32 nhwc[1, 4, 4, 8] -> transposed(8, 3x3, stride=2)'"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->files, "a .conv file, a layer in quotes, or - for standard input")->required();
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
