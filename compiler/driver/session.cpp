#include "compiler/driver/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "compiler/driver/driver_diagnostics.h"
#include "compiler/driver/files.h"
#include "compiler/driver/schedules_file.h"
#include "compiler/sema/lints.h"
#include "compiler/syntax/parser.h"
#include "schedules/schedule_table.h"

namespace convc {
namespace {

// A file may hold thousands of layers: the message names the first few.
Error no_such_layer(const Program &program, const std::string &wanted) {
    constexpr size_t most_names = 10;
    std::string names;
    for (size_t i = 0; i < program.module.layers.size() && i < most_names; i++) {
        names += (i ? ", " : "") + program.module.layers[i].layer.name;
    }
    if (program.module.layers.size() > most_names) names += ", ...";
    return {Failure::usage,
            fmt::format("{} has no layer '{}'; it has {}", program.file.name, wanted, names.empty() ? "none" : names)};
}

Status select(Program &program, const std::optional<std::string> &wanted) {
    for (const CheckedLayer &checked : program.module.layers) {
        if (!wanted || names_layer(*wanted, checked.layer.name, checked.layer.c_name())) {
            program.selected.push_back(&checked);
        }
    }
    if (wanted && program.selected.empty()) return no_such_layer(program, *wanted);
    return {};
}

// Of the first stage that no algorithm computes; of the layer's name when each stage alone has a kernel.
SourceRange range_without_kernel(const CheckedLayer &checked, const Target &target) {
    for (size_t stage = 0; stage < checked.stage_ranges.size(); stage++) {
        const StageGroup group{&checked.layer, static_cast<int>(stage), 1};
        const auto refuses = [&](const Algorithm &algorithm) { return algorithm.refusal(group, target).has_value(); };
        const auto table = schedule_table(target);
        if (std::all_of(table.begin(), table.end(), refuses)) return checked.stage_ranges[stage];
    }
    return checked.range;
}

// Of a file of layers, and of the one beside it.
struct FileDiagnostics {
    Diagnostics layers, schedules;

