#include "compiler/tune/trial_summary.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace convc {
namespace {

Trial trial_of(const char *layer, const char *machine, const char *schedule, double relative, int64_t finished) {
    Trial trial;
    trial.key = {layer, "target", machine, "build", schedule};
    trial.seconds = 1e-3;
    trial.relative = relative;
    trial.finished = finished;
    return trial;
}

Trial failure_of(const char *layer, const char *schedule, TrialOutcome outcome) {
    Trial trial = trial_of(layer, "m", schedule, 0, 5);
    trial.seconds = 0;
    trial.outcome = outcome;
    return trial;
}

std::string order_of(const std::vector<TrialSummary> &summaries) {
    std::string text;
    for (const TrialSummary &summary : summaries) text += fmt::format("{}/{} ", summary.layer, summary.machine);
    return text;
}

TEST(TrialSummaryTest, CountsAndFindsTheBest) {
    Trial faster = trial_of("a", "m", "second", 0.8, 7);
    faster.seconds = 2e-3;  // on a slower day: what counts is the default in the same turns
    const auto all =
        summarise({trial_of("a", "m", "first", 0.9, 9), faster, failure_of("a", "third", TrialOutcome::wrong),
                   failure_of("a", "fourth", TrialOutcome::wrong), failure_of("a", "fifth", TrialOutcome::crashed)},
                  SummaryOrder::by_layer);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].trials, 5);
    EXPECT_EQ(all[0].newest, 9);
    EXPECT_EQ(all[0].failures, (std::map<TrialOutcome, int>{{TrialOutcome::wrong, 2}, {TrialOutcome::crashed, 1}}));
    ASSERT_TRUE(all[0].best);
    EXPECT_EQ(all[0].best->key.schedule, "second");
    EXPECT_FALSE(summarise({failure_of("a", "only", TrialOutcome::refused)}, SummaryOrder::by_layer)[0].best);
}

TEST(TrialSummaryTest, KeepsMachinesApartAndLayersTogether) {
    const std::vector<Trial> trials{trial_of("a", "m1", "s", 1, 10), trial_of("a", "m2", "s", 1, 40),
                                    trial_of("b", "m1", "s", 1, 30), trial_of("c", "m1", "s", 1, 50)};
    EXPECT_EQ(order_of(summarise(trials, SummaryOrder::by_layer)), "a/m1 a/m2 b/m1 c/m1 ");
    EXPECT_EQ(order_of(summarise(trials, SummaryOrder::newest_layer_first)), "c/m1 a/m2 a/m1 b/m1 ");
    EXPECT_TRUE(summarise({}, SummaryOrder::by_layer).empty());
}

}  // namespace
}  // namespace convc
