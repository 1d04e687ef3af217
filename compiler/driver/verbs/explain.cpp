// convc explain: shapes with their derivation, what a layer costs, and what its plan is.
#include "compiler/cost/explain.h"

#include <nlohmann/json.hpp>

#include "compiler/driver/plan_report.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/plan/host_target.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::string file;
    bool json = false;
    bool plan = false;
};

// One object for a layer that was named, a list for a whole file.
std::string as_json(const Program &program, bool with_plan) {
    const Target target = host_target();
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const CheckedLayer *checked : program.selected) {
        list.push_back(explain_json(checked->layer));
        if (with_plan) list.back()["plan"] = plan_json(plan_layer(program, *checked, target), target);
    }
    const bool one = list.size() == 1 && (program.is_line || !program.is_whole);
    return print_json(one ? list[0] : list);
}

std::string as_text(const Program &program, bool with_plan) {
    const Target target = host_target();
    std::string text;
    for (const CheckedLayer *checked : program.selected) {
        if (!text.empty()) text += "\n";
        text += explain_text(checked->layer);
        if (with_plan) text += "\n" + plan_text(plan_layer(program, *checked, target), target);
    }
    return text;
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<Program> program = session->check(options.file);
    if (!program) return console.fail(program.error());
    console.print(options.json ? as_json(*program, options.plan) : as_text(*program, options.plan));
    return 0;
}

}  // namespace

void add_explain(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb = new_verb(program, "explain", "show how shapes follow and what layers cost",
                              {"explain 'f32 nhwc[1, 7, 7, 3] -> depthwise_separable(128, 3x3)'",
                               "explain net.conv:stem --json", "explain net.conv:stem --plan"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->file, "a .conv file, FILE:LAYER, or a layer in quotes")->required();
    verb->add_flag("--json", options->json, "for programs: an object for a layer, a list of them for a file");
    verb->add_flag("--plan", options->plan,
                   "the algorithms considered for this machine, the one taken, and why not the others");
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
