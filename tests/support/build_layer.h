// Layers by hand, for tests that must not depend on the language: shapes are worked out here, independently of sema.
#pragma once

#include <vector>

#include "convc/layer.h"

namespace convc::test {

TensorType nhwc(int64_t batch, int64_t height, int64_t width, int64_t channels);
TensorType tensor(Layout layout, int64_t batch, std::vector<int64_t> space, int64_t channels);

// Axes of a square kernel.
std::vector<Axis> square(int64_t kernel, int64_t stride = 1, int64_t pad = 0, int64_t dilation = 1);

// The one axis of a 1-D layer.
std::vector<Axis> line(int64_t kernel, int64_t stride = 1, int64_t pad = 0, int64_t dilation = 1);

class LayerBuilder {
public:
    explicit LayerBuilder(TensorType input) { layer_.inputs.push_back({"x", std::move(input)}); }

    LayerBuilder &conv(int64_t out, std::vector<Axis> axes, int64_t groups = 1);
    LayerBuilder &depthwise(std::vector<Axis> axes, int64_t multiplier = 1);
    LayerBuilder &transposed(int64_t out, std::vector<Axis> axes, int64_t groups = 1);
    LayerBuilder &shuffle(int64_t groups);
    LayerBuilder &epilogue(EpilogueKind kind, int operand = -1);
    LayerBuilder &weights(std::vector<double> values);
    LayerBuilder &pad_mode(PadMode mode, double value = 0);
    LayerBuilder &flip();
    LayerBuilder &precision(Precision precision);
    LayerBuilder &input(std::string name, TensorType type);
    LayerBuilder &epilogue(const Epilogue &epilogue);

    operator const Layer &() const { return layer_; }
    const Layer &layer() const { return layer_; }

private:
    LayerBuilder &append(StageKind kind, int64_t out, int64_t groups, std::vector<Axis> axes);
    const TensorType &current() const;
    Layer layer_;
};

}  // namespace convc::test
