#include "compiler/sema/evaluate.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "compiler/sema/sema_diagnostics.h"
#include "compiler/sema/spelling.h"
#include "convc/layer.h"

namespace convc::sema {

bool Evaluator::knows(std::string_view word) const {
    for (const FamilyBinding &binding : scope_.family) {
        if (binding.name == word) return true;
    }
    return scope_.lets->contains(word);
}

// What a mistake in the definition hides stays hidden, and makes what uses it mistaken too.
Value Evaluator::defined(Value value) {
    if (!value) reporter_.repeat();
    return value;
}

Value Evaluator::name(const ast::Expression &expression) {
    const std::string_view word = expression.text;
    for (const FamilyBinding &binding : scope_.family) {
        if (binding.name == word) return defined(binding.value);
    }
    const auto let = scope_.lets->find(word);
    if (let != scope_.lets->end() && let->second.defined) return defined(let->second.value);
    if (let != scope_.lets->end()) {
        reporter_.report(expression.range, diagnostic::name_used_before_let, excerpt(word))
            .note(let->second.range, fmt::format("'{}' is defined here", excerpt(word)));
        return std::nullopt;
    }
    auto report = reporter_.report(expression.range, diagnostic::unknown_name, excerpt(word));
    if (!reporter_.may_suggest()) return std::nullopt;
    std::vector<std::string_view> candidates;
    candidates.reserve(scope_.family.size() + scope_.lets->size());
    for (const FamilyBinding &binding : scope_.family) candidates.push_back(binding.name);
    for (const auto &[let_name, definition] : *scope_.lets) {
        if (definition.defined) candidates.push_back(let_name);
    }
    const std::string_view near = nearest_name(word, candidates);
    if (!near.empty()) report.fixit(expression.range, std::string(near));
    return std::nullopt;
}

Value Evaluator::leaf(const ast::Expression &expression, int64_t) {
    if (expression.kind == ast::Expression::Kind::name) return name(expression);
    if (expression.kind == ast::Expression::Kind::question) {
        reporter_.report(expression.range, diagnostic::question_misplaced);
        return std::nullopt;
    }
    const std::string &text = expression.text;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size()) {
        reporter_.report(expression.range, diagnostic::not_an_integer, excerpt(text));
        return std::nullopt;
    }
    if (error == std::errc()) return value;
    reporter_.report(expression.range, diagnostic::integer_too_large, text.size());
    return std::nullopt;
}

std::optional<double> Evaluator::leaf(const ast::Expression &expression, double) {
    if (expression.kind != ast::Expression::Kind::number) {
        const Value value = leaf(expression, int64_t{});
        return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
    }
    const std::string &text = expression.text;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    reporter_.report(expression.range, diagnostic::number_out_of_range, excerpt(text));
    return std::nullopt;
}

Value Evaluator::combine(const ast::Expression &expression, int64_t left, int64_t right) {
    int64_t result = 0;
    bool overflow = false;
    switch (expression.op) {
        case '+':
            overflow = __builtin_add_overflow(left, right, &result);
            break;
        case '-':
            overflow = __builtin_sub_overflow(left, right, &result);
            break;
        case '*':
            overflow = __builtin_mul_overflow(left, right, &result);
            break;
        default:
            if (right == 0) {
                reporter_.report(expression.range, diagnostic::division_by_zero, fmt::format("{}", left),
                                 expression.op);
                return std::nullopt;
            }
            overflow = left == std::numeric_limits<int64_t>::min() && right == -1;
            if (overflow) break;
            if (expression.op == '%') return left % right;
            if (left % right != 0) {
                reporter_.report(expression.range, diagnostic::inexact_division, left, right, left % right);
                return std::nullopt;
            }
            result = left / right;
    }
    if (!overflow) return result;
    reporter_.report(expression.range, diagnostic::integer_overflow, left, expression.op, right);
    return std::nullopt;
}

std::optional<double> Evaluator::combine(const ast::Expression &expression, double left, double right) {
    switch (expression.op) {
        case '+':
            return left + right;
        case '-':
            return left - right;
        case '*':
            return left * right;
        case '/':
            if (right != 0) return left / right;
            reporter_.report(expression.range, diagnostic::division_by_zero, print_number(left), '/');
            return std::nullopt;
        default:
            reporter_.report(expression.range, diagnostic::remainder_of_reals);
            return std::nullopt;
    }
}

Value Evaluator::negated(const ast::Expression &expression, int64_t value) {
    int64_t result = 0;
    if (!__builtin_sub_overflow(int64_t{0}, value, &result)) return result;
    reporter_.report(expression.range, diagnostic::integer_overflow, 0, '-', value);
    return std::nullopt;
}

std::optional<double> Evaluator::negated(const ast::Expression &, double value) {
    return -value;
}

// Walks down the left operands in a loop, so that a sum of a million terms needs no stack.
template <class Number>
std::optional<Number> Evaluator::fold(const ast::Expression *expression) {
    using Kind = ast::Expression::Kind;
    std::vector<const ast::Expression *> spine;
    const ast::Expression *node = expression;
    while (node != nullptr && (node->kind == Kind::binary || node->kind == Kind::negate)) {
        spine.push_back(node);
        node = node->left.get();
    }
    std::optional<Number> value = node != nullptr ? leaf(*node, Number{}) : std::nullopt;
    for (auto at = spine.rbegin(); at != spine.rend(); ++at) {
        const ast::Expression &parent = **at;
        if (parent.kind == Kind::negate) {
            value = value ? negated(parent, *value) : std::nullopt;
            continue;
        }
        const std::optional<Number> right = fold<Number>(parent.right.get());
        value = value && right ? combine(parent, *value, *right) : std::nullopt;
    }
    complete_ = complete_ && value.has_value();
    return value;
}

Value Evaluator::integer(const ast::Expression *expression) {
    return fold<int64_t>(expression);
}

std::optional<double> Evaluator::real(const ast::Expression *expression) {
    const std::optional<double> value = fold<double>(expression);
    if (!value) return value;
    if (std::abs(*value) <= static_cast<double>(std::numeric_limits<float>::max())) return *value + 0.0;  // -0 is 0
    reporter_.report(expression->range, diagnostic::number_out_of_range, fmt::format("{:g}", *value));
    return std::nullopt;
}

}  // namespace convc::sema
