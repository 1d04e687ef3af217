// The property that every cache and log relies on: a layer's canonical line, read back, is the layer.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "convc/layer.h"
#include "tests/sema/check_text.h"
#include "tests/support/random_layer.h"

namespace convc {
namespace {

void expect_read_back(const Layer &layer) {
    const std::string line = layer.canonical_line();
    const CheckedText checked = check_text(line);
    ASSERT_EQ(checked.rendered, "") << line;
    ASSERT_EQ(checked.module.layers.size(), 1U) << line;
    const Layer &read = checked.module.layers[0].layer;
    EXPECT_EQ(read, layer) << line << "\nreads back as\n" << read.canonical_line();
    EXPECT_EQ(read.canonical_line(), line);
}

TEST(CanonicalLine, ReadsBackForRandomLayers) {
    test::RandomLayers layers(20260101);
    for (int i = 0; i < 4000 && !HasFailure(); i++) expect_read_back(layers.next());
}

TEST(CanonicalLine, ReadsBackForRandomLayersWithRuntimeExtents) {
    test::RandomLayerOptions options;
    options.runtime_extents = true;
    test::RandomLayers layers(20260102, options);
    for (int i = 0; i < 4000 && !HasFailure(); i++) expect_read_back(layers.next());
}

// Layers that differ must not share a line: it is the key of caches.
TEST(CanonicalLine, DiffersWhereLayersDo) {
    test::RandomLayerOptions options;
    options.most_stages = 1;
    options.most_space = 3;
    options.most_channels = 2;
    options.most_kernel = 2;
    test::RandomLayers layers(20260103, options);
    std::map<std::string, Layer> by_line;
    for (int i = 0; i < 4000; i++) {
        const Layer layer = layers.next();
        const auto [other, is_new] = by_line.try_emplace(layer.canonical_line(), layer);
        EXPECT_EQ(other->second, layer) << layer.canonical_line();
    }
}

}  // namespace
}  // namespace convc
