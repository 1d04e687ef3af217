#include "compiler/syntax/value_parser.h"

#include <utility>

namespace convc {

using ast::Expression;
using ast::ExpressionPtr;

namespace {

int precedence(TokenKind kind) {
    switch (kind) {
        case TokenKind::plus:
        case TokenKind::minus:
            return 1;
        case TokenKind::star:
        case TokenKind::slash:
        case TokenKind::percent:
            return 2;
        default:
            return 0;
    }
}

bool starts_value(TokenKind kind) {
    return kind == TokenKind::identifier || kind == TokenKind::integer || kind == TokenKind::decimal ||
           kind == TokenKind::axis_values || kind == TokenKind::question || kind == TokenKind::left_paren ||
           kind == TokenKind::left_bracket;
}

ExpressionPtr join(ExpressionPtr left, char op, ExpressionPtr right) {
    auto node = std::make_unique<Expression>();
    node->kind = Expression::Kind::binary;
    node->op = op;
    node->range = {left->range.begin, right->range.end};
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
}

}  // namespace

// ---- lists

bool ValueParser::at_missing_comma() const {
    return starts_value(cursor_.peek().kind) && !cursor_.at_statement();
}

void ValueParser::unclosed(const Token &opener) {
    const std::string closer(spelling(closing(opener.kind)));
    auto report =
        cursor_.fail(diagnostic::unclosed_bracket, closer, std::string(spelling(opener.kind)), cursor_.found());
    report.note(opener.range(), "opened here");
    if (closes_bracket(cursor_.peek().kind)) {
        report.fixit(cursor_.peek().range(), closer);
    } else {
        report.fixit(cursor_.after_last(), closer);
    }
}

ValueParser::AfterItem ValueParser::after_item(const Token &opener, size_t item_start) {
    if (cursor_.accept(TokenKind::comma)) return AfterItem::next;
    if (cursor_.accept(closing(opener.kind))) return AfterItem::done;
    if (at_missing_comma()) {
        cursor_.fail(diagnostic::missing_comma, cursor_.found()).fixit(cursor_.after_last(), ",");
        return AfterItem::next;
    }
    unclosed(opener);
    if (closes_bracket(cursor_.peek().kind)) {
        cursor_.take();
        return AfterItem::done;
    }
    // What can only follow the closing bracket: read on as if it were there.
    if (cursor_.at(TokenKind::plus) || cursor_.at(TokenKind::arrow) || cursor_.at(TokenKind::equals) ||
        cursor_.at_statement()) {
        return AfterItem::done;
    }
    cursor_.skip_item(item_start);
    if (cursor_.accept(TokenKind::comma)) return AfterItem::next;
    if (closes_bracket(cursor_.peek().kind)) cursor_.take();
    return AfterItem::done;
}

std::vector<ExpressionPtr> ValueParser::expressions() {
    std::vector<ExpressionPtr> values;
    bracketed([&] {
        ExpressionPtr value = expression();
        if (!value) return false;
        values.push_back(std::move(value));
        return true;
    });
    return values;
}

// ---- expressions

ExpressionPtr ValueParser::expression() {
    operators_ = 0;
    ExpressionPtr left = operand();
    return left ? binary(std::move(left), 1) : nullptr;
}

bool ValueParser::count_operator() {
    if (operators_++ < max_operators) return true;
    cursor_.fail(diagnostic::expression_too_long, max_operators);
    return false;
}

// Precedence climbing: everything to the right of `left` that binds at least this tightly.
ExpressionPtr ValueParser::binary(ExpressionPtr left, int least_precedence) {
    while (precedence(cursor_.peek().kind) >= least_precedence) {
        if (!count_operator()) return nullptr;
        const Token &op = cursor_.take();
        ExpressionPtr right = operand();
        if (right && precedence(cursor_.peek().kind) > precedence(op.kind)) {
            right = binary(std::move(right), precedence(op.kind) + 1);
        }
        if (!right) return nullptr;
        left = join(std::move(left), spelling(op.kind)[0], std::move(right));
    }
    return left;
}

ExpressionPtr ValueParser::operand() {
    switch (cursor_.peek().kind) {
        case TokenKind::integer:
        case TokenKind::decimal:
            return leaf(Expression::Kind::number);
        case TokenKind::question:
            return leaf(Expression::Kind::question);
        case TokenKind::minus:
            return nested(&ValueParser::negated);
        case TokenKind::left_paren:
            return nested(&ValueParser::parenthesised);
        case TokenKind::identifier:
            if (!cursor_.at_statement()) return leaf(Expression::Kind::name);
            break;
        case TokenKind::axis_values:
            cursor_.fail(diagnostic::axis_values_in_expression, excerpt(cursor_.text(cursor_.peek())));
            return nullptr;
        default:
            break;
    }
    cursor_.fail(diagnostic::expected_expression, cursor_.found());
    return nullptr;
}

ExpressionPtr ValueParser::leaf(Expression::Kind kind) {
    auto node = std::make_unique<Expression>();
    const Token &token = cursor_.take();
    node->kind = kind;
    node->range = token.range();
    if (kind != Expression::Kind::question) node->text = cursor_.text(token);
    return node;
}

ExpressionPtr ValueParser::nested(ExpressionPtr (ValueParser::*parse)()) {
    if (nesting_ >= max_nesting) {
        cursor_.fail(diagnostic::nesting_too_deep, max_nesting);
        return nullptr;
    }
    nesting_++;
    ExpressionPtr node = (this->*parse)();
    nesting_--;
    return node;
}

ExpressionPtr ValueParser::negated() {
    auto node = std::make_unique<Expression>();
    node->kind = Expression::Kind::negate;
    const uint32_t begin = cursor_.take().begin;
    if (!count_operator()) return nullptr;
    node->left = operand();
    if (!node->left) return nullptr;
    node->range = {begin, node->left->range.end};
    return node;
}

ExpressionPtr ValueParser::parenthesised() {
    const Token opener = cursor_.take();
    ExpressionPtr inner = operand();
    if (inner) inner = binary(std::move(inner), 1);
    if (!inner) return nullptr;
    if (!cursor_.at(TokenKind::right_paren)) {
        unclosed(opener);
        return nullptr;
    }
    cursor_.take();
    inner->parenthesised = true;
    inner->range = cursor_.range_from(opener.begin);
    return inner;
}

// ---- per-axis values

void ValueParser::split_axis_values(ast::AxisValues &values) {
    const Token &token = cursor_.take();
    const std::string_view text = cursor_.text(token);
    values.form = ast::AxisValues::Form::times;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
        auto node = std::make_unique<Expression>();
        node->text = text.substr(at, end - at);
        node->range = {static_cast<uint32_t>(token.begin + at), static_cast<uint32_t>(token.begin + end)};
        values.values.push_back(std::move(node));
        at = end;
        while (at < text.size() && (text[at] < '0' || text[at] > '9')) at++;  // x, or the times sign
    }
}

