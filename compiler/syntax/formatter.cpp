// A statement is laid out as pieces (the part up to `=`, then one a stage or group): on one line if it fits and no
// comment stands inside, else one piece a line. A comment moves with the piece it stands in or before.
#include "compiler/syntax/formatter.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace convc {
namespace {

constexpr size_t line_width = 100;
constexpr std::string_view stage_indent = "    ";

// ---- pieces of a statement as text

void print(std::string &out, const ast::Expression &expression);

template <class Items, class Print>
void print_separated(std::string &out, const Items &items, std::string_view separator, Print print_item) {
    bool first = true;
    for (const auto &item : items) {
        if (!first) out += separator;
        print_item(item);
        first = false;
    }
}

void print(std::string &out, const std::vector<ast::ExpressionPtr> &values, std::string_view separator) {
    print_separated(out, values, separator, [&](const ast::ExpressionPtr &value) { print(out, *value); });
}

// `2*c + 1`: products are tight, sums are not.
void print(std::string &out, const ast::Expression &expression) {
    if (expression.parenthesised) out += '(';
    switch (expression.kind) {
        case ast::Expression::Kind::number:
        case ast::Expression::Kind::name:
            out += expression.text;
            break;
        case ast::Expression::Kind::question:
            out += '?';
            break;
        case ast::Expression::Kind::negate:
            out += '-';
            print(out, *expression.left);
            break;
        case ast::Expression::Kind::binary: {
            const bool sum = expression.op == '+' || expression.op == '-';
            print(out, *expression.left);
            if (sum) out += ' ';
            out += expression.op;
            if (sum) out += ' ';
            print(out, *expression.right);
            break;
        }
    }
    if (expression.parenthesised) out += ')';
}

void print(std::string &out, const ast::AxisValues &axes) {
    switch (axes.form) {
        case ast::AxisValues::Form::every:
            print(out, *axes.values[0]);
            break;
        case ast::AxisValues::Form::times:
            print(out, axes.values, "x");
            break;
        case ast::AxisValues::Form::tuple:
            out += '(';
            print(out, axes.values, ", ");
            out += ')';
            break;
        case ast::AxisValues::Form::before_after:
            out += '[';
            for (size_t i = 0; i < axes.values.size(); i++) {
                if (i > 0) out += i % 2 ? ":" : ", ";
                print(out, *axes.values[i]);
            }
            out += ']';
            break;
    }
}

// How nested lists of constants are printed.
enum class Rows { on_one_line, on_lines_of_their_own };

void print(std::string &out, const ast::ConstantList &list, Rows rows) {
    if (list.is_leaf()) return print(out, *list.number);
    out += '[';
    std::string separator = ", ";
    if (rows == Rows::on_lines_of_their_own && !list.items[0].is_leaf()) {
        const size_t line_start = out.rfind('\n') + 1;  // 0 on the first line, whose indent is not in `out`
        separator = ",\n" + std::string(out.size() - line_start + (line_start == 0 ? stage_indent.size() : 0), ' ');
    }
    print_separated(out, list.items, separator, [&](const ast::ConstantList &item) { print(out, item, rows); });
    out += ']';
}

void print(std::string &out, const ast::AxisValues &axes, Rows) {
    print(out, axes);
}

void print(std::string &out, const std::vector<ast::Argument> &arguments, Rows rows) {
    out += '(';
    print_separated(out, arguments, ", ", [&](const ast::Argument &argument) {
        if (argument.name) out += argument.name->text + "=";
        std::visit([&](const auto &value) { print(out, value, rows); }, argument.value);
    });
    out += ')';
}

void print(std::string &out, const ast::Tensor &tensor) {
    out += tensor.dtype.text + " " + tensor.layout.text + "[";
    print(out, tensor.extents, ", ");
    out += ']';
}

struct Piece {
    std::string text;
    uint32_t begin = 0, end = 0;  // in the source
};

std::string print_stage(const ast::Stage &stage, Rows rows) {
    std::string text = stage.name.text;
    print(text, stage.arguments, rows);
    for (const ast::Epilogue &epilogue : stage.epilogues) {
        text += " + " + epilogue.name.text;
        if (!epilogue.arguments.empty()) print(text, epilogue.arguments, rows);
    }
    return text;
}

Piece stage_piece(const ast::Stage &stage) {
    Piece piece{print_stage(stage, Rows::on_one_line), stage.range.begin, stage.range.end};
    if (!stage.epilogues.empty()) piece.end = stage.epilogues.back().range.end;
    if (stage_indent.size() + piece.text.size() > line_width)
        piece.text = print_stage(stage, Rows::on_lines_of_their_own);
    return piece;
}

Piece group_piece(const ast::ScheduleGroup &group) {
    Piece piece{group.algorithm.text + "(", group.range.begin, group.range.end};
    print_separated(piece.text, group.knobs, ", ", [&](const ast::Knob &knob) {
        piece.text += knob.name.text + "=";
        print(piece.text, *knob.value);
    });
    piece.text += ')';
    return piece;
}

void print_declarations(std::string &out, const ast::Layer &layer) {
    if (!layer.inputs[0].name) return print(out, layer.inputs[0].tensor);
    out += '(';
    print_separated(out, layer.inputs, ", ", [&](const ast::TensorDeclaration &input) {
        out += input.name->text + ": ";
        print(out, input.tensor);
    });
    out += ')';
}

// What stands before the stages, with the `=` that ends it.
Piece layer_head(const ast::Layer &layer) {
    Piece head{"", layer.range.begin, layer.inputs.back().range.end};
    if (layer.name) head.text = "layer " + layer.name->text;
    if (!layer.family.empty()) {
        head.text += '[';
        print_separated(head.text, layer.family, ", ", [&](const ast::FamilyVariable &variable) {
            head.text += variable.name.text + " in {";
            print(head.text, variable.values, ", ");
            head.text += '}';
        });
        head.text += ']';
    }
    print_declarations(head.text, layer);
    if (layer.name) head.text += " =";
    return head;
}

Piece schedule_head(const ast::ScheduleStatement &schedule) {
    Piece head{"schedule " + schedule.layer.text, schedule.range.begin, schedule.target.range.end};
    if (!schedule.family_values.empty()) {
        head.text += '[';
        print(head.text, schedule.family_values, ", ");
        head.text += ']';
    }
    head.text += " on \"" + schedule.target.text + "\" =";
    return head;
}

struct Pieces {
    std::vector<Piece> pieces;
    bool head_ends_in_equals = true;  // else the first stage, too, follows an arrow
};

Pieces pieces_of(const ast::Let &let) {
    Piece piece{"let " + let.name.text + " = ", let.range.begin, let.range.end};
    print(piece.text, *let.value);
    return {{std::move(piece)}};
}

Pieces pieces_of(const ast::Layer &layer) {
    Pieces result{{layer_head(layer)}, layer.name.has_value()};
    for (const ast::Stage &stage : layer.stages) result.pieces.push_back(stage_piece(stage));
    return result;
}

Pieces pieces_of(const ast::ScheduleStatement &schedule) {
    Pieces result{{schedule_head(schedule)}};
    for (const ast::ScheduleGroup &group : schedule.groups) result.pieces.push_back(group_piece(group));
    return result;
}

// ---- layout

class Formatter {
public:
    Formatter(const SourceFile &file, const ast::Module &module) : text_(file.text), module_(module) {}

