// The part of the parser for what stands between brackets: expressions, per-axis values, constant lists, arguments.
// The grammar is in parser.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "compiler/syntax/ast.h"
#include "compiler/syntax/diagnostic_kinds.h"
#include "compiler/syntax/parser.h"
#include "compiler/syntax/token_cursor.h"

namespace convc {

class ValueParser {
public:
    explicit ValueParser(TokenCursor &cursor) : cursor_(cursor) {}

    // Null when there is none; that is diagnosed, and the cursor stands where it went wrong.
    ast::ExpressionPtr expression();
    // From the opening bracket at the cursor to the closing one.
    std::vector<ast::ExpressionPtr> expressions();
    std::vector<ast::Argument> arguments();

    // From the opening bracket at the cursor to its closing one, over items with commas between them. `item` parses one
    // and says whether it could; a failed item is left out.
    template <class Item>
    void bracketed(Item item);

private:
    enum class AfterItem { next, done };
    AfterItem after_item(const Token &opener, size_t item_start);
    bool at_missing_comma() const;
    void unclosed(const Token &opener);

    ast::ExpressionPtr operand();
    ast::ExpressionPtr parenthesised();
    ast::ExpressionPtr negated();
    ast::ExpressionPtr leaf(ast::Expression::Kind kind);
    ast::ExpressionPtr nested(ast::ExpressionPtr (ValueParser::*parse)());
    ast::ExpressionPtr binary(ast::ExpressionPtr left, int least_precedence);
    bool count_operator();

    bool argument(std::vector<ast::Argument> &arguments);
    bool argument_value(ast::Argument &argument);
    bool axis_values(ast::AxisValues &values);
    bool tuple_or_expression(ast::AxisValues &values);
    void split_axis_values(ast::AxisValues &values);
    void spaced_axis_values(const ast::AxisValues &values);
    bool list_value(ast::Argument &argument);
    bool constant_list(ast::ConstantList &list);
    bool constant_item(ast::ConstantList &list);
    bool pad_pair(ast::AxisValues &values);

    TokenCursor &cursor_;
    int nesting_ = 0;
    int operators_ = 0;
    size_t items_ = 0;  // in the outermost list
};

template <class Item>
void ValueParser::bracketed(Item item) {
    const Token opener = cursor_.take();
    if (cursor_.at(closing(opener.kind))) {
        cursor_.take();
        return;
    }
    for (size_t count = 0;; count++) {
        if (count == max_list_items) cursor_.fail(diagnostic::list_too_long, max_list_items);
        const size_t start = cursor_.position();
        if (count >= max_list_items || !item()) {
            cursor_.mark_broken(true);
            cursor_.skip_item(start);
        }
        if (after_item(opener, start) == AfterItem::done) return;
    }
}

}  // namespace convc