// `3 x 3`: an integer, then a word that continues it.
void ValueParser::spaced_axis_values(const ast::AxisValues &values) {
    const Expression &first = *values.values.front();
    if (first.kind != Expression::Kind::number || first.parenthesised || !cursor_.at(TokenKind::identifier)) return;
    if (cursor_.text(cursor_.peek()).find_first_not_of("x0123456789") != std::string_view::npos) return;
    if (cursor_.text(cursor_.peek())[0] != 'x') return;
    std::string meant = first.text;
    size_t length = 0;
    for (; length < 8; length++) {
        const Token &token = cursor_.peek(length);
        const std::string_view text = cursor_.text(token);
        const bool word = token.kind == TokenKind::identifier || token.kind == TokenKind::integer ||
                          token.kind == TokenKind::axis_values;
        if (!word || text.find_first_not_of("x0123456789") != std::string_view::npos) break;
        meant += text;
    }
    if (meant.back() == 'x') return;
    const SourceRange range{values.range.begin, cursor_.peek(length - 1).end};
    cursor_.fail_at(range, diagnostic::spaced_axis_values).fixit(range, excerpt(meant));
    for (; length > 0; length--) cursor_.take();
}

bool ValueParser::tuple_or_expression(ast::AxisValues &values) {
    const Token opener = cursor_.take();
    operators_ = 0;
    ExpressionPtr first = operand();
    if (first) first = binary(std::move(first), 1);
    if (!first) return false;
    if (!cursor_.at(TokenKind::comma)) {
        if (!cursor_.at(TokenKind::right_paren)) {
            unclosed(opener);
            return false;
        }
        cursor_.take();
        first->parenthesised = true;
        first->range = cursor_.range_from(opener.begin);
        first = binary(std::move(first), 1);
        if (first) values.values.push_back(std::move(first));
        return !values.values.empty();
    }
    values.form = ast::AxisValues::Form::tuple;
    values.values.push_back(std::move(first));
    while (cursor_.accept(TokenKind::comma)) {
        ExpressionPtr next = expression();
        if (!next) return false;
        values.values.push_back(std::move(next));
    }
    if (cursor_.accept(TokenKind::right_paren)) return true;
    unclosed(opener);
    return false;
}

