// The language and these tests agree on what a layer is: the canonical line of a layer built by hand reads back as that
// layer, every shape in it worked out anew.
#include <gtest/gtest.h>

#include "compiler/reference/runtime_extents.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "tests/support/sample_layer.h"

namespace convc {
namespace {

const std::vector<Layout> all_layouts{Layout::nwc,  Layout::ncw,   Layout::nhwc,
                                      Layout::nchw, Layout::ndhwc, Layout::ncdhw};

std::optional<Layer> read(const std::string &line) {
    const SourceFile file{"<layer>", line};
    Diagnostics diagnostics;
    CheckedModule checked = check_module(parse_module(file, diagnostics), diagnostics);
    if (!diagnostics.has_errors() && checked.layers.size() == 1) return checked.layers[0].layer;
    ADD_FAILURE() << render_text(file, diagnostics, false);
    return std::nullopt;
}

Layer sampled(test::LayerSampler &sampler) {
    const auto kind = sampler.pick<StageKind>({StageKind::convolution, StageKind::depthwise, StageKind::transposed});
    test::LayerBuilder builder = sampler.layer(kind, all_layouts);
    if (sampler.toss()) builder.flip();
    sampler.add_epilogues(builder, 4, sampler.toss());
    if (sampler.toss()) {
        const auto axes = static_cast<size_t>(builder.layer().output().rank());
        builder.depthwise(std::vector<Axis>(axes, test::line(1, 1 + sampler.draw(0, 1))[0]));
        sampler.add_epilogues(builder, 2, true);
    }
    return builder;
}

TEST(Language, ReadsBackWhatALayerPrints) {
    test::LayerSampler sampler(1603);
    for (int i = 0; i < 500; i++) {
        const Layer layer = sampled(sampler);
        const std::optional<Layer> again = read(layer.canonical_line());
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, layer) << layer.canonical_line() << "\nreads back as\n" << again->canonical_line();
        if (HasFailure()) return;
    }
}

// `?` for every extent, and then the numbers again: at run time a layer becomes what it is when they are written.
TEST(Language, RunTimeExtentsGiveTheSameShapes) {
    test::LayerSampler sampler(7285);
    int tried = 0;
    for (int i = 0; i < 500; i++) {
        const Layer layer = sampled(sampler);
        Layer open = layer;
        std::vector<int64_t> extents{open.inputs[0].type.batch};
        open.inputs[0].type.batch = runtime_extent;
        for (int64_t &extent : open.inputs[0].type.space) extents.push_back(std::exchange(extent, runtime_extent));
        if (open.inputs.size() > 1) continue;
        const std::optional<Layer> read_open = read(open.canonical_line());
        ASSERT_TRUE(read_open);
        const Result<Layer> resolved = resolve_runtime_extents(*read_open, extents);
        ASSERT_TRUE(resolved) << resolved.error().message;
        EXPECT_EQ(*resolved, layer) << layer.canonical_line();
        tried++;
    }
    EXPECT_GT(tried, 100);
}

}  // namespace
}  // namespace convc
