// examples/variants.conv holds a layer for whatever the language combines: every kind of stage in every layout, with
// every epilogue and with every run-time extent, every padding mode at every rank, and constants of each sort. What is
// missing is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "tests/cost/read_layers.h"

namespace convc {
namespace {

using Kinds = std::vector<StageKind>;
const Kinds convolutions{StageKind::convolution, StageKind::depthwise, StageKind::transposed};
const Kinds all_kinds{StageKind::convolution, StageKind::depthwise, StageKind::transposed, StageKind::shuffle};

const char *name_of(StageKind kind) {
    static constexpr std::array<const char *, 4> names{"conv", "depthwise", "transposed", "shuffle"};
    return names[static_cast<size_t>(kind)];
}

const std::vector<CheckedLayer> &layers() {
    static const test::Reading reading =
        test::read_layers("variants.conv", test::read_source_file("examples/variants.conv"));
    return reading.module.layers;
}

// Whether some layer of the file has a stage of which this is true.
bool shown(const std::function<bool(const Layer &, const Stage &)> &condition) {
    return std::any_of(layers().begin(), layers().end(), [&](const CheckedLayer &checked) {
        const std::vector<Stage> &stages = checked.layer.stages;
        return std::any_of(stages.begin(), stages.end(),
                           [&](const Stage &stage) { return condition(checked.layer, stage); });
    });
}

bool any_axis(const Stage &stage, const std::function<bool(const Axis &)> &condition) {
    return std::any_of(stage.axes.begin(), stage.axes.end(), condition);
}
bool is_strided(const Stage &stage) {
    return any_axis(stage, [](const Axis &axis) { return axis.stride > 1; });
}
bool is_dilated(const Stage &stage) {
    return any_axis(stage, [](const Axis &axis) { return axis.dilation > 1; });
}
bool is_padded_unevenly(const Stage &stage) {
    return any_axis(stage, [](const Axis &axis) { return axis.pad_before != axis.pad_after; });
}
bool has_rank(const Stage &stage, int rank) {
    return static_cast<int>(stage.axes.size()) == rank;
}

TEST(VariantsExample, HasSixtyLayersAndMore) {
    EXPECT_GE(layers().size(), 60U);
}

TEST(VariantsExample, HasEveryKindInEveryLayout) {
    for (const StageKind kind : convolutions) {
        for (const char *name : {"nwc", "ncw", "nhwc", "nchw", "ndhwc", "ncdhw"}) {
            EXPECT_TRUE(shown([&](const Layer &layer, const Stage &stage) {
                return stage.kind == kind && layer.inputs[0].type.layout == layout_named(name);
            })) << name_of(kind)
                << " in " << name;
        }
    }
}

TEST(VariantsExample, HasEveryCombinationOfStrideDilationAndGroups) {
    for (int bits = 0; bits < 8; bits++) {
        for (const StageKind kind : {StageKind::convolution, StageKind::transposed}) {
            EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
                return stage.kind == kind && is_strided(stage) == ((bits & 1) != 0) &&
                       is_dilated(stage) == ((bits & 2) != 0) && (stage.groups > 1) == ((bits & 4) != 0);
            })) << name_of(kind)
                << (bits & 1 ? " strided" : "") << (bits & 2 ? " dilated" : "") << (bits & 4 ? " grouped" : "");
        }
    }
    EXPECT_TRUE(shown([](const Layer &, const Stage &stage) {
        return stage.kind == StageKind::depthwise && is_strided(stage) && is_dilated(stage);
    }));
    EXPECT_TRUE(shown([](const Layer &, const Stage &stage) {
        return any_axis(stage, [](const Axis &axis) { return axis.kernel > 1 && axis.stride > axis.kernel; });
    })) << "a stride beyond the kernel";
}

TEST(VariantsExample, HasEveryKindFlippedAndPaddedUnevenly) {
    for (const StageKind kind : convolutions) {
        EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) { return stage.kind == kind && stage.flip; }))
            << name_of(kind) << " flipped";
        EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
            return stage.kind == kind && is_padded_unevenly(stage);
        })) << name_of(kind)
            << " padded unevenly";
        for (int rank = 1; rank <= 3; rank++) {
            EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
                return stage.kind == kind && has_rank(stage, rank);
            })) << name_of(kind)
                << " of rank " << rank;
        }
    }
    EXPECT_TRUE(shown([](const Layer &, const Stage &stage) {
        return any_axis(stage, [](const Axis &axis) { return axis.output_padding > 0; });
    }));
}

