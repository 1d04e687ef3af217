// convc explain: shapes with their derivation, what a layer costs, what its plan is, what a tuner may try, and why one
// schedule is faster than another.
#include "compiler/cost/explain.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/driver/plan_report.h"
#include "compiler/driver/space_report.h"
#include "compiler/driver/target_list.h"
#include "compiler/driver/verbs/verb.h"
#include "compiler/driver/why_report.h"

namespace convc {
namespace {

struct Options {
    CommonOptions common;
    std::string file;
    std::string target = "host";
    bool json = false;
    bool plan = false;
    bool space = false;
    std::vector<std::string> why;  // one or two schedules
};

// The parts that were asked for beside what the layer alone says.
struct Explained {
    const Layer *layer = nullptr;
    std::optional<Result<Plan>> plan;
    std::optional<ScheduleComparison> why;
};

// One schedule is compared with what the plan takes, two with one another.
Result<ScheduleComparison> compare(Session &session, const Program &program, const Options &options,
                                   const Target &target) {
    if (program.selected.size() != 1) {
        return Error{Failure::usage, fmt::format("--why is about one layer, and {} has {}: take FILE:LAYER",
                                                 options.file, program.selected.size())};
    }
    const CheckedLayer &checked = *program.selected[0];
    std::vector<Plan> plans;
    if (options.why.size() == 1) {
        Result<std::vector<Plan>> taken = session.plan(program, target);
        if (!taken) return taken.error();
        plans = std::move(*taken);
    }
    for (const std::string &schedules : options.why) {
        Result<Plan> plan = session.plan_with(program, checked, target, schedules);
        if (!plan) return plan.error();
        plans.push_back(std::move(*plan));
    }
    return compare_schedules(plans[0], plans[1]);
}

Result<std::vector<Explained>> explain(Session &session, const Program &program, const Options &options,
                                       const Target &target) {
    std::vector<Explained> all;
    for (const CheckedLayer *checked : program.selected) {
        all.push_back({&checked->layer, std::nullopt, std::nullopt});
        if (options.plan) all.back().plan = plan_layer(program, *checked, target);
    }
    if (options.why.empty()) return all;
    Result<ScheduleComparison> comparison = compare(session, program, options, target);
    if (!comparison) return comparison.error();
    all.back().why = std::move(*comparison);
    return all;
}

// One object for a layer that was named, a list for a whole file.
std::string as_json(const std::vector<Explained> &all, const Program &program, const Options &options,
                    const Target &target) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Explained &explained : all) {
        list.push_back(explain_json(*explained.layer));
        if (explained.plan) list.back()["plan"] = plan_json(*explained.plan, target);
        if (options.space) list.back()["space"] = space_json(*explained.layer, target);
        if (explained.why) list.back()["why"] = why_json(*explained.why);
    }
    const bool one = list.size() == 1 && (program.is_line || !program.is_whole);
    return print_json(one ? list[0] : list);
}

std::string as_text(const std::vector<Explained> &all, const Options &options, const Target &target) {
    std::string text;
    for (const Explained &explained : all) {
        if (!text.empty()) text += "\n";
        text += explain_text(*explained.layer);
        if (explained.plan) text += "\n" + plan_text(*explained.plan, target);
        if (options.space) text += "\n" + space_text(*explained.layer, target);
        if (explained.why) text += "\n" + why_text(*explained.why);
    }
    return text;
}

int run(Console &console, const Options &options) {
    Result<Session> session = open_session(console, options.common);
    if (!session) return console.fail(session.error());
    const Result<Program> program = session->check(options.file);
    if (!program) return console.fail(program.error());
    const Result<Target> target = read_target(options.target);
    if (!target) return console.fail(target.error());
    if (!options.why.empty() && target->on_gpu()) {
        return console.fail(
            {Failure::usage, "--why takes the code of CPUs apart; `bench` times a pinned schedule on a GPU"});
    }
    const Result<std::vector<Explained>> all = explain(*session, *program, options, *target);
    if (!all) return console.fail(all.error());
    console.print(options.json ? as_json(*all, *program, options, *target) : as_text(*all, options, *target));
    return 0;
}

}  // namespace

void add_explain(CLI::App &program, ChosenVerb &chosen) {
    CLI::App *verb =
        new_verb(program, "explain", "show how shapes follow and what layers cost",
                 {"explain 'f32 nhwc[1, 7, 7, 3] -> depthwise_separable(128, 3x3)'", "explain net.conv:stem --json",
                  "explain net.conv:stem --plan", "explain net.conv:stem --space",
                  "explain net.conv:stem --plan --why 'direct(vectors=2, columns=12, ...)'"});
    auto options = std::make_shared<Options>();
    verb->add_option("FILE", options->file, "a .conv file, FILE:LAYER, or a layer in quotes")->required();
    verb->add_flag("--json", options->json, "for programs: an object for a layer, a list of them for a file");
    CLI::Option *plan = verb->add_flag(
        "--plan", options->plan, "the algorithms considered for this machine, the one taken, and why not the others");
    verb->add_option("--why", options->why,
                     "measure and take apart a schedule beside the one taken, or two beside one another")
        ->type_name("SCHEDULE")
        ->expected(1, 2)
        ->needs(plan);
    add_target_option(*verb, options->target);
    verb->add_flag("--space", options->space, "the schedules that a tuner may try on this machine, and why not others");
    add_common_options(*verb, options->common);
    set_action(*verb, chosen, [options](Console &console) { return run(console, *options); });
}

}  // namespace convc
