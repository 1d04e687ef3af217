// Recursive descent over the tokens. The grammar, with { } for repetition and [ ] for an option:
//
//     module      = { let | layer | schedule } | canonical
//     let         = "let" NAME "=" expression
//     layer       = "layer" NAME [ family ] declarations "=" stages
//     family      = "[" variable { "," variable } "]"
//     variable    = NAME "in" "{" expression { "," expression } "}"
//     canonical   = ( tensor | declarations ) "->" stages                     (alone in its text)
//     declarations= "(" NAME ":" tensor { "," NAME ":" tensor } ")"
//     tensor      = NAME NAME "[" extent { "," extent } "]"                   (dtype, layout tag)
//     extent      = "?" | expression
//     stages      = stage { "->" stage }
//     stage       = NAME arguments { "+" epilogue }
//     epilogue    = NAME [ arguments ]
//     arguments   = "(" [ argument { "," argument } ] ")"
//     argument    = [ NAME "=" ] ( axes | pads | constants )
//     axes        = expression | AXIS_VALUES | "(" expression "," expression { "," expression } ")"
//     pads        = "[" pad { "," pad } "]"
//     pad         = expression ":" expression
//     constants   = "[" constant { "," constant } "]"
//     constant    = constants | expression
//     schedule    = "schedule" NAME [ "[" expression { "," expression } "]" ] "on" STRING "=" group { "->" group }
//     group       = NAME "(" [ knob { "," knob } ] ")"
//     knob        = NAME "=" expression
//     expression  = term { ( "+" | "-" ) term }
//     term        = operand { ( "*" | "/" | "%" ) operand }
//     operand     = NUMBER | NAME | "?" | "-" operand | "(" expression ")"
//
//     NAME        = letter or "_", then letters, digits, "_"
//     NUMBER      = digits [ "." digits ] [ "e" [ "+" | "-" ] digits ]
//     AXIS_VALUES = digits "x" digits { "x" digits }                          (one token: 3x3, 0x3)
//     STRING      = '"' anything but '"' and a line break '"'
//
// White space, line breaks and comments (# to the end of the line) may stand between any two tokens. There are no
// reserved words: `let`, `layer` and `schedule` begin a statement only where one can begin. What the names mean (which
// stages, arguments and layouts there are) is for compiler/sema.
//
// After a mistake the parser goes on at the next item of the list, else at the next `->`, else at the next statement.
#include "compiler/syntax/parser.h"

#include <llvm/ADT/StringRef.h>

#include <utility>

#include "compiler/syntax/diagnostic_kinds.h"
#include "compiler/syntax/lexer.h"
#include "compiler/syntax/token_cursor.h"
#include "compiler/syntax/value_parser.h"

namespace convc {
namespace {

class Parser {
public:
    Parser(const SourceFile &file, const TokenizedText &tokenized, Diagnostics &diagnostics)
        : cursor_(file, tokenized.tokens, diagnostics), values_(cursor_), diagnostics_(diagnostics) {}

    ast::Module run() {
        while (!cursor_.at_end()) statement();
        refuse_unnamed_layers();
        return std::move(module_);
    }

private:
    void statement();
    std::string_view misspelt_keyword() const;
    void statement_of(std::string_view keyword, uint32_t begin);
    bool canonical_line_ahead(size_t ahead = 0) const;
    void unknown_statement();
    template <class T>
    void finish(T statement, uint32_t begin);
    void refuse_unnamed_layers();

    ast::Let let();
    ast::Layer layer();
    ast::Layer canonical_line();
    void inputs_of_canonical_line(ast::Layer &layer);
    void canonical_line_after_name(ast::Layer &layer, Diagnostics::Builder report);
    ast::ScheduleStatement schedule();

    ast::Identifier name_after(std::string_view keyword);
    bool equals_after(std::string_view what);

    std::vector<ast::FamilyVariable> family();
    bool family_variable(std::vector<ast::FamilyVariable> &variables);
    std::vector<ast::TensorDeclaration> declarations();
    bool declaration(std::vector<ast::TensorDeclaration> &declarations);
    bool tensor(ast::Tensor &tensor);

    void stages(std::vector<ast::Stage> &stages);
    bool missing_arrow();
    void stage(std::vector<ast::Stage> &stages);
    void epilogues(ast::Stage &stage);
    void drop_unmatched_brackets();
    bool missing_plus();
    bool epilogue(ast::Stage &stage);

