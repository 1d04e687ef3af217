#include "compiler/reference/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace convc {
namespace {

// By what part of the allowance two numbers differ: at most 1 is right.
double excess(double got, double expected, double allowed) {
    if (got == expected || (std::isnan(got) && std::isnan(expected)) || std::isinf(allowed)) return 0;
    if (!std::isfinite(got) || !std::isfinite(expected) || allowed == 0) return std::numeric_limits<double>::infinity();
    return std::abs(got - expected) / allowed;
}

std::vector<int64_t> index_of(const TensorType &type, size_t offset) {
    std::vector<int64_t> index = type.extents();
    auto rest = static_cast<int64_t>(offset);
    for (size_t axis = index.size(); axis-- > 0;) {
        const int64_t extent = index[axis];
        index[axis] = rest % extent;
        rest /= extent;
    }
    return index;
}

double largest_finite(const ReferenceTensor &bounds) {
    double largest = 0;
    for (const double bound : bounds) largest = std::isfinite(bound) ? std::max(largest, bound) : largest;
    return largest;
}

// Of one element. `exact` needs no bounds at all.
double allowance(Tolerance tolerance, const ReferenceResult &expected, size_t element, double largest) {
    switch (tolerance) {
        case Tolerance::exact:
            return 0;
        case Tolerance::bounded:
            return expected.error_bound[element];
        case Tolerance::transformed:
            return 16 * expected.error_bound[element] + largest;
    }
    return 0;
}

}  // namespace

bool exact_on_integers(const Layer &layer) {
    const auto is_exact = [](const Epilogue &epilogue) {
        return epilogue.kind == EpilogueKind::bias || epilogue.kind == EpilogueKind::relu ||
               epilogue.kind == EpilogueKind::relu6 || epilogue.kind == EpilogueKind::add;
    };
    return layer.stages.size() == 1 && !layer.stages[0].weights &&
           std::all_of(layer.stages[0].epilogues.begin(), layer.stages[0].epilogues.end(), is_exact);
}

std::vector<double> allowed_differences(const ReferenceResult &expected, Tolerance tolerance) {
    const double largest = tolerance == Tolerance::transformed ? largest_finite(expected.error_bound) : 0;
    std::vector<double> all(expected.output.size());
    for (size_t i = 0; i < all.size(); i++) all[i] = allowance(tolerance, expected, i, largest);
    return all;
}

std::string Comparison::message() const {
    if (index.empty()) return fmt::format("the output does not have {} elements", elements);
    const std::string place =
        fmt::format("at [{}]: got {}, expected {}, allowed {:.3g}", fmt::join(index, ", "), got, expected, allowed);
    if (ok()) return fmt::format("all {} elements agree; worst {}", elements, place);
    return fmt::format("{} of {} elements differ; {}", wrong, elements, place);
}

Comparison compare_output(const TensorType &type, std::span<const float> got, const ReferenceResult &expected,
                          Tolerance tolerance) {
    Comparison comparison;
    comparison.elements = static_cast<int64_t>(expected.output.size());
    const auto all = static_cast<size_t>(type.elements().value_or(0));
    if (got.size() != (expected.elements.empty() ? expected.output.size() : all)) {
        comparison.wrong = std::max<int64_t>(comparison.elements, 1);
        return comparison;
    }
    const std::vector<double> allowed_at = allowed_differences(expected, tolerance);
    double worst = -1;
    for (size_t i = 0; i < expected.output.size(); i++) {
        const size_t element = expected.elements.empty() ? i : static_cast<size_t>(expected.elements[i]);
        const double allowed = allowed_at[i];
        const double difference = excess(got[element], expected.output[i], allowed);
        comparison.wrong += difference > 1;
        if (difference <= worst) continue;
        worst = difference;
        comparison.index = index_of(type, element);
        comparison.got = got[element];
        comparison.expected = expected.output[i];
        comparison.allowed = allowed;
    }
    return comparison;
}

double relative_l2_error(std::span<const float> got, const ReferenceResult &expected) {
    double difference = 0;
    double norm = 0;
    for (size_t i = 0; i < std::min(got.size(), expected.output.size()); i++) {
        if (!std::isfinite(expected.output[i])) continue;
        difference += (got[i] - expected.output[i]) * (got[i] - expected.output[i]);
        norm += expected.output[i] * expected.output[i];
    }
    return difference == 0 ? 0 : std::sqrt(difference / norm);
}

}  // namespace convc
