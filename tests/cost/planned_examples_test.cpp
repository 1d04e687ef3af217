// The schedules pinned in examples/ and docs/language.md are ones that the planner takes: right algorithms, every knob,
// in range.
#include <gtest/gtest.h>

#include "compiler/plan/plan.h"
#include "tests/cost/read_layers.h"

namespace convc {
namespace {

// Returns how many there are.
size_t expect_plans(const test::Reading &reading) {
    for (const PinnedSchedule &pinned : reading.module.schedules) {
        const Result<Target> target = parse_target(pinned.target);
        EXPECT_TRUE(target) << pinned.target;
        for (const CheckedLayer &checked : reading.module.layers) {
            if (!target || checked.layer.name != pinned.layer) continue;
            const Result<Plan> plan = make_pinned_plan(checked.layer, *target, pinned.groups);
            EXPECT_TRUE(plan) << pinned.layer << ": " << plan.error().message;
        }
    }
    return reading.module.schedules.size();
}

TEST(PinnedExamples, ArePlanned) {
    size_t pinned = 0;
    for (const std::string name : {"edges", "mobilenet_v2", "odd", "resnet50", "variants"}) {
        const std::string path = "examples/" + name + ".conv";
        pinned += expect_plans(test::read_layers(path, test::read_source_file(path)));
    }
    EXPECT_GE(pinned, 2U);
}

TEST(PinnedExamples, OfTheLanguagePageArePlanned) {
    const std::string page = test::read_source_file("docs/language.md");
    const std::string start = "```conv\nlayer pinned(";
    const size_t begin = page.find(start);
    ASSERT_NE(begin, std::string::npos);
    const size_t text = begin + std::string("```conv\n").size();
    EXPECT_EQ(expect_plans(test::read_layers("docs/language.md", page.substr(text, page.find("```", text) - text))),
              2U);
}

class Runnable : public testing::TestWithParam<const char *> {};

TEST_P(Runnable, EveryLayerHasAPlan) {
    const Result<Target> target = parse_target("x86-64-linux-avx2-fma");
    ASSERT_TRUE(target);
    const std::string path = std::string("examples/") + GetParam() + ".conv";
    for (const CheckedLayer &checked : test::read_layers(path, test::read_source_file(path)).module.layers) {
        const Result<Plan> plan = make_plan(checked.layer, *target);
        EXPECT_TRUE(plan) << checked.layer.name << ": " << plan.error().message;
    }
}

INSTANTIATE_TEST_SUITE_P(Examples, Runnable, testing::Values("edges", "mobilenet_v2", "odd", "resnet50", "variants"));

}  // namespace
}  // namespace convc
