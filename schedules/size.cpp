// Sizes: trees of checked 64-bit arithmetic over a call's run-time extents.
#include "schedules/size.h"

#include <algorithm>
#include <limits>

namespace convc {
namespace {

using Kind = Size::Kind;

std::optional<int64_t> apply(Kind kind, int64_t a, int64_t b) {
    int64_t result = 0;
    switch (kind) {
        case Kind::sum:
            return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
        case Kind::difference:
            return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
        case Kind::product:
            return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
        case Kind::quotient:
            return b > 0 ? std::optional(a / b) : std::nullopt;
        case Kind::maximum:
            return std::max(a, b);
        case Kind::argument:
            break;
    }
    return std::nullopt;
}

}  // namespace

Size Size::argument(int index) {
    return Size(std::make_shared<const Node>(Node{Kind::argument, index, 0, 0}));
}

std::optional<int64_t> Size::evaluate(std::span<const int64_t> arguments) const {
    if (known()) return value_;
    if (node_->kind == Kind::argument) {
        const auto index = static_cast<size_t>(node_->index);
        return index < arguments.size() ? std::optional(arguments[index]) : std::nullopt;
    }
    const std::optional<int64_t> a = node_->a.evaluate(arguments), b = node_->b.evaluate(arguments);
    return a && b ? apply(node_->kind, *a, *b) : std::nullopt;
}

bool same(const Size &a, const Size &b) {
    if (a.known() || b.known()) return a.known() && b.known() && a.value_ == b.value_;
    if (a.node_ == b.node_) return true;
    if (a.node_->kind != b.node_->kind || a.node_->index != b.node_->index) return false;
    return same(a.node_->a, b.node_->a) && same(a.node_->b, b.node_->b);
}

// A constant that overflows stays an operation, which the entry point finds to overflow.
Size Size::combine(Kind kind, const Size &a, const Size &b) {
    if (a.known() && b.known()) {
        if (const auto folded = apply(kind, a.value_, b.value_)) return *folded;
    }
    return Size(std::make_shared<const Node>(Node{kind, 0, a, b}));
}

Size plus(const Size &a, const Size &b) {
    if (b.known() && b.value_ == 0) return a;
    if (a.known() && a.value_ == 0) return b;
    return Size::combine(Kind::sum, a, b);
}

Size minus(const Size &a, const Size &b) {
    return b.known() && b.value_ == 0 ? a : Size::combine(Kind::difference, a, b);
}

Size times(const Size &a, const Size &b) {
    if (b.known() && b.value_ == 1) return a;
    if (a.known() && a.value_ == 1) return b;
    return Size::combine(Kind::product, a, b);
}

Size quotient(const Size &a, int64_t divisor) {
    return divisor == 1 ? a : Size::combine(Kind::quotient, a, divisor);
}

Size larger(const Size &a, const Size &b) {
    return Size::combine(Kind::maximum, a, b);
}

}  // namespace convc
