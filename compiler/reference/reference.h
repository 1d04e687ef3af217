// The reference: every stage of the language in plain fp64 loops. `run --verify`, the tuner and the tests compare with it.
// Slow on purpose, and short enough to be read whole.
#pragma once

#include <cstdint>
#include <vector>

#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// A tensor in its layout's order, row-major. Held in f64; f32 data convert exactly.
using ReferenceTensor = std::vector<double>;

struct ReferenceResult {
    ReferenceTensor output;
    // sum |w||x| (plus |bias| and so on) carried through the chain: the scale of the f32 error bound, an output element
    ReferenceTensor magnitude;
};

// inputs and parameters in the order of layer.inputs and layer.parameters(); parameters in PyTorch's shapes.
// The layer must have no run-time extents (resolve_runtime_extents first).
Result<ReferenceResult> run_reference(const Layer &layer, const std::vector<ReferenceTensor> &inputs,
                                      const std::vector<ReferenceTensor> &parameters);

}  // namespace convc
