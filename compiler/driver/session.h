// The order of the phases, in one place: read, parse, check, select, plan, compile. Every verb is a walk along it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/console.h"
#include "compiler/driver/source_argument.h"
#include "compiler/plan/plan.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/ast.h"

namespace convc {

// What every verb that reads layers takes from its command line.
struct SourceOptions {
    std::vector<std::string> lets;  // NAME=VALUE
};

Result<std::vector<LetOverride>> read_lets(const std::vector<std::string> &lets);

// A source file that has been checked without errors, and the layers of it that were asked for.
struct Program {
    SourceFile file;
    SourceFile schedules;  // NAME.schedules beside NAME.conv; its name is empty where there is none
    bool is_line = false;  // given on the command line
    bool is_whole = true;  // no :LAYER
    CheckedModule module;
    std::vector<const CheckedLayer *> selected;  // into module

    Program() = default;
    Program(Program &&) = default;  // the layers stay where they are when the module moves
    Program &operator=(Program &&) = default;
};

// The schedule pinned in the file where there is one for this target, or in the one beside it, or the one that comes
// with convc, or else the default.
Result<Plan> plan_layer(const Program &program, const CheckedLayer &checked, const Target &target);

class Session {
public:
    Session(Console &console, std::vector<LetOverride> lets) : console_(console), lets_(std::move(lets)) {}

    enum class Lints { skipped, reported };

    // Reads, parses, checks and selects. Diagnostics are shown; after an error among them the result is
    // already_shown().
    Result<Program> check(const std::string &argument, Lints lints = Lints::skipped);

    // The same of several, in their order; the first error ends it.
    Result<std::vector<Program>> check_all(const std::vector<std::string> &arguments);

    // A plan for each selected layer. For what has no kernel, a diagnostic at the user's line is shown and the result
    // is already_shown().
    Result<std::vector<Plan>> plan(const Program &program, const Target &target);

    // A plan with these schedules, written as behind a `schedule` statement's `=`. What is wrong with them is shown as
    // it is for such a statement, and the result is already_shown().
    Result<Plan> plan_with(const Program &program, const CheckedLayer &checked, const Target &target,
                           const std::string &schedules);

    Console &console() { return console_; }

private:
    Console &console_;
    std::vector<LetOverride> lets_;
};

}  // namespace convc
