// Integer and real expressions to numbers, with every overflow and inexact division diagnosed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/sema/reporter.h"
#include "compiler/syntax/ast.h"

namespace convc::sema {

// An integer of the program; nothing when the mistake that hides it has been reported already.
using Value = std::optional<int64_t>;

// A value with the place it was written at; for a default, the place that implies it.
struct Located {
    Value value;
    SourceRange range;
};

struct LetDefinition {
    Value value;
    SourceRange range;     // of the name
    bool defined = false;  // false until its statement has been reached
};

// Keyed by views into the syntax tree.
using Lets = std::unordered_map<std::string_view, LetDefinition>;

struct FamilyBinding {
    std::string_view name;
    Value value;
};

// The names an expression may use. A family's hide the lets.
struct Scope {
    const Lets *lets = nullptr;
    std::vector<FamilyBinding> family;
};

class Evaluator {
public:
    Evaluator(Reporter &reporter, const Scope &scope) : reporter_(reporter), scope_(scope) {}

    // nullptr stands for what a syntax error hid: it has no value, and nothing is reported.
    Value integer(const ast::Expression *expression);

    // For weights and the numbers of epilogues: decimals, and `/` divides as real numbers do. The result fits in an
    // f32.
    std::optional<double> real(const ast::Expression *expression);

    bool knows(std::string_view name) const;

    // Whether every expression so far had a value. One without need not have been reported here: its let may have been.
    bool complete() const { return complete_; }

private:
    template <class Number>
    std::optional<Number> fold(const ast::Expression *expression);

    Value leaf(const ast::Expression &expression, int64_t /*tag*/);
    std::optional<double> leaf(const ast::Expression &expression, double /*tag*/);
    Value combine(const ast::Expression &expression, int64_t left, int64_t right);
    std::optional<double> combine(const ast::Expression &expression, double left, double right);
    Value negated(const ast::Expression &expression, int64_t value);
    std::optional<double> negated(const ast::Expression &expression, double value);
    Value defined(Value value);
    Value name(const ast::Expression &expression);

    Reporter &reporter_;
    const Scope &scope_;
    bool complete_ = true;
};

}  // namespace convc::sema
