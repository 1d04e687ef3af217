// One layer, whatever it is, compiled by its default plan and compared with every oracle that computes it: the fp64
// reference and oneDNN, exactly on integers where the layer keeps them, and within the bound on real numbers. A layer
// of run-time extents is called with several. What is wrong is returned, not reported, so that a layer can be shrunk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "convc/layer.h"

namespace convc::test {

struct LayerCheck {
    enum class Outcome {
        agrees,
        refused,  // no algorithm computes it; `why` is the planner's message
        fails,
    };
    Outcome outcome = Outcome::agrees;
    std::string why;
    int by_reference = 0;  // outputs compared
    int by_onednn = 0;
};

// `compiled_as` breaks the compiler on purpose: the kernel is that of another layer with the same tensors.
LayerCheck check_layer(const Layer &layer, uint64_t seed,
                       const std::function<Layer(const Layer &)> &compiled_as = nullptr);

// Multiply-adds of the whole layer, by which draws are kept affordable for the reference. 0 with run-time extents.
double multiply_adds(const Layer &layer);

}  // namespace convc::test
