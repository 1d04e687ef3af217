// A kernel's output against the reference's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compiler/reference/reference.h"
#include "convc/layer.h"

namespace convc {

enum class Tolerance {
    exact,    // integer data, on which f32 makes no error: every element is the reference's
    bounded,  // every element is within the reference's error_bound
    // Of a kernel that does not sum as written (schedule.h): within 16 times that and the largest bound of any element,
    // since transforms mix neighbours. What it promises on the whole is a relative L2 error.
    transformed,
};

// Whether f32 makes no error on small integers in this layer, so that Tolerance::exact fits.
bool exact_on_integers(const Layer &layer);

// What each element of a kernel's output may differ by.
std::vector<double> allowed_differences(const ReferenceResult &expected, Tolerance tolerance);

struct Comparison {
    int64_t elements = 0;
    int64_t wrong = 0;  // elements that differ by more than they may

    // The worst element: the one that exceeds what is allowed by most or, when none does, comes closest to it.
    std::vector<int64_t> index;  // in the layout's order
    double got = 0;
    double expected = 0;
    double allowed = 0;  // |got - expected|

    bool ok() const { return wrong == 0; }
    // `3 of 200704 elements differ; at [0, 1, 2, 3]: got 1.5, expected 1, allowed 1.2e-06`
    std::string message() const;
};

// NaN must be NaN and infinity the same infinity; a zero's sign does not matter. `got` has as many elements as the
// output; any other number counts as every element wrong. Only those that the reference has are compared.
Comparison compare_output(const TensorType &type, std::span<const float> got, const ReferenceResult &expected,
                          Tolerance tolerance);

// ||got - expected|| / ||expected||, of the finite elements: what `precision=` promises is stated in.
double relative_l2_error(std::span<const float> got, const ReferenceResult &expected);

}  // namespace convc
