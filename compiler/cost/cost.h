// What a layer costs, counted exactly: multiplications, parameters, bytes, receptive field. Needs no kernel and no machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convc/layer.h"

namespace convc {

// Counts are 128-bit, so that no product of 64-bit extents overflows; print_count writes them with thousands separators.
using Count = unsigned __int128;
std::string print_count(Count count);  // 10,275

struct StageCost {
    Count nominal_macs = 0;  // counts taps in padding (or, transposed, the taps that land outside), as is customary
    Count real_macs = 0;     // leaves them out
    Count parameters = 0;    // weights (also constant ones), bias and scale
    Count output_elements = 0;
};

struct LayerCost {
    std::vector<StageCost> stages;
    StageCost total;
    Count dense_macs = 0;   // of the one dense convolution with the chain's receptive field, stride and channels; 0: none
    Count bytes = 0;        // inputs, parameters and output, each once, f32
    double intensity = 0;   // floating-point operations a byte: 2 * real_macs / bytes
    std::vector<int64_t> receptive_field;  // of one output element, an axis
};

// nullopt when the layer has run-time extents.
std::optional<LayerCost> layer_cost(const Layer &layer);

}  // namespace convc
