// The tensors of a whole layer, cut for its parts and put together again.
#pragma once

#include "compiler/split/split.h"
#include "tests/support/layer_data.h"

namespace convc::test {

// What a part reads of the whole's inputs and parameters.
LayerData data_of_part(const Layer &whole, const LayerPart &part, const LayerData &data);

// Writes a part's output to where it belongs in the whole's.
void place_output(const Layer &whole, const LayerPart &part, const Tensor &from, Tensor &to);

}  // namespace convc::test
