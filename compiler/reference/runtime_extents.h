// Run-time extents: a layer with `?` and the numbers given for them, to a layer without.
#pragma once

#include <cstdint>
#include <span>

#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// `extents`: one for each `?` of x, in x's axis order, as a kernel's call takes them. Works out the padding of
// `pad=same` axes and every stage's output shape; a `?` of a further tensor takes the extent of the output it meets.
// Fails where a number is missing or left over, not positive (a batch may be 0), too small for the kernel or its
// padding, or too large.
Result<Layer> resolve_runtime_extents(const Layer &layer, std::span<const int64_t> extents);

}  // namespace convc