bool ValueParser::axis_values(ast::AxisValues &values) {
    const uint32_t begin = cursor_.peek().begin;
    if (cursor_.at(TokenKind::axis_values)) {
        const std::string text = excerpt(cursor_.text(cursor_.peek()));
        split_axis_values(values);
        values.range = cursor_.range_from(begin);
        if (precedence(cursor_.peek().kind) < 2) return true;
        cursor_.fail_at(values.range, diagnostic::axis_values_in_expression, text);
        return false;
    }
    if (cursor_.at(TokenKind::left_paren)) {
        if (!tuple_or_expression(values)) return false;
    } else {
        ExpressionPtr value = expression();
        if (!value) return false;
        values.values.push_back(std::move(value));
    }
    values.range = cursor_.range_from(begin);
    spaced_axis_values(values);
    return true;
}

// ---- arguments

std::vector<ast::Argument> ValueParser::arguments() {
    std::vector<ast::Argument> all;
    bracketed([&] { return argument(all); });
    return all;
}

bool ValueParser::argument(std::vector<ast::Argument> &arguments) {
    ast::Argument argument;
    const uint32_t begin = cursor_.peek().begin;
    if (cursor_.at(TokenKind::identifier) && cursor_.peek(1).kind == TokenKind::equals && !cursor_.at_statement()) {
        argument.name = cursor_.take_identifier();
        cursor_.take();
        if (!starts_value(cursor_.peek().kind) && !cursor_.at(TokenKind::minus)) {
            cursor_.fail(diagnostic::expected_value, excerpt(argument.name->text), cursor_.found());
            return false;
        }
    } else if (!starts_value(cursor_.peek().kind) && !cursor_.at(TokenKind::minus)) {
        cursor_.fail(diagnostic::expected_argument, cursor_.found());
        return false;
    }
    if (!argument_value(argument)) return false;
    argument.range = cursor_.range_from(begin);
    arguments.push_back(std::move(argument));
    return true;
}

bool ValueParser::argument_value(ast::Argument &argument) {
    if (cursor_.at(TokenKind::left_bracket)) return list_value(argument);
    return axis_values(std::get<ast::AxisValues>(argument.value));
}

// `[` opens either paddings `[1:2, 0:1]` or constants `[1, 2, 1]`; the first item tells.
bool ValueParser::list_value(ast::Argument &argument) {
    const uint32_t begin = cursor_.peek().begin;
    ast::AxisValues pads;
    ast::ConstantList list;
    pads.form = ast::AxisValues::Form::before_after;
    bool is_pad = false;
    items_ = 0;
    const bool empty = closes_bracket(cursor_.peek(1).kind);
    bracketed([&] {
        if (is_pad) return pad_pair(pads);
        if (!list.items.empty() || cursor_.at(TokenKind::left_bracket)) return constant_item(list);
        if (!constant_item(list)) return false;
        if (!cursor_.at(TokenKind::colon)) return true;
        is_pad = true;
        pads.values.push_back(std::move(list.items.back().number));
        cursor_.take();
        ExpressionPtr after = expression();
        if (after) pads.values.push_back(std::move(after));
        return pads.values.size() == 2;
    });
    list.range = pads.range = cursor_.range_from(begin);
    if (empty) cursor_.fail_at(list.range, diagnostic::empty_list, "[]");
    if (is_pad) {
        argument.value = std::move(pads);
    } else {
        argument.value = std::move(list);
    }
    return true;
}

bool ValueParser::pad_pair(ast::AxisValues &values) {
    ExpressionPtr before = expression();
    if (!before) return false;
    if (!cursor_.accept(TokenKind::colon)) {
        cursor_.fail(diagnostic::expected_pad_pair, cursor_.found());
        return false;
    }
    ExpressionPtr after = expression();
    if (!after) return false;
    values.values.push_back(std::move(before));
    values.values.push_back(std::move(after));
    return true;
}

bool ValueParser::constant_item(ast::ConstantList &list) {
    ast::ConstantList item;
    if (++items_ > max_list_items) {
        if (items_ == max_list_items + 1) cursor_.fail(diagnostic::list_too_long, max_list_items);
        return false;
    }
    if (cursor_.at(TokenKind::left_bracket)) {
        if (!constant_list(item)) return false;
    } else {
        item.number = expression();
        if (!item.number) return false;
        item.range = item.number->range;
    }
    list.items.push_back(std::move(item));
    return true;
}

bool ValueParser::constant_list(ast::ConstantList &list) {
    if (nesting_ >= max_nesting) {
        cursor_.fail(diagnostic::nesting_too_deep, max_nesting);
        return false;
    }
    nesting_++;
    const uint32_t begin = cursor_.peek().begin;
    const bool empty = closes_bracket(cursor_.peek(1).kind);
    bracketed([&] { return constant_item(list); });
    nesting_--;
    list.range = cursor_.range_from(begin);
    if (empty) cursor_.fail_at(list.range, diagnostic::empty_list, "[]");
    return true;
}

}  // namespace convc
