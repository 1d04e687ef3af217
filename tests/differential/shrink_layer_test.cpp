// The shrinker: every step gives a valid layer, and a failure is narrowed down to what causes it.
#include "tests/support/shrink_layer.h"

#include <gtest/gtest.h>

#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"
#include "tests/support/build_layer.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"

namespace convc {
namespace {

using test::LayerBuilder;
using test::shrink_layer;
using test::Shrunk;
using test::square;

// Sema knows nothing of the shrinker: a layer is valid when it reads back as itself.
testing::AssertionResult reads_back(const Layer &layer) {
    const SourceFile file{"<layer>", layer.canonical_line()};
    Diagnostics diagnostics;
    const CheckedModule checked = check_module(parse_module(file, diagnostics), diagnostics);
    if (checked.layers.size() != 1) {
        return testing::AssertionFailure() << file.text << "\n" << render_text(file, diagnostics, false);
    }
    Layer expected = layer;
    expected.name = checked.layers[0].layer.name;
    if (checked.layers[0].layer == expected) return testing::AssertionSuccess();
    return testing::AssertionFailure() << file.text << "\n  reads back as\n"
                                       << checked.layers[0].layer.canonical_line();
}

TEST(ShrinkLayer, EveryStepOnAnyPathIsAValidLayer) {
    for (const bool runtime_extents : {false, true}) {
        test::RandomLayers layers(77, {.most_stages = 4, .runtime_extents = runtime_extents});
        test::Random random(78);
        for (int i = 0; i < test::sample_size(60, 2'000) && !HasFailure(); i++) {
            const Layer layer = layers.next();
            shrink_layer(layer, [&](const Layer &simpler) {
                EXPECT_TRUE(reads_back(simpler)) << "from " << layer.canonical_line();
                return random.one_in(5);
            });
        }
    }
}

TEST(ShrinkLayer, RebuildingAValidLayerChangesNothing) {
    test::RandomLayers layers(79, {.most_stages = 4});
    for (int i = 0; i < 500; i++) {
        const Layer layer = layers.next();
        Layer rebuilt = layer;
        ASSERT_TRUE(test::rebuild(rebuilt)) << layer.canonical_line();
        EXPECT_EQ(rebuilt, layer) << layer.canonical_line() << "\n" << rebuilt.canonical_line();
    }
}

bool dilated_by_two_with_odd_channels(const Layer &layer) {
    for (const Stage &stage : layer.stages) {
        if (stage.in_channels % 2 == 0) continue;
        for (const Axis &axis : stage.axes) {
            if (axis.dilation == 2) return true;
        }
    }
    return false;
}

TEST(ShrinkLayer, NarrowsAFailureDownToItsCause) {
    test::RandomLayers layers(80, {.most_stages = 4, .runtime_extents = true});
    int shrunken = 0;
    for (int i = 0; i < 300; i++) {
        const Layer layer = layers.next();
        if (!dilated_by_two_with_odd_channels(layer)) continue;
        const Shrunk shrunk = shrink_layer(layer, dilated_by_two_with_odd_channels, 10'000);
        ASSERT_TRUE(dilated_by_two_with_odd_channels(shrunk.layer));
        EXPECT_TRUE(reads_back(shrunk.layer));
        ASSERT_EQ(shrunk.layer.stages.size(), 1U) << shrunk.layer.canonical_line();
        const Stage &stage = shrunk.layer.stages[0];
        EXPECT_EQ(shrunk.layer.inputs[0].type, test::tensor(Layout::nwc, 1, {1}, 1)) << shrunk.layer.canonical_line();
        EXPECT_EQ(shrunk.layer.inputs.size(), 1U);
        EXPECT_TRUE(stage.epilogues.empty());
        EXPECT_FALSE(stage.flip || stage.weights);
        EXPECT_EQ(stage.axes[0].kernel, 1) << shrunk.layer.canonical_line();
        shrunken++;
    }
    EXPECT_GT(shrunken, 50);
}

TEST(ShrinkLayer, StopsWhenItsAttemptsAreUsedUp) {
    const Layer layer = LayerBuilder(test::nhwc(4, 64, 64, 64)).conv(64, square(7, 2, 3));
    int asked = 0;
    const Shrunk shrunk = shrink_layer(
        layer,
        [&](const Layer &) {
            asked++;
            return false;
        },
        5);
    EXPECT_EQ(asked, 5);
    EXPECT_EQ(shrunk.attempts, 5);
    EXPECT_EQ(shrunk.layer, layer);
}

TEST(ShrinkLayer, KeepsWhatATensorBroadcastsAlong) {
    LayerBuilder builder(test::nhwc(3, 9, 9, 6));
    builder.input("gate", test::nhwc(1, 1, 9, 6)).conv(6, square(3, 1, 1)).epilogue(EpilogueKind::mul, 1);
    const auto broadcasts = [](const Layer &layer) {
        return layer.inputs.size() == 2 && layer.inputs[1].type.batch == 1 && layer.output().batch > 1;
    };
    const Shrunk shrunk = shrink_layer(builder, broadcasts, 10'000);
    EXPECT_EQ(shrunk.layer.canonical_line(), "(x: f32 nwc[2, 1, 1], gate: f32 nwc[1, 1, 1]) -> conv(1, 1) + mul(gate)");
}

}  // namespace
}  // namespace convc
