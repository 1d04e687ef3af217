// oneDNN's answer to a layer of one stage: an oracle that shares no code, no author and no language with the reference.
#pragma once

#include <optional>

#include "convc/layer.h"
#include "tests/support/layer_data.h"

namespace convc::test {

// conv, depthwise and transposed with zero padding, unflipped, learned weights, and no epilogue but a first bias.
bool onednn_computes(const Layer &layer);

// nullopt where oneDNN has no implementation for it.
std::optional<Tensor> onednn_output(const Layer &layer, const LayerData &data);

}  // namespace convc::test
