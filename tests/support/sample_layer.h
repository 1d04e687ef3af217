// Seeded samples of layers with small extents and unequal axes, every option at odds with every other.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "convc/layer.h"
#include "tests/support/build_layer.h"

namespace convc::test {

class LayerSampler {
public:
    explicit LayerSampler(uint64_t seed) : random_(seed) {}

    int64_t draw(int64_t low, int64_t high);  // either included
    bool toss() { return draw(0, 1) == 1; }
    template <class T>
    T pick(const std::vector<T> &values) {
        return values[static_cast<size_t>(draw(0, static_cast<int64_t>(values.size()) - 1))];
    }

    // One axis: kernel up to 5, stride and dilation up to 3, any padding below the effective kernel on either side.
    Axis axis(StageKind kind);
    // An extent for which that axis has up to `most` outputs or so.
    int64_t extent(StageKind kind, const Axis &axis, int64_t most);
    // One stage (conv, depthwise or transposed) with learned weights and zero padding, in one of the layouts.
    LayerBuilder layer(StageKind kind, const std::vector<Layout> &layouts);
    // Up to `most` epilogues on the last stage, with the tensors that its add and mul need, whose extents may be 1.
    void add_epilogues(LayerBuilder &builder, int64_t most, bool keep_integers);

private:
    std::mt19937_64 random_;
};

}  // namespace convc::test
