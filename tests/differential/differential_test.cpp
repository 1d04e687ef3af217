// Random layers drawn from the whole grammar, compiled and compared with the fp64 reference and with oneDNN: 1,600 of
// them, 50,000 with `./dev test --long`. A layer that fails is shrunk, and both canonical lines are printed; either can
// be given to `convc run --verify`.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "tests/differential/check_layer.h"
#include "tests/support/random_layer.h"
#include "tests/support/sample_size.h"
#include "tests/support/shrink_layer.h"
#include "tests/support/tally.h"

namespace convc {
namespace {

using test::LayerCheck;
using Outcome = LayerCheck::Outcome;

constexpr uint64_t shards = 40;  // each a test of its own, so that they run side by side
constexpr int layers_in_all = 1'600;
constexpr int layers_in_all_with_long = 50'000;

// What the language has and no algorithm computes yet: nothing. A layer with any of it may be refused and is counted,
// as
// {"transposed", [](const Stage &stage) { return stage.kind == StageKind::transposed; }} once were; no other layer may.
struct Missing {
    const char *what;
    bool (*is_in)(const Stage &stage);
};
const std::vector<Missing> without_a_kernel{};

const char *what_is_missing_for(const Layer &layer) {
    for (const Missing &missing : without_a_kernel) {
        if (std::any_of(layer.stages.begin(), layer.stages.end(), missing.is_in)) return missing.what;
    }
    return nullptr;
}

// Small, because a layer is compiled for 0.1 s a stage and run for microseconds: mostly few stages and few channels,
// but every fourth reaches past two vectors, and every seventh has four stages.
test::RandomLayerOptions options(uint64_t turn) {
    test::RandomLayerOptions options;
    options.most_stages = turn % 7 == 0 ? 4 : 1 + static_cast<int>(turn % 3);
    options.most_epilogues = turn % 5 == 0 ? 3 : 1;
    options.most_channels = turn % 4 == 0 ? 24 : 9;
    options.runtime_extents = turn % 3 == 1;
    options.integers = turn % 2 == 0;
    return options;
}

Layer affordable_layer(uint64_t seed, uint64_t turn) {
    test::RandomLayers layers(seed, options(turn));
    Layer layer = layers.next();
    while (test::multiply_adds(layer) > 2e6) layer = layers.next();
    return layer;
}

void report(const Layer &layer, uint64_t seed, const LayerCheck &check) {
    const auto fails = [&](const Layer &simpler) { return test::check_layer(simpler, seed).outcome == Outcome::fails; };
    const test::Shrunk shrunk = test::shrink_layer(layer, fails);
    ADD_FAILURE() << "drawn, seed " << seed << ":\n    " << layer.canonical_line() << "\n"
                  << check.why << "shrunk in " << shrunk.attempts << " attempts:\n    " << shrunk.layer.canonical_line()
                  << "\n"
                  << test::check_layer(shrunk.layer, seed).why;
}

class Differential : public testing::TestWithParam<uint64_t> {
protected:
    void check(const Layer &layer, uint64_t seed) {
        const LayerCheck check = test::check_layer(layer, seed);
        by_reference_ += check.by_reference;
        by_onednn_ += check.by_onednn;
        if (check.outcome == Outcome::fails) return report(layer, seed, check);
        if (check.outcome == Outcome::agrees) return;
        refused_++;
        const char *missing = what_is_missing_for(layer);
        ASSERT_NE(missing, nullptr) << layer.canonical_line() << "\n" << check.why;
        test::tally().refused(missing);
    }

    int refused_ = 0, by_reference_ = 0, by_onednn_ = 0;
};

TEST_P(Differential, RandomLayersAgreeWithEveryOracle) {
    const auto count = static_cast<uint64_t>(test::sample_size(layers_in_all, layers_in_all_with_long)) / shards;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t seed = GetParam() * 1'000'000 + i;
        check(affordable_layer(seed, GetParam() + i), seed);
        if (HasFailure()) break;  // one bug at a time: most layers of a shard would meet it
    }
    std::cout << count << " layers drawn, " << refused_ << " without a kernel yet; " << by_reference_
              << " outputs compared with the reference, " << by_onednn_ << " with oneDNN\n";
    if (HasFailure()) return;
    EXPECT_GT(by_reference_, static_cast<int>(count) / 4);
    EXPECT_GT(by_onednn_, 0);
}

INSTANTIATE_TEST_SUITE_P(Shard, Differential, testing::Range<uint64_t>(0, shards));

}  // namespace
}  // namespace convc
