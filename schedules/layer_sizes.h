// The extents of every tensor of a layer as Sizes, and what a call's run-time extents must satisfy.
#pragma once

#include <cstdint>
#include <vector>

#include "convc/layer.h"
#include "schedules/size.h"

namespace convc {

struct TensorSizes {
    Size batch = 1;
    std::vector<Size> space;  // depth, height, width, as far as the layout has them

    Size elements(int64_t channels) const;
};

// A call with `size` outside low..high is refused.
struct SizeLimit {
    Size size;
    int64_t low = 0;
    int64_t high = 0;
};

struct LayerSizes {
    int arguments = 0;                 // run-time extents that a call gives, in x's axis order
    std::vector<TensorSizes> inputs;   // of Layer::inputs
    std::vector<TensorSizes> outputs;  // of each stage
    std::vector<SizeLimit> limits;  // in the order in which they are to be checked; none where nothing is left to ask
};

// By the rules of sema's shapes: a run-time extent is positive (a batch may be 0), every kernel fits, reflected and
// circular padding finds what it repeats, `?` of a further tensor is the extent of the output it meets, and no tensor
// has more than 2^31 - 2^20 elements, nor an axis of unknown extent more positions with its padding: kernels count in
// 32 bits.
LayerSizes layer_sizes(const Layer &layer);

// What pad=same comes to before an axis of which the extent is known at run time only (Axis::same_at_run_time).
Size same_padding(const Axis &axis, const Size &extent);

}  // namespace convc
