// The syntax tree: what the user wrote, in the user's order, sugar and expressions unexpanded, comments kept for the
// formatter. Checked by nobody yet; compiler/sema turns it into Layers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/syntax/source.h"

namespace convc::ast {

struct Identifier {
    std::string text;
    SourceRange range;
};

// Integer expressions: 64, width, 2*c, (k + 1) / 2, -3. Also `?` where an extent stands and decimals (0.25, 1e-3) where
// a real number does; sema refuses them elsewhere.
struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;
struct Expression {
    enum class Kind { number, name, question, negate, binary };
    Kind kind = Kind::number;
    SourceRange range;
    std::string text;  // number: as written. name: the identifier
    char op = 0;       // binary: + - * / %
    bool parenthesised = false;
    ExpressionPtr left, right;  // negate uses left
};

// Per-axis values: `3x3`, `(k, 1)`, `2` (every axis), and `[1:2, 0:1]` for padding.
struct AxisValues {
    enum class Form { every, times, tuple, before_after };
    Form form = Form::every;
    SourceRange range;
    std::vector<ExpressionPtr> values;  // every: one. times and tuple: one an axis. before_after: two an axis
};

// A nested list of constants: [1, 2, 1] or [[1/16, 1/8], [1/8, 1/4]].
struct ConstantList {
    SourceRange range;
    ExpressionPtr number;  // a leaf; otherwise the items
    std::vector<ConstantList> items;
    bool is_leaf() const { return number != nullptr; }
};

// What stands after `name=`, or alone. A bare word (same, replicate, fast) parses as Expression::Kind::name.
struct Argument {
    std::optional<Identifier> name;  // absent: positional, or a bare flag such as `flip`
    SourceRange range;
    std::variant<AxisValues, ConstantList> value;
};

struct Epilogue {
    Identifier name;
    SourceRange range;
    std::vector<Argument> arguments;
    bool has_parentheses = false;
};

struct Stage {
    Identifier name;
    SourceRange range;  // without the epilogues
    std::vector<Argument> arguments;
    std::vector<Epilogue> epilogues;
    bool broken =
        false;  // only in Module::broken: arguments or epilogues with syntax errors are left out of this stage
};

struct Tensor {
    SourceRange range;
    Identifier dtype, layout;
    std::vector<ExpressionPtr> extents;
};

struct TensorDeclaration {
    std::optional<Identifier> name;  // absent only in a canonical line whose single input is unnamed
    Tensor tensor;
    SourceRange range;
};

struct FamilyVariable {  // c in {64, 128, 256}
    Identifier name;
    std::vector<ExpressionPtr> values;
    SourceRange range;
};

struct Layer {
    std::optional<Identifier> name;  // absent in a canonical line
    std::vector<FamilyVariable> family;
    std::vector<TensorDeclaration> inputs;
    std::vector<Stage> stages;
    SourceRange range;
};

struct Let {
    Identifier name;
    ExpressionPtr value;
    SourceRange range;
};

struct Knob {
    Identifier name;
    ExpressionPtr value;
    SourceRange range;
};

struct ScheduleGroup {
    Identifier algorithm;
    std::vector<Knob> knobs;
    SourceRange range;
};

struct ScheduleTarget {
    std::string text;  // between the quotes
    SourceRange range;
};

struct ScheduleStatement {
    Identifier layer;
    std::vector<ExpressionPtr> family_values;  // body[64, 1]
    ScheduleTarget target;
    std::vector<ScheduleGroup> groups;
    SourceRange range;
};

struct Comment {
    std::string text;  // with the #, without the newline
    SourceRange range;
    bool own_line = false;  // nothing but white space before it on its line
};

using Statement = std::variant<Let, Layer, ScheduleStatement>;

struct Module {
    std::vector<Statement> statements;
    std::vector<Comment> comments;  // in source order
    // Statements with syntax errors, as far as they were understood, in source order. They are already diagnosed; they
    // are kept so that a use of their names is not reported as a further mistake, and so that what is left of them can
    // be checked. Expect null expressions, empty names and empty lists.
    std::vector<Statement> broken;
};

}  // namespace convc::ast
