// What `convc explain` says of a layer: shapes with their derivation, cost, receptive field, and the dense equivalent.
// See cost.h for what each figure counts.
//
// A batch known only at run time is counted as 1; where a spatial extent is, what can be said of one output element and
// of one pixel is said.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "convc/layer.h"

namespace convc {

// Tables for people, ending in a newline.
std::string explain_text(const Layer &layer);

// One object, its keys always the same, in this order; what cannot be known is null, and a count above 2^53, which not
// every JSON reader can hold, is a string of its digits:
//
//     name, layer (canonical line), inputs [{name, dtype, layout, extents}], output {dtype, layout, extents},
//     stages [{index, operation, kind, groups, flip, pad_mode, epilogues, input, output,
//              axes [{axis, input, kernel, stride, dilation, effective_kernel, pad_before, pad_after, output_padding,
//                     output, derivation}],
//              COST, macs_per_element, dense_macs, receptive_field}],
//     COST, receptive_field, dense_equivalent {operation, macs, ratio}, weights [{name, shape, elements}]
//
// where kind is conv, depthwise, transposed or shuffle; pad_mode and epilogues are written as in the language; COST is
// multiplications, nominal_macs, real_macs, parameters, bytes, intensity.
nlohmann::ordered_json explain_json(const Layer &layer);

}  // namespace convc
