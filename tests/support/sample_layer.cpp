#include "tests/support/sample_layer.h"

#include <fmt/format.h>

#include <algorithm>

namespace convc::test {
namespace {

const std::vector<EpilogueKind> integer_epilogues{EpilogueKind::bias,  EpilogueKind::scale, EpilogueKind::relu,
                                                  EpilogueKind::relu6, EpilogueKind::clip,  EpilogueKind::add,
                                                  EpilogueKind::mul};

const std::vector<EpilogueKind> real_epilogues{EpilogueKind::bias,       EpilogueKind::scale, EpilogueKind::relu,
                                               EpilogueKind::leaky_relu, EpilogueKind::clip,  EpilogueKind::sigmoid,
                                               EpilogueKind::tanh,       EpilogueKind::silu,  EpilogueKind::gelu,
                                               EpilogueKind::hardswish,  EpilogueKind::add,   EpilogueKind::mul,
                                               EpilogueKind::hardsigmoid};

// Around the multiples of 8 and 16 that vectors have, and below them.
const std::vector<int64_t> channel_counts{1, 2, 3, 5, 8, 9, 15, 16, 17, 24, 31, 33};

}  // namespace

int64_t LayerSampler::draw(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random_() % static_cast<uint64_t>(high - low + 1));
}

Axis LayerSampler::axis(StageKind kind) {
    Axis axis;
    axis.kernel = draw(1, 5);
    axis.stride = draw(1, 3);
    axis.dilation = draw(1, 3);
    axis.pad_before = draw(0, axis.effective_kernel() - 1);
    axis.pad_after = draw(0, axis.effective_kernel() - 1);
    if (kind == StageKind::transposed) axis.output_padding = draw(0, axis.stride - 1);
    return axis;
}

int64_t LayerSampler::extent(StageKind kind, const Axis &axis, int64_t most) {
    const int64_t padding = axis.pad_before + axis.pad_after;
    if (kind == StageKind::transposed)
        return 1 + (padding + axis.stride - 1) / axis.stride + draw(0, most / axis.stride);
    return std::max<int64_t>(axis.effective_kernel() - padding, 1) + draw(0, most - 1) * axis.stride + draw(0, 2);
}

LayerBuilder LayerSampler::layer(StageKind kind, const std::vector<Layout> &layouts) {
    const Layout layout = pick(layouts);
    std::vector<Axis> axes;
    std::vector<int64_t> space;
    const int64_t most = spatial_rank(layout) == 3 ? 3 : 10;
    for (int i = 0; i < spatial_rank(layout); i++) {
        axes.push_back(axis(kind));
        space.push_back(extent(kind, axes.back(), most));
    }
    const int64_t groups = kind == StageKind::depthwise ? 1 : pick<int64_t>({1, 1, 2, 3, 4});
    const int64_t in = groups * pick(channel_counts);
    const int64_t out = groups * pick(channel_counts);
    LayerBuilder builder(tensor(layout, pick<int64_t>({1, 1, 2, 3}), space, in));
    if (kind == StageKind::convolution) builder.conv(out, axes, groups);
    if (kind == StageKind::depthwise) builder.depthwise(axes, draw(1, 3));
    if (kind == StageKind::transposed) builder.transposed(out, axes, groups);
    return builder;
}

void LayerSampler::add_epilogues(LayerBuilder &builder, int64_t most, bool keep_integers) {
    const int64_t wanted = draw(0, most);
    for (int64_t i = 0; i < wanted; i++) {
        Epilogue epilogue;
        epilogue.kind = pick(keep_integers ? integer_epilogues : real_epilogues);
        const bool once = epilogue.kind == EpilogueKind::bias || epilogue.kind == EpilogueKind::scale;
        if (once && builder.layer().stages.back().has_epilogue(epilogue.kind)) continue;
        if (epilogue.kind == EpilogueKind::leaky_relu) epilogue.low = pick<double>({0.01, 0.25, 2});
        if (epilogue.kind == EpilogueKind::clip) {
            epilogue.low = static_cast<double>(draw(-40, 0));
            epilogue.high = static_cast<double>(draw(1, 40));
        }
        if (epilogue.kind == EpilogueKind::add || epilogue.kind == EpilogueKind::mul) {
            TensorType type = builder.layer().output();
            if (draw(0, 3) == 0) type.batch = 1;
            if (draw(0, 3) == 0) type.channels = 1;
            for (int64_t &extent : type.space) extent = draw(0, 3) == 0 ? 1 : extent;
            epilogue.operand = static_cast<int>(builder.layer().inputs.size());
            builder.input(fmt::format("t{}", epilogue.operand), type);
        }
        builder.epilogue(epilogue);
    }
}

}  // namespace convc::test
