#include "compiler/sema/read_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "compiler/sema/sema_diagnostics.h"

namespace convc::sema {
namespace {

std::string shape_text(const std::vector<int64_t> &kernel) {
    std::string text;
    for (const int64_t extent : kernel) text += fmt::format("{}{}", text.empty() ? "" : "x", extent);
    return text;
}

class WeightsReader {
public:
    WeightsReader(std::string kernel_text, Evaluator &evaluator, Reporter &reporter)
        : kernel_text_(std::move(kernel_text)), evaluator_(evaluator), reporter_(reporter) {}

    void collect(const ast::ConstantList &list) {
        if (list.is_leaf()) {
            const std::optional<double> value = evaluator_.real(list.number.get());
            complete_ = complete_ && value.has_value();
            values_.push_back(value.value_or(0));
        }
        for (const ast::ConstantList &item : list.items) collect(item);
    }

    // Reports the first place where the nesting is not that of the kernel's axes from `axis` on.
    bool matches(const ast::ConstantList &list, const std::vector<int64_t> &kernel, size_t axis) {
        if (axis == kernel.size()) {
            return list.is_leaf() || mismatch(list, "a list stands where a number should");
        }
        if (list.is_leaf()) {
            return mismatch(list, fmt::format("a number stands where a list of {} should", kernel[axis]));
        }
        if (static_cast<int64_t>(list.items.size()) != kernel[axis]) {
            return mismatch(list,
                            fmt::format("a list of {} stands where one of {} should", list.items.size(), kernel[axis]));
        }
        for (const ast::ConstantList &item : list.items) {
            if (!matches(item, kernel, axis + 1)) return false;
        }
        return true;
    }

    std::optional<std::vector<double>> values() const { return complete_ ? std::optional(values_) : std::nullopt; }

private:
    bool mismatch(const ast::ConstantList &list, std::string_view what) {
        reporter_.report(list.range, diagnostic::weights_shape, kernel_text_, what);
        return false;
    }

    std::string kernel_text_;
    Evaluator &evaluator_;
    Reporter &reporter_;
    std::vector<double> values_;
    bool complete_ = true;
};

bool is_flat(const ast::ConstantList &list) {
    for (const ast::ConstantList &item : list.items) {
        if (!item.is_leaf()) return false;
    }
    return true;
}

}  // namespace

std::optional<std::vector<double>> read_weights(const ast::ConstantList &list, const std::vector<Value> &kernel,
                                                Evaluator &evaluator, Reporter &reporter) {
    std::vector<int64_t> shape;
    shape.reserve(kernel.size());
    int64_t longest = 1;
    size_t longer_axes = 0;
    for (const Value &extent : kernel) {
        shape.push_back(extent.value_or(1));
        longest = std::max(longest, shape.back());
        if (shape.back() > 1) longer_axes++;
    }
    WeightsReader reader(shape_text(shape), evaluator, reporter);
    reader.collect(list);
    const bool known =
        std::all_of(kernel.begin(), kernel.end(), [](const Value &extent) { return extent.has_value(); });
    if (!known || shape.empty()) return std::nullopt;  // empty: the number of axes is not known
    const bool flat = longer_axes <= 1 && is_flat(list);
    const bool fits = reader.matches(list, flat ? std::vector<int64_t>{longest} : shape, 0);
    return fits ? reader.values() : std::nullopt;
}

}  // namespace convc::sema
