// A layer that fails, made as simple as it gets while it still fails.
//
//     const Shrunk shrunk = shrink_layer(layer, [](const Layer &simpler) { return kernel_is_wrong(simpler); });
//     print(shrunk.layer.canonical_line());
#pragma once

#include <functional>
#include <vector>

#include "convc/layer.h"

namespace convc::test {

using Fails = std::function<bool(const Layer &)>;

struct Shrunk {
    Layer layer;
    int attempts = 0;  // calls of `fails`
};

// Greedy: takes the first simpler layer that fails too, and goes on from there until none does or the attempts are used
// up. `fails` holds for `layer` and is asked about valid layers only.
Shrunk shrink_layer(const Layer &layer, const Fails &fails, int most_attempts = 300);

// The valid layers that are simpler than this one in one respect, the boldest steps first: without a stage, an epilogue
// or a spatial axis; smaller extents, channels and kernels; no padding, stride, dilation, groups; plain modes.
std::vector<Layer> simpler_layers(const Layer &layer);

// Works out channels, shapes and further tensors anew, after a stage, an extent or an option was changed. false where
// that leaves no valid layer. Works independently of sema, as RandomLayers does.
bool rebuild(Layer &layer);

}  // namespace convc::test
