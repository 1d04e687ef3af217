// Random valid Layers over the whole language, seeded, for properties and for comparisons with the reference. Shapes
// are worked out here, independently of sema.
//
//     RandomLayers layers(7, {.kinds = {StageKind::convolution}, .most_stages = 1});
//     const Layer layer = layers.next();
#pragma once

#include <cstdint>
#include <vector>

#include "convc/layer.h"
#include "tests/support/random.h"

namespace convc::test {

// What the layers may contain. An empty list stands for everything there is.
struct RandomLayerOptions {
    std::vector<Layout> layouts = {};
    std::vector<StageKind> kinds = {};
    std::vector<EpilogueKind> epilogues = {};
    std::vector<PadMode> pad_modes = {};
    std::vector<Precision> precisions = {};
    int most_stages = 3;
    int most_epilogues = 3;  // a stage
    int64_t most_batch = 3;
    int64_t most_space = 12;
    int64_t most_channels = 8;  // of the input; grouping and multipliers may give a few times more
    int64_t most_kernel = 5;
    int64_t most_stride = 3;
    int64_t most_dilation = 3;
    int64_t most_groups = 4;
    bool constant_weights = true;
    bool flip = true;
    bool runtime_extents = false;
    bool integers = false;  // every constant is one
};

class RandomLayers {
public:
    explicit RandomLayers(uint64_t seed, RandomLayerOptions options = {});

    Layer next();

private:
    double number();
    TensorType input_type();
    void add_stage();
    Stage channels_of(StageKind kind, const TensorType &input);
    Axis forward_axis(int64_t extent, bool same);
    Axis transposed_axis(int64_t extent);
    void choose_axes(Stage &stage, const TensorType &input);
    void choose_pad_mode(Stage &stage, const TensorType &input);
    void choose_weights(Stage &stage);
    void add_epilogue(Stage &stage);
    int operand_for(const Stage &stage);

    RandomLayerOptions options_;
    Random random_;
    Layer layer_;
};

}  // namespace convc::test