TEST(VariantsExample, HasEveryPaddingModeUneven) {
    const std::vector<PadMode> modes{PadMode::zeros, PadMode::reflect, PadMode::replicate, PadMode::circular,
                                     PadMode::constant};
    for (const PadMode mode : modes) {
        for (int rank = 1; rank <= 3; rank++) {
            EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
                return stage.pad_mode == mode && has_rank(stage, rank) && is_padded_unevenly(stage);
            })) << "mode "
                << static_cast<int>(mode) << " at rank " << rank;
        }
        for (const StageKind kind : {StageKind::convolution, StageKind::depthwise}) {
            EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
                return stage.pad_mode == mode && stage.kind == kind && is_padded_unevenly(stage);
            })) << "mode "
                << static_cast<int>(mode) << " of " << name_of(kind);
        }
    }
}

TEST(VariantsExample, HasEveryEpilogueOnEveryKind) {
    for (int epilogue = 0; epilogue <= static_cast<int>(EpilogueKind::mul); epilogue++) {
        for (const StageKind kind : all_kinds) {
            EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
                return stage.kind == kind && stage.has_epilogue(static_cast<EpilogueKind>(epilogue));
            })) << "epilogue "
                << epilogue << " on " << name_of(kind);
        }
    }
}

TEST(VariantsExample, HasRunTimeExtentsOfEveryKind) {
    for (const StageKind kind : all_kinds) {
        EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
            return stage.kind == kind && stage.output.batch == runtime_extent;
        })) << name_of(kind)
            << " of any batch";
        EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) {
            return stage.kind == kind && stage.output.space[0] == runtime_extent;
        })) << name_of(kind)
            << " of any size";
    }
    EXPECT_TRUE(shown([](const Layer &layer, const Stage &) {
        return layer.inputs.size() > 1 && layer.inputs.back().type.has_runtime_extent();
    })) << "a further tensor of any size";
}

TEST(VariantsExample, HasConstantsOfEachSort) {
    const auto has_zero = [](const Stage &stage) {
        return stage.weights && std::count(stage.weights->begin(), stage.weights->end(), 0.0) > 0;
    };
    for (const StageKind kind : {StageKind::convolution, StageKind::depthwise}) {
        EXPECT_TRUE(shown([&](const Layer &, const Stage &stage) { return stage.kind == kind && has_zero(stage); }))
            << name_of(kind) << " with zero taps";
    }
    const test::Reading reading = test::read_layers("v", test::read_source_file("examples/variants.conv"));
    std::set<int> rank_one;  // spatial ranks of the layers warned about
    for (const Diagnostic &diagnostic : reading.diagnostics.all()) {
        if (diagnostic.id != "rank-one-kernel") continue;
        for (const CheckedLayer &checked : reading.module.layers) {
            if (checked.stage_ranges[0].begin == diagnostic.range.begin) {
                rank_one.insert(checked.layer.inputs[0].type.rank());
            }
        }
    }
    EXPECT_EQ(rank_one, (std::set<int>{2, 3}));
}

// Between which kinds of stages a chain leads; shuffles first, last and in the middle.
TEST(VariantsExample, HasTheChainsThatAreFused) {
    std::set<std::string> chains;
    for (const CheckedLayer &checked : layers()) {
        std::string chain;
        for (const Stage &stage : checked.layer.stages) {
            const bool pointwise = stage.kind == StageKind::convolution && stage.kernel_volume() == 1;
            chain += std::string(chain.empty() ? "" : " ") + (pointwise ? "1x1" : name_of(stage.kind));
        }
        chains.insert(chain);
    }
    for (const char *chain :
         {"depthwise 1x1", "1x1 depthwise", "1x1 depthwise 1x1", "1x1 depthwise depthwise", "conv conv",
          "conv shuffle conv", "1x1 shuffle 1x1", "1x1 shuffle depthwise 1x1", "depthwise depthwise", "shuffle conv",
          "conv shuffle", "shuffle", "shuffle depthwise", "transposed shuffle", "conv transposed"}) {
        EXPECT_TRUE(chains.contains(chain)) << chain;
    }
}

}  // namespace
}  // namespace convc
