#include "compiler/tune/trial_selection.h"

#include <gtest/gtest.h>

namespace convc {
namespace {

Trial sample() {
    Trial trial;
    trial.key = {"f32 nwc[1, 8, 4] -> conv(4, 1)", "x86-64-linux-avx2-fma znver3 2t", "here", "convc 1 abc; x",
                 "direct"};
    trial.finished = 1000;
    return trial;
}

TEST(TrialSelectionTest, NothingSaidSelectsAll) {
    EXPECT_TRUE(TrialSelection().selects_all());
    EXPECT_TRUE(TrialSelection().selects(sample()));
}

// Each field alone: a value that the sample has, and one that it does not have.
TEST(TrialSelectionTest, EveryFieldCounts) {
    std::vector<std::pair<TrialSelection, TrialSelection>> pairs(7);
    pairs[0].first.layer.emplace(R"(conv\(4, \d\)$)");
    pairs[0].second.layer.emplace("depthwise");
    pairs[1].first.target = "x86-64-linux-avx2-fma";
    pairs[1].second.target = "x86-64-linux-avx2";
    pairs[2].first.machine = "here";
    pairs[2].second.machine = "her";
    pairs[3].first.build = "abc";
    pairs[3].second.build = "abd";
    pairs[4].first.other_build = "convc 1 abd; x";
    pairs[4].second.other_build = "convc 1 abc; x";
    pairs[5].first.finished_before = 1001;
    pairs[5].second.finished_before = 1000;
    pairs[6].first.target = "x86-64-linux-avx2-fma znver3 2t";
    pairs[6].second.failures = true;
    for (const auto &[fits, does_not] : pairs) {
        EXPECT_FALSE(fits.selects_all());
        EXPECT_FALSE(does_not.selects_all());
        EXPECT_TRUE(fits.selects(sample()));
        EXPECT_FALSE(does_not.selects(sample()));
    }
    Trial failure = sample();
    failure.outcome = TrialOutcome::wrong;
    EXPECT_TRUE(pairs[6].second.selects(failure));
    EXPECT_EQ(selected_of({sample(), failure, sample()}, pairs[6].second).size(), 1U);
}

TEST(TrialSelectionTest, AllOfItHasToFit) {
    TrialSelection selection;
    selection.machine = "here";
    selection.build = "another";
    EXPECT_FALSE(selection.selects(sample()));
}

}  // namespace
}  // namespace convc
