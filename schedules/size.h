// A size in memory: a number known when the kernel is compiled, or one worked out from the run-time extents (`?`) of a
// call. Immutable; copies share their parts. The entry points compute what is not known with checked arithmetic.
//
//     const Size width = Size::argument(1);                       // the second run-time extent of x
//     const Size bytes = times(times(width, 64), 4);
//     bytes.known()                                               // false
//     bytes.evaluate({3, 100})                                    // 25600
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "convc/layer.h"

namespace convc {

class Size {
public:
    enum class Kind { argument, sum, difference, product, quotient, maximum };
    struct Node;

    Size(int64_t value = 0) : value_(value) {}  // NOLINT(google-explicit-constructor): a number is a size
    static Size argument(int index);

    bool known() const { return node_ == nullptr; }
    // The number; runtime_extent (-1) where it is not known, as in a TensorType.
    operator int64_t() const { return known() ? value_ : runtime_extent; }  // NOLINT(google-explicit-constructor)
    const Node *node() const { return node_.get(); }                        // nullptr where it is known

    // nullopt where an operation overflows, or an argument is missing.
    std::optional<int64_t> evaluate(std::span<const int64_t> arguments) const;

    // The same number whatever the arguments: equal trees, that is.
    friend bool same(const Size &a, const Size &b);

    // Named functions, not operators: those would compete with the conversion to int64_t.
    friend Size plus(const Size &a, const Size &b);
    friend Size minus(const Size &a, const Size &b);
    friend Size times(const Size &a, const Size &b);
    friend Size quotient(const Size &a, int64_t divisor);  // rounded down; a >= 0, divisor > 0
    friend Size larger(const Size &a, const Size &b);

private:
    explicit Size(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
    static Size combine(Kind kind, const Size &a, const Size &b);

    int64_t value_ = 0;
    std::shared_ptr<const Node> node_;
};

struct Size::Node {
    Kind kind = Kind::argument;
    int index = 0;  // of an argument
    Size a, b;      // of an operation
};

bool same(const Size &a, const Size &b);
Size plus(const Size &a, const Size &b);
Size minus(const Size &a, const Size &b);
Size times(const Size &a, const Size &b);
Size quotient(const Size &a, int64_t divisor);
Size larger(const Size &a, const Size &b);

}  // namespace convc
