// The reference: every stage of the language in plain fp64 loops. `run --verify`, the tuner and the tests compare with
// it. Slow on purpose, and short enough to be read whole.
//
//     Result<ReferenceResult> expected = run_reference(layer, inputs, parameters);
//     Comparison comparison = compare_output(layer, got, *expected, Tolerance::bounded);   // compare.h
//     if (!comparison.ok()) print(comparison.message());
#pragma once

#include <cstdint>
#include <vector>

#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// A tensor in its layout's order, row-major. Held in f64; f32 data convert exactly.
using ReferenceTensor = std::vector<double>;

struct ReferenceResult {
    ReferenceTensor output;  // of every element, or of those that were asked for
    // What an f32 kernel's output may differ by, an element: gamma_K * sum |w||x|, carried through the chain and its
    // epilogues (error_bound.h derives it). 0 where the output is NaN or infinite; infinite where f32 may overflow.
    ReferenceTensor error_bound;
    std::vector<int64_t> elements{};  // in the output's order: which these are, where they are not all
};

// inputs and parameters in the order of layer.inputs and layer.parameters(); parameters in PyTorch's shapes. The
// layer's own constants (weights=, clip's limits and so on) count as f32, as in the kernel. Padding with zeros, and
// constant taps that are zero, contribute nothing: not even NaN where what they would multiply is NaN or infinite. The
// layer must have no run-time extents (resolve_runtime_extents first).
//
// Where there are `elements`, the last stage computes those of its output alone: of a layer that takes minutes.
Result<ReferenceResult> run_reference(const Layer &layer, const std::vector<ReferenceTensor> &inputs,
                                      const std::vector<ReferenceTensor> &parameters,
                                      const std::vector<int64_t> &elements = {});

}  // namespace convc
