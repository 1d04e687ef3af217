#include "compiler/sema/check_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "compiler/sema/axis_names.h"
#include "compiler/sema/infer_shapes.h"
#include "compiler/sema/sema_diagnostics.h"
#include "compiler/sema/spelling.h"

namespace convc::sema {
namespace {

constexpr std::array<std::string_view, 5> dtypes{"f32", "f16", "bf16", "u8", "i8"};
constexpr std::array<std::string_view, 6> layouts{"nwc", "ncw", "nhwc", "nchw", "ndhwc", "ncdhw"};

void check_dtype(const ast::Identifier &dtype, Reporter &reporter) {
    if (dtype.text == "f32" || dtype.text.empty()) return;
    if (std::find(dtypes.begin(), dtypes.end(), dtype.text) != dtypes.end()) {
        reporter.report(dtype.range, diagnostic::unsupported_dtype, dtype.text);
        return;
    }
    auto report = reporter.report(dtype.range, diagnostic::unknown_dtype, excerpt(dtype.text));
    const std::string_view near = nearest_name(dtype.text, dtypes);
    if (!near.empty()) report.fixit(dtype.range, std::string(near));
}

std::optional<Layout> check_layout(const ast::Identifier &name, Reporter &reporter) {
    const std::optional<Layout> layout = layout_named(name.text);
    if (layout || name.text.empty()) return layout;
    auto report = reporter.report(name.range, diagnostic::unknown_layout, excerpt(name.text));
    const std::string_view near = nearest_name(name.text, layouts);
    if (!near.empty()) {
        report.fixit(name.range, std::string(near));
    } else {
        report.note("known are nwc, ncw, nhwc, nchw, ndhwc and ncdhw");
    }
    return layout;
}

class ExtentReader {
public:
    ExtentReader(const ast::Tensor &tensor, Evaluator &evaluator, Reporter &reporter)
        : tensor_(tensor), evaluator_(evaluator), reporter_(reporter) {}

    Value read(size_t index, std::string_view what, bool may_be_runtime) {
        const ast::Expression *expression = tensor_.extents[index].get();
        if (expression == nullptr) return std::nullopt;
        if (expression->kind == ast::Expression::Kind::question) {
            if (may_be_runtime) return runtime_extent;
            reporter_.report(expression->range, diagnostic::runtime_channels);
            return std::nullopt;
        }
        const Value value = evaluator_.integer(expression);
        if (!value || *value >= 1) return value;
        reporter_.report(expression->range, diagnostic::extent_too_small, what, *value);
        return std::nullopt;
    }

private:
    const ast::Tensor &tensor_;
    Evaluator &evaluator_;
    Reporter &reporter_;
};

// Without a layout nobody can tell which extent is which; mistakes inside them are still reported.
void read_blindly(const ast::Tensor &tensor, PartialTensor &found, Evaluator &evaluator, Reporter &reporter) {
    ExtentReader reader(tensor, evaluator, reporter);
    for (size_t i = 0; i < tensor.extents.size(); i++) reader.read(i, "extent", true);
    const size_t count = tensor.extents.size();
    if (!found.rank && count >= 3 && count <= 5) found.rank = count - 2;
    found.space.resize(found.rank.value_or(0));
}

void read_extents(const ast::Tensor &tensor, Layout layout, PartialTensor &found, Evaluator &evaluator,
                  Reporter &reporter) {
    ExtentReader reader(tensor, evaluator, reporter);
    const size_t rank = *found.rank;
    const size_t first_spatial = channels_last(layout) ? 1 : 2;
    found.batch = reader.read(0, "batch", true);
    found.channels = reader.read(channels_last(layout) ? rank + 1 : 1, "number of channels", false);
    for (size_t i = 0; i < rank; i++) {
        found.space.push_back(reader.read(first_spatial + i, axis_name(rank, i), true));
    }
}

}  // namespace

PartialTensor check_tensor(const ast::Tensor &tensor, bool broken, std::string_view name, Evaluator &evaluator,
                           Reporter &reporter) {
    PartialTensor found;
    check_dtype(tensor.dtype, reporter);
    found.layout = check_layout(tensor.layout, reporter);
    if (found.layout) found.rank = static_cast<size_t>(spatial_rank(*found.layout));
    const bool counted = found.layout && tensor.extents.size() == *found.rank + 2;
    if (counted) {
        read_extents(tensor, *found.layout, found, evaluator, reporter);
    } else {
        if (found.layout && !broken) {
            reporter.report(tensor.range, diagnostic::extent_count, layout_name(*found.layout), *found.rank + 2,
                            tensor.extents.size());
        }
        read_blindly(tensor, found, evaluator, reporter);
    }
    found.growth.assign(found.space.size(), 0);
    std::vector<Value> factors{found.batch, found.channels};
    factors.insert(factors.end(), found.space.begin(), found.space.end());
    if (!fits_in_memory(factors)) {
        reporter.report(tensor.range, diagnostic::tensor_too_large, fmt::format("tensor '{}'", excerpt(name)));
        for (Value &extent : found.space) extent.reset();
    }
    return found;
}

TensorType tensor_type(const PartialTensor &tensor) {
    TensorType type;
    type.layout = tensor.layout.value_or(Layout::nhwc);
    type.batch = tensor.batch.value_or(1);
    type.channels = tensor.channels.value_or(1);
    for (const Value &extent : tensor.space) type.space.push_back(extent.value_or(1));
    return type;
}

}  // namespace convc::sema