    bool target_of(ast::ScheduleStatement &statement);
    bool group(ast::ScheduleStatement &statement);
    bool knob(ast::ScheduleGroup &group);

    TokenCursor cursor_;
    ValueParser values_;
    Diagnostics &diagnostics_;
    ast::Module module_;
};

// ---- statements

void Parser::statement() {
    const uint32_t begin = cursor_.peek().begin;
    const std::string_view misspelt = misspelt_keyword();
    if (cursor_.at_keyword()) {
        statement_of(cursor_.text(cursor_.peek()), begin);
    } else if (!misspelt.empty()) {
        cursor_.fail_at(cursor_.peek().range(), diagnostic::expected_statement, cursor_.found())
            .fixit(cursor_.peek().range(), std::string(misspelt));
        statement_of(misspelt, begin);
    } else if (canonical_line_ahead()) {
        finish(canonical_line(), begin);
    } else {
        cursor_.fail_at(cursor_.peek().range(), diagnostic::expected_statement, cursor_.found());
        cursor_.skip_to_statement();
        cursor_.take_broken();
    }
}

void Parser::statement_of(std::string_view keyword, uint32_t begin) {
    if (keyword == "let") return finish(let(), begin);
    if (keyword == "layer") return finish(layer(), begin);
    finish(schedule(), begin);
}

// `lyer body(...`: the keyword that was probably meant, so that the statement is read on.
std::string_view Parser::misspelt_keyword() const {
    if (!cursor_.at(TokenKind::identifier) || cursor_.peek(1).kind != TokenKind::identifier) return "";
    const llvm::StringRef word = cursor_.text(cursor_.peek());
    if (word.size() > 12) return "";
    if (word.edit_distance("let") == 1) return "let";
    if (word.edit_distance("layer") <= 2) return "layer";
    return word.edit_distance("schedule") <= 2 ? "schedule" : "";
}

// Whether one begins with the token that many ahead.
bool Parser::canonical_line_ahead(size_t ahead) const {
    const auto kind = [&](size_t index) { return cursor_.peek(ahead + index).kind; };
    if (kind(0) == TokenKind::left_paren) return true;
    if (kind(0) != TokenKind::identifier || kind(1) != TokenKind::identifier) return false;
    return kind(2) != TokenKind::left_paren && kind(2) != TokenKind::equals;
}

template <class T>
void Parser::finish(T statement, uint32_t begin) {
    statement.range = cursor_.range_from(begin);
    if (!cursor_.at_end() && !cursor_.at_keyword()) {
        // What is left over is a mistake of its own; the statement before it may well be whole.
        if (!cursor_.at(TokenKind::identifier)) {
            cursor_.fail_at(cursor_.peek().range(), diagnostic::expected_statement, cursor_.found());
            cursor_.skip_to_statement();
        }
    }
    const bool broken = cursor_.take_broken();
    (broken ? module_.broken : module_.statements).emplace_back(std::move(statement));
}

void Parser::refuse_unnamed_layers() {
    if (module_.statements.size() + module_.broken.size() < 2) return;
    for (const ast::Statement &statement : module_.statements) {
        const auto *layer = std::get_if<ast::Layer>(&statement);
        if (!layer || layer->name) continue;
        diagnostics_.report({layer->range.begin, layer->range.begin}, diagnostic::unnamed_layer)
            .note("in a file it is written 'layer NAME(x: TENSOR) = STAGES'");
    }
    std::erase_if(module_.statements, [](const ast::Statement &statement) {
        const auto *layer = std::get_if<ast::Layer>(&statement);
        return layer && !layer->name;
    });
}

ast::Identifier Parser::name_after(std::string_view keyword) {
    const bool is_next_statement =
        cursor_.peek().first_on_line && cursor_.at_statement() && cursor_.text(cursor_.peek(1)) != "on";
    if (cursor_.at(TokenKind::identifier) && !is_next_statement) return cursor_.take_identifier();
    cursor_.fail(diagnostic::expected_name, std::string(keyword), cursor_.found());
    return {"", cursor_.here()};
}

bool Parser::equals_after(std::string_view what) {
    if (cursor_.accept(TokenKind::equals)) return true;
    auto report = cursor_.fail(diagnostic::expected_equals, excerpt(what), cursor_.found());
    if (cursor_.at(TokenKind::arrow) || cursor_.at(TokenKind::colon)) {
        report.fixit(cursor_.peek().range(), "=");
        cursor_.take();
        return true;
    }
    if (cursor_.at(TokenKind::identifier) && cursor_.peek(1).kind == TokenKind::left_paren) {
        report.fixit(cursor_.after_last(), " =");
        return true;
    }
    return cursor_.skip_to_equals() && cursor_.accept(TokenKind::equals);
}

ast::Let Parser::let() {
    ast::Let statement;
    cursor_.take();
    statement.name = name_after("let");
    if (!equals_after(statement.name.text)) return statement;
    statement.value = values_.expression();
    if (!statement.value) cursor_.skip_to_statement();
    return statement;
}

// ---- layers

ast::Layer Parser::layer() {
    ast::Layer layer;
    cursor_.take();
    layer.name = name_after("layer");
    const std::string name = excerpt(layer.name->text);
    if (cursor_.at(TokenKind::left_bracket)) layer.family = family();
    if (cursor_.at(TokenKind::left_paren)) {
        layer.inputs = declarations();
    } else {
        Diagnostics::Builder report = cursor_.fail(diagnostic::expected_tensors, name, cursor_.found());
        if (cursor_.at(TokenKind::equals) && canonical_line_ahead(1)) {
            canonical_line_after_name(layer, report);
            return layer;
        }
        if (!cursor_.skip_to_equals()) return layer;
    }
    if (equals_after("layer " + name)) stages(layer.stages);
    return layer;
}

// `layer a = f32 nhwc[1, 8, 8, 4] -> conv(8, 3x3)`: read on, so that there is one complaint and it can say what to
// write.
void Parser::canonical_line_after_name(ast::Layer &layer, Diagnostics::Builder report) {
    const uint32_t name_end = cursor_.after_last().begin;
    cursor_.take();
    const uint32_t begin = cursor_.peek().begin;
    const bool bracketed = cursor_.at(TokenKind::left_paren);
    inputs_of_canonical_line(layer);
    if (!cursor_.at(TokenKind::arrow) && !cursor_.at(TokenKind::equals)) {
        cursor_.skip_to_statement();
        return;
    }
    report.fixit({name_end, begin}, bracketed ? "" : "(x: ");
    report.fixit({cursor_.after_last().begin, cursor_.peek().end}, bracketed ? " =" : ") =");
    cursor_.take();
    stages(layer.stages);
}

// `f32 nhwc[1, 8, 8, 4]` or `(x: f32 nhwc[1, 8, 8, 4], y: ...)`.
void Parser::inputs_of_canonical_line(ast::Layer &layer) {
    if (cursor_.at(TokenKind::left_paren)) {
        layer.inputs = declarations();
        return;
    }
    ast::TensorDeclaration input;
    if (!tensor(input.tensor)) return (void)cursor_.skip_to_stage_end();
    input.range = input.tensor.range;
    layer.inputs.push_back(std::move(input));
}

ast::Layer Parser::canonical_line() {
    ast::Layer layer;
    inputs_of_canonical_line(layer);
    if (!cursor_.at(TokenKind::arrow)) {
        cursor_.fail(diagnostic::expected_stage_end, cursor_.found());
        cursor_.skip_to_stage_end();
    }
    if (cursor_.accept(TokenKind::arrow)) stages(layer.stages);
    return layer;
}

std::vector<ast::FamilyVariable> Parser::family() {
    std::vector<ast::FamilyVariable> variables;
    const SourceRange opener = cursor_.peek().range();
    if (cursor_.peek(1).kind == TokenKind::right_bracket) {
        cursor_.fail_at({opener.begin, cursor_.peek(1).end}, diagnostic::empty_list, "[]");
    }
    values_.bracketed([&] { return family_variable(variables); });
    return variables;
}

bool Parser::family_variable(std::vector<ast::FamilyVariable> &variables) {
    if (!cursor_.at(TokenKind::identifier) || cursor_.at_statement()) {
        cursor_.fail(diagnostic::expected_family_variable, cursor_.found());
        return false;
    }
    ast::FamilyVariable variable;
    variable.name = cursor_.take_identifier();
    const bool in = cursor_.at(TokenKind::identifier) && cursor_.text(cursor_.peek()) == "in";
    if (in) cursor_.take();
    if (!in || !cursor_.at(TokenKind::left_brace)) {
        cursor_.fail(diagnostic::expected_family_values, excerpt(variable.name.text), cursor_.found());
        return false;
    }
    const SourceRange opener = cursor_.peek().range();
    if (cursor_.peek(1).kind == TokenKind::right_brace) {
        cursor_.fail_at({opener.begin, cursor_.peek(1).end}, diagnostic::empty_list, "{}");
    }
    variable.values = values_.expressions();
    variable.range = cursor_.range_from(variable.name.range.begin);
    variables.push_back(std::move(variable));
    return true;
}

std::vector<ast::TensorDeclaration> Parser::declarations() {
    std::vector<ast::TensorDeclaration> all;
    const SourceRange opener = cursor_.peek().range();
    if (cursor_.peek(1).kind == TokenKind::right_paren) {
        cursor_.fail_at({opener.begin, cursor_.peek(1).end}, diagnostic::empty_list, "()");
    }
    values_.bracketed([&] { return declaration(all); });
    return all;
}

bool Parser::declaration(std::vector<ast::TensorDeclaration> &declarations) {
    if (!cursor_.at(TokenKind::identifier) || cursor_.at_statement()) {
        cursor_.fail(diagnostic::expected_declaration, cursor_.found());
        return false;
    }
    ast::TensorDeclaration declaration;
    declaration.name = cursor_.take_identifier();
    if (!cursor_.accept(TokenKind::colon)) {
        cursor_.fail(diagnostic::expected_colon, excerpt(declaration.name->text), cursor_.found());
        return false;
    }
    if (!tensor(declaration.tensor)) return false;
    declaration.range = cursor_.range_from(declaration.name->range.begin);
    declarations.push_back(std::move(declaration));
    return true;
}

bool Parser::tensor(ast::Tensor &tensor) {
    const uint32_t begin = cursor_.peek().begin;
    for (ast::Identifier *word : {&tensor.dtype, &tensor.layout}) {
        if (!cursor_.at(TokenKind::identifier) || cursor_.at_statement()) {
            cursor_.fail(diagnostic::expected_tensor, cursor_.found());
            return false;
        }
        *word = cursor_.take_identifier();
    }
    if (!cursor_.at(TokenKind::left_bracket)) {
        cursor_.fail(diagnostic::expected_extents, excerpt(tensor.dtype.text + " " + tensor.layout.text),
                     cursor_.found());
        return false;
    }
    tensor.extents = values_.expressions();
    tensor.range = cursor_.range_from(begin);
    return true;
}

// ---- stages

void Parser::stages(std::vector<ast::Stage> &stages) {
    do {
        stage(stages);
    } while (cursor_.accept(TokenKind::arrow) || missing_arrow());
}

// What follows a whole stage without `->`: another stage is read on with, anything else is skipped.
bool Parser::missing_arrow() {
    if (cursor_.at_end() || cursor_.at_keyword()) return false;
    auto report = cursor_.fail(diagnostic::expected_stage_end, cursor_.found());
    if (cursor_.at(TokenKind::identifier) && cursor_.peek(1).kind == TokenKind::left_paren) {
        report.fixit(cursor_.after_last(), " ->");
        return true;
    }
    return cursor_.skip_to_stage_end() && cursor_.accept(TokenKind::arrow);
}

void Parser::stage(std::vector<ast::Stage> &stages) {
    if (!cursor_.at(TokenKind::identifier) || cursor_.at_statement()) {
        cursor_.fail(diagnostic::expected_stage, cursor_.found());
        cursor_.skip_to_stage_end();
        return;
    }
    ast::Stage stage;
    const bool broken_before = cursor_.take_broken();
    stage.name = cursor_.take_identifier();
    if (cursor_.at(TokenKind::left_paren)) {
        stage.arguments = values_.arguments();
    } else {
        auto report = cursor_.fail(diagnostic::expected_stage_arguments, excerpt(stage.name.text), cursor_.found());
        if (!stages.empty()) report.note("an epilogue hangs on the stage before it with '+'");
    }
    stage.range = cursor_.range_from(stage.name.range.begin);
    epilogues(stage);
    stage.broken = cursor_.take_broken();
    cursor_.mark_broken(broken_before || stage.broken);
    stages.push_back(std::move(stage));
}

void Parser::epilogues(ast::Stage &stage) {
    for (;;) {
        drop_unmatched_brackets();
        if (!cursor_.accept(TokenKind::plus) && !missing_plus()) return;
        if (epilogue(stage)) continue;
        while (!cursor_.at(TokenKind::plus) && !cursor_.at(TokenKind::arrow) && !cursor_.at_statement()) cursor_.take();
    }
}

void Parser::drop_unmatched_brackets() {
    while (closes_bracket(cursor_.peek().kind)) {
        const SourceRange range = cursor_.peek().range();
        const std::string bracket(cursor_.text(cursor_.peek()));
        cursor_.fail_at(range, diagnostic::unmatched_bracket, bracket).fixit(range, "");
        cursor_.take();
    }
}

// `conv(64, 3x3) relu`: a lone word on the same line.
bool Parser::missing_plus() {
    const bool lone_word = cursor_.at(TokenKind::identifier) && !cursor_.peek().first_on_line &&
                           !cursor_.at_keyword() && cursor_.peek(1).kind != TokenKind::left_paren &&
                           cursor_.peek(1).kind != TokenKind::identifier;
    if (!lone_word) return false;
    cursor_.fail(diagnostic::expected_stage_end, cursor_.found()).fixit(cursor_.after_last(), " +");
    return true;
}

bool Parser::epilogue(ast::Stage &stage) {
    if (!cursor_.at(TokenKind::identifier) || cursor_.at_statement()) {
        cursor_.fail(diagnostic::expected_epilogue, cursor_.found());
        return false;
    }
    ast::Epilogue epilogue;
    epilogue.name = cursor_.take_identifier();
    epilogue.has_parentheses = cursor_.at(TokenKind::left_paren);
    if (epilogue.has_parentheses) epilogue.arguments = values_.arguments();
    epilogue.range = cursor_.range_from(epilogue.name.range.begin);
    stage.epilogues.push_back(std::move(epilogue));
    return true;
}

// ---- schedules

ast::ScheduleStatement Parser::schedule() {
    ast::ScheduleStatement statement;
    cursor_.take();
    statement.layer = name_after("schedule");
    if (cursor_.at(TokenKind::left_bracket)) statement.family_values = values_.expressions();
    if (!target_of(statement) && !cursor_.skip_to_equals()) return statement;
    if (!equals_after("schedule " + excerpt(statement.layer.text))) return statement;
    do {
        if (!group(statement)) cursor_.skip_to_stage_end();
    } while (cursor_.accept(TokenKind::arrow));
    return statement;
}

bool Parser::target_of(ast::ScheduleStatement &statement) {
    const bool on = cursor_.at(TokenKind::identifier) && cursor_.text(cursor_.peek()) == "on";
    if (on) cursor_.take();
    if (!on || !cursor_.at(TokenKind::string)) {
        cursor_.fail(diagnostic::expected_target, excerpt(statement.layer.text), cursor_.found());
        return false;
    }
    const Token &target = cursor_.take();
    const std::string_view quoted = cursor_.text(target);
    statement.target = {std::string(quoted.substr(1, quoted.size() - 2)), target.range()};
    return true;
}

bool Parser::group(ast::ScheduleStatement &statement) {
    if (!cursor_.at(TokenKind::identifier) || cursor_.at_statement()) {
        cursor_.fail(diagnostic::expected_algorithm, cursor_.found());
        return false;
    }
    ast::ScheduleGroup group;
    group.algorithm = cursor_.take_identifier();
    if (!cursor_.at(TokenKind::left_paren)) {
        cursor_.fail(diagnostic::expected_knobs, excerpt(group.algorithm.text), cursor_.found());
        return false;
    }
    values_.bracketed([&] { return knob(group); });
    group.range = cursor_.range_from(group.algorithm.range.begin);
    statement.groups.push_back(std::move(group));
    return true;
}

bool Parser::knob(ast::ScheduleGroup &group) {
    if (!cursor_.at(TokenKind::identifier) || cursor_.peek(1).kind != TokenKind::equals) {
        cursor_.fail(diagnostic::expected_knob, cursor_.found());
        return false;
    }
    ast::Knob knob;
    knob.name = cursor_.take_identifier();
    cursor_.take();
    knob.value = values_.expression();
    if (!knob.value) return false;
    knob.range = cursor_.range_from(knob.name.range.begin);
    group.knobs.push_back(std::move(knob));
    return true;
}

}  // namespace

ast::Module parse_module(const SourceFile &file, Diagnostics &diagnostics) {
    TokenizedText tokenized = tokenize(file, diagnostics);
    ast::Module module = Parser(file, tokenized, diagnostics).run();
    module.comments = std::move(tokenized.comments);
    return module;
}

}  // namespace convc