    std::string run() {
        for (const ast::Statement &statement : module_.statements) {
            const Pieces pieces = std::visit([](const auto &kind) { return pieces_of(kind); }, statement);
            own_line_comments_before(pieces.pieces[0].begin);
            blank_line_before(pieces.pieces[0].begin);
            lay_out(pieces);
        }
        own_line_comments_before(UINT32_MAX);
        return std::move(out_);
    }

private:
    bool comment_before(uint32_t offset) const {
        return next_comment_ < module_.comments.size() && module_.comments[next_comment_].range.begin < offset;
    }

    // Keeps one of the blank lines that stand before this place.
    void blank_line_before(uint32_t offset) {
        if (out_.empty()) return;
        int newlines = 0;
        while (offset > 0 && std::string_view(" \t\r\n").find(text_[offset - 1]) != std::string_view::npos) {
            newlines += text_[--offset] == '\n';
        }
        if (newlines > 1) out_ += '\n';
    }

    void own_line_comments_before(uint32_t offset) {
        for (; comment_before(offset); next_comment_++) {
            const ast::Comment &comment = module_.comments[next_comment_];
            blank_line_before(comment.range.begin);
            out_ += comment.text + "\n";
        }
    }

    void lay_out(const Pieces &all) {
        const std::vector<Piece> &pieces = all.pieces;
        hoist_comments(pieces[0].end, "");
        const std::string line = one_line(all);
        if (!comment_before(pieces.back().end) && line.size() <= line_width) {
            out_ += line;
            return end_line(pieces.back().end);
        }
        for (size_t i = 0; i < pieces.size(); i++) {
            hoist_comments(pieces[i].end, stage_indent);
            const bool follows_arrow = i > (all.head_ends_in_equals ? 1U : 0U);
            if (i > 0) out_ += follows_arrow ? " -> " : stage_indent;
            out_ += pieces[i].text;
            end_line(pieces[i].end);
        }
    }

    static std::string one_line(const Pieces &all) {
        std::string line = all.pieces[0].text;
        for (size_t i = 1; i < all.pieces.size(); i++) {
            line += i == 1 && all.head_ends_in_equals ? " " : " -> ";
            line += all.pieces[i].text;
        }
        return line;
    }

    // Comments inside a piece go on lines of their own before it, with those that already stood there.
    void hoist_comments(uint32_t before, std::string_view indent) {
        for (; comment_before(before); next_comment_++) {
            out_ += indent;
            out_ += module_.comments[next_comment_].text + "\n";
        }
    }

    // Ends the line, with the comment that stood behind the piece.
    void end_line(uint32_t piece_end) {
        if (next_comment_ < module_.comments.size() && !module_.comments[next_comment_].own_line) {
            const uint32_t begin = module_.comments[next_comment_].range.begin;
            if (is_same_line(piece_end, begin)) out_ += "  " + module_.comments[next_comment_++].text;
        }
        out_ += '\n';
    }

    bool is_same_line(uint32_t from, uint32_t to) const {
        // Only `)`, `=`, `->` and white space can stand between a piece and a comment behind it.
        return text_.substr(from, to - from).find_first_not_of(" \t\r)=->") == std::string_view::npos;
    }

    std::string_view text_;
    const ast::Module &module_;
    size_t next_comment_ = 0;
    std::string out_;
};

}  // namespace

std::string format_module(const SourceFile &file, const ast::Module &module) {
    return Formatter(file, module).run();
}

}  // namespace convc
