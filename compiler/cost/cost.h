// What a layer costs, counted exactly: multiplications, parameters, bytes, receptive field. Needs no kernel and no
// machine.
//
// Everything is counted in closed form, axis by axis, in time that does not depend on the extents. A multiplication is
// a multiply-accumulate (MAC) of a stage's kernel; epilogues are not counted.
#pragma once

#include <optional>
#include <vector>

#include "compiler/cost/count.h"
#include "convc/layer.h"

namespace convc {

struct StageCost {
    // Every tap of every output element counts, in padding or not, as is customary. A transposed stage is counted from
    // its input: every tap of every input element. A shuffle costs nothing.
    Count nominal_macs = 0;
    // Leaves out the taps that fall into zero padding and, in a transposed stage, those that land outside the output.
    // Taps on reflected, replicated, circular or non-zero constant padding are work like any other.
    Count real_macs = 0;
    // Nominal, of the same stage with groups=1 (a depthwise stage: of the conv with as many output channels).
    Count dense_macs = 0;
    // Weights, bias and scale. A constant kernel counts once, however many channels it serves.
    Count parameters = 0;
    Count output_elements = 0;
    // The stage on its own, f32: what it reads (input, operands of add and mul, parameters) and its output, each once.
    Count bytes = 0;
    double intensity = 0;  // floating-point operations a byte: 2 * real_macs / bytes
};

struct LayerCost {
    std::vector<StageCost> stages;
    Count nominal_macs = 0;  // sums over the stages
    Count real_macs = 0;
    Count parameters = 0;
    Count dense_macs = 0;  // nominal, of dense_equivalent(); 0 where there is none
    Count bytes = 0;       // all stages fused: inputs, parameters and output, each once, f32
    double intensity = 0;  // 2 * real_macs / bytes
};

// A batch that is known only at run time becomes 1.
Layer with_one_image(Layer layer);

// nullopt when the layer has run-time extents.
std::optional<LayerCost> layer_cost(const Layer &layer);

// What can be said of a stage without extents: multiplications of one output element (transposed: of one input
// element), and parameters.
Count macs_per_element(const Stage &stage);
Count stage_parameters(const Stage &stage);

// The side, an axis, of the window of the layer's input from which one element of the output is made, by stages up to
// and with `last`. With strides and dilations; for a transposed stage the largest window that an output can have, and
// where it is dilated as well, a bound on that.
std::vector<Count> receptive_field(const Layer &layer, int last_stage);

// The same for every stage; in linear time but for the stages from the first transposed one with a stride on.
std::vector<std::vector<Count>> receptive_fields(const Layer &layer);

// The one dense convolution (groups=1) that a chain stands for: it reads the layer's input and makes a tensor of the
// output's shape, with taps over the chain's whole receptive field, at the widest dilation that still meets every input
// element that the chain reads; stride and padding are the chain's. A 3x3 depthwise and a 1x1 conv stand for a 3x3
// conv; 3x1 and 1x3 for 3x3; 3x3 after 3x3 for 5x5; a grouped conv for itself with groups=1. A transposed stage among
// stages of kernel 1 stands for itself with groups=1; a chain with other stages around it, or with nothing but
// shuffles, stands for none.
std::optional<Stage> dense_equivalent(const Layer &layer);

}  // namespace convc