    bool has_errors() const { return layers.has_errors() || schedules.has_errors(); }
    void show(Console &console, const Program &program) const {
        console.show(program.file, layers);
        if (!program.schedules.name.empty()) console.show(program.schedules, schedules);
    }
};

void report_no_plan(const Program &program, const CheckedLayer &checked, const Target &target, const Error &error,
                    FileDiagnostics &diagnostics) {
    if (const PinnedSchedule *pinned = find_pinned(program.module, checked.layer, target)) {
        Diagnostics &of_file = pinned->beside ? diagnostics.schedules : diagnostics.layers;
        of_file.report(pinned->range, diagnostic::unusable_schedule, error.message);
    } else {
        diagnostics.layers.report(range_without_kernel(checked, target), diagnostic::no_kernel, error.message);
    }
}

// net.schedules beside net.conv, where there is one.
Result<SourceFile> read_schedules_beside(const SourceArgument &source) {
    const bool is_file = source.kind == SourceArgument::Kind::file;
    if (!is_file || std::filesystem::path(source.text).extension() != ".conv") return SourceFile{};
    const std::string path = schedules_file_of(source.text);
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return SourceFile{};
    Result<std::string> text = read_file(path);
    if (!text) return text.error();
    return SourceFile{path, std::move(*text)};
}

}  // namespace

Result<std::vector<LetOverride>> read_lets(const std::vector<std::string> &lets) {
    std::vector<LetOverride> all;
    for (const std::string &text : lets) {
        const size_t equals = text.find('=');
        LetOverride let{text.substr(0, equals), 0};
        const char *begin = equals == std::string::npos ? nullptr : text.data() + equals + 1;
        const char *end = text.data() + text.size();
        const auto parsed = begin ? std::from_chars(begin, end, let.value) : std::from_chars_result{};
        if (!begin || let.name.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
            return Error{Failure::usage, fmt::format("--let takes NAME=INTEGER, not '{}'", text)};
        }
        all.push_back(std::move(let));
    }
    return all;
}

Result<Program> Session::check(const std::string &argument, Lints lints) {
    const SourceArgument source = read_argument(argument);
    Result<SourceFile> file = read_source(source);
    if (!file) return file.error();
    Program program;
    program.file = std::move(*file);
    program.is_line = source.kind == SourceArgument::Kind::line;
    program.is_whole = !source.layer;
    Result<SourceFile> schedules = read_schedules_beside(source);
    if (!schedules) return schedules.error();
    program.schedules = std::move(*schedules);
    FileDiagnostics diagnostics;
    const ast::Module tree = parse_module(program.file, diagnostics.layers);
    const ast::Module pins = parse_module(program.schedules, diagnostics.schedules);
    const SchedulesFile beside{pins, diagnostics.schedules};
    program.module = check_module(tree, diagnostics.layers, lets_, &beside);
    if (lints == Lints::reported) lint_module(program.module, diagnostics.layers);
    diagnostics.show(console_, program);
    if (diagnostics.has_errors()) return already_shown();
    if (Status status = select(program, source.layer); !status) return status.error();
    return program;
}

Result<std::vector<Program>> Session::check_all(const std::vector<std::string> &arguments) {
    std::vector<Program> programs;
    for (const std::string &argument : arguments) {
        Result<Program> program = check(argument);
        if (!program) return program.error();
        programs.push_back(std::move(*program));
    }
    return programs;
}

Result<Plan> plan_layer(const Program &program, const CheckedLayer &checked, const Target &target) {
    const PinnedSchedule *pinned = find_pinned(program.module, checked.layer, target);
    if (!pinned) return make_best_plan(checked.layer, target);
    Result<Plan> plan = make_pinned_plan(checked.layer, target, pinned->groups);
    if (plan && pinned->beside) plan->origin = Plan::Origin::tuned;
    return plan;
}

Result<std::vector<Plan>> Session::plan(const Program &program, const Target &target) {
    FileDiagnostics diagnostics;
    std::vector<Plan> plans;
    if (program.selected.empty()) {
        return Error{Failure::invalid_input, fmt::format("{} has no layers", program.file.name)};
    }
    for (const CheckedLayer *checked : program.selected) {
        Result<Plan> plan = plan_layer(program, *checked, target);
        if (plan) {
            plans.push_back(std::move(*plan));
        } else {
            report_no_plan(program, *checked, target, plan.error(), diagnostics);
        }
    }
    if (!diagnostics.has_errors()) return plans;
    diagnostics.show(console_, program);
    return already_shown();
}

Result<Plan> Session::plan_with(const Program &program, const CheckedLayer &checked, const Target &target,
                                const std::string &schedules) {
    const SourceFile statement{
        "<schedule>", fmt::format("schedule {} on \"{}\" = {}\n", checked.layer.name, target.full_name(), schedules)};
    Diagnostics of_layers, of_statement;  // the layers' own have been shown
    const ast::Module layers = parse_module(program.file, of_layers), pins = parse_module(statement, of_statement);
    const SchedulesFile beside{pins, of_statement};
    const CheckedModule module = check_module(layers, of_layers, lets_, &beside);
    std::vector<const PinnedSchedule *> pinned;
    for (const PinnedSchedule &each : module.schedules) {
        if (each.beside) pinned.push_back(&each);
    }
    if (!of_statement.has_errors() && pinned.size() != 1) {
        return Error{Failure::usage, fmt::format("'{}' is more than the schedules of one layer", excerpt(schedules))};
    }
    if (!of_statement.has_errors()) {
        Result<Plan> plan = make_pinned_plan(checked.layer, target, pinned[0]->groups);
        if (plan) return plan;
        of_statement.report(pinned[0]->range, diagnostic::unusable_schedule, plan.error().message);
    }
    console_.show(statement, of_statement);
    return already_shown();
}

}  // namespace convc
