// Whether tensors have as many elements as a layer wants.
#pragma once

#include <vector>

#include "compiler/reference/reference.h"
#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// Fails, naming the tensor, where one has too few or too many, or where the layer's own extents are not known.
Status check_sizes(const Layer &layer, const std::vector<ReferenceTensor> &inputs,
                   const std::vector<ReferenceTensor> &parameters);

}  // namespace convc
