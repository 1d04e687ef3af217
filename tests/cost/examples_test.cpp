// examples/: every file checks clean, the lints that are there to be shown are shown, and the networks add up to their
// published sizes.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "compiler/cost/cost.h"
#include "compiler/cost/explain.h"
#include "tests/cost/read_layers.h"

namespace convc {
namespace {

using test::Reading;

Reading read_example(const std::string &name) {
    const std::string path = "examples/" + name;
    return test::read_layers(path, test::read_source_file(path));
}

class Examples : public testing::TestWithParam<const char *> {};

TEST_P(Examples, CheckClean) {
    const Reading reading = read_example(GetParam());
    EXPECT_TRUE(reading.diagnostics.all().empty()) << reading.rendered;
    EXPECT_GE(reading.module.layers.size(), 5U);
}

TEST_P(Examples, AreReadBackFromTheirCanonicalLines) {
    for (const CheckedLayer &checked : read_example(GetParam()).module.layers) {
        Layer again = test::read_layer(checked.layer.canonical_line());
        again.name = checked.layer.name;
        EXPECT_EQ(again, checked.layer) << checked.layer.canonical_line();
    }
}

TEST_P(Examples, AreFormatted) {
    const std::string path = std::string("examples/") + GetParam();
    const std::string text = test::read_source_file(path);
    EXPECT_EQ(test::formatted(path, text), text);
}

std::string stem(const testing::TestParamInfo<const char *> &file) {
    const std::string name = file.param;
    return name.substr(0, name.find('.'));
}

INSTANTIATE_TEST_SUITE_P(Files, Examples,
                         testing::Values("edges.conv", "mobilenet_v2.conv", "odd.conv", "resnet50.conv"), stem);

TEST(ExampleOfVariants, WarnsOfTheLayersThatAreThereForIt) {
    const Reading reading = read_example("variants.conv");
    EXPECT_FALSE(reading.diagnostics.has_errors()) << reading.rendered;
    for (const char *id : {"checkerboard", "gridding", "rank-one-kernel", "depthwise-as-groups", "dead-padding"}) {
        EXPECT_TRUE(reading.reports(id)) << id;
    }
    for (size_t i = 0; i < reading.module.layers.size(); i++) {
        CheckedModule alone;
        alone.layers.push_back(reading.module.layers[i]);
        const std::string name = alone.layers[0].layer.name;
        const Reading single = test::read_layers(name, alone.layers[0].layer.canonical_line());
        EXPECT_EQ(!single.diagnostics.all().empty(), name.starts_with("lint_")) << name << "\n" << single.rendered;
    }
}

// The figures of the table of variants, from text to explanation.
TEST(ExampleOfVariants, ExplainsItsFigures) {
    const std::map<std::string, std::string> fragments{
        {"dense", "86,400 multiplications\n"},
        {"separable_depthwise", "675 + 9,600 = 10,275 multiplications, 11.9 % of 86,400: the dense equivalent is"},
        {"separable", "45 + 27 = 72 multiplications, 88.9 % of 81: the dense equivalent is"},
        {"sobel_x", "3 + 3 = 6 multiplications a pixel, 66.7 % of 9: the dense equivalent is"},
        {"dilated_stack", "15x15"},
        {"two_groups", " multiplications, 50.0 % of 447,897,600: the dense equivalent is"},
        {"pad_valid", "o = floor((5 + 0 + 0 - 3) / 1) + 1 = 3"},
        {"pad_same", "o = floor((5 + 1 + 1 - 3) / 1) + 1 = 5"},
        {"pad_half", "o = floor((5 + 2 + 2 - 4) / 1) + 1 = 6"},
        {"pad_full", "o = floor((5 + 2 + 2 - 3) / 1) + 1 = 7"},
        {"aspp", "k' = 3 + (3 - 1) * (12 - 1) = 25"},
        {"transposed_2_to_4", "o = (2 - 1) * 1 - 0 - 0 + 3 + 0 = 4"},
        {"lint_checkerboard", "o = (2 - 1) * 2 - 0 - 0 + 3 + 0 = 5"},
    };
    size_t found = 0;
    for (const CheckedLayer &checked : read_example("variants.conv").module.layers) {
        const auto fragment = fragments.find(checked.layer.name);
        if (fragment == fragments.end()) continue;
        const std::string text = explain_text(checked.layer);
        EXPECT_NE(text.find(fragment->second), std::string::npos) << "no \"" << fragment->second << "\" in\n" << text;
        found++;
    }
    EXPECT_EQ(found, fragments.size());
}

// What a layer's comment says of how often the network has it: `# 2x` on the line before.
int64_t times(const std::string &text, const std::string &layer) {
    std::smatch match;
    const bool found = std::regex_search(text, match, std::regex("# (\\d+)x[^\\n]*\\nlayer " + layer + "\\("));
    EXPECT_TRUE(found) << "no multiplicity for " << layer;
    return found ? std::stoll(match[1]) : 0;
}

void expect_network(const std::string &file, const std::string &parameters, const std::string &macs) {
    const std::string text = test::read_source_file("examples/" + file);
    Count all_parameters = 0;
    Count all_macs = 0;
    for (const CheckedLayer &checked : read_example(file).module.layers) {
        const LayerCost cost = layer_cost(checked.layer).value_or(LayerCost{});
        const Count count = as_count(times(text, checked.layer.name));
        all_parameters = add(all_parameters, multiply(count, cost.parameters));
        all_macs = add(all_macs, multiply(count, cost.nominal_macs));
    }
    EXPECT_EQ(print_count(all_parameters), parameters);
    EXPECT_EQ(print_count(all_macs), macs);
    EXPECT_NE(text.find(parameters), std::string::npos) << "the file's heading names another figure";
    EXPECT_NE(text.find(macs), std::string::npos) << "the file's heading names another figure";
}

// torchvision counts 3,504,872 and 25,557,032 with two numbers a channel of batch normalisation; folded, each channel
// has one bias in their place: 17,056 and 26,560 fewer.
TEST(ExampleNetworks, HaveTheirPublishedSizes) {
    expect_network("mobilenet_v2.conv", "3,487,816", "300,774,272");
    expect_network("resnet50.conv", "25,530,472", "4,089,184,256");
}

// What the table of variants has one row each for, by the layer that shows it.
TEST(ExampleOfVariants, HasEveryVariant) {
    std::set<std::string> names;
    for (const CheckedLayer &checked : read_example("variants.conv").module.layers) names.insert(checked.layer.name);
    for (const char *name : {"dense",
                             "flipped",
                             "waveform",
                             "single_channel",
                             "volume",
                             "pointwise",
                             "pad_valid",
                             "pad_same",
                             "pad_half",
                             "pad_full",
                             "transposed_2_to_4",
                             "lint_checkerboard",
                             "dilated_stack",
                             "lint_gridding",
                             "separable",
                             "sobel_x",
                             "per_channel",
                             "with_multiplier",
                             "separable_depthwise",
                             "flat",
                             "two_groups",
                             "resnext",
                             "shuffled",
                             "pointwise_groups"}) {
        EXPECT_TRUE(names.contains(name)) << name;
    }
}

}  // namespace
}  // namespace convc
