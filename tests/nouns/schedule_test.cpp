// Schedules as data: they read back, and what is wrong with a text is said.
#include "convc/schedule.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace convc {
namespace {

std::string complaint(std::string_view text) {
    const Result<Schedule> schedule = parse_schedule(text);
    return schedule ? "" : schedule.error().message;
}

TEST(Schedules, ReadBack) {
    const std::vector<Schedule> schedules{
        {"direct", {}},
        {"winograd", {{"tile", 4}, {"rows", 1}, {"cout", 16}}},
        {"odd_1", {{"least", std::numeric_limits<int64_t>::min()}, {"most", std::numeric_limits<int64_t>::max()}}},
    };
    for (const Schedule &schedule : schedules) {
        const Result<Schedule> read = parse_schedule(print_schedule(schedule));
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(*read, schedule);
    }
}

TEST(Schedules, Print) {
    const Schedule pointwise{"pointwise", {{"columns", 16}}};
    const Schedule chain{"separable_chain", {{"stages", 2}, {"rows", 4}}};
    EXPECT_EQ(print_schedules({pointwise, chain}), "pointwise(columns=16) -> separable_chain(stages=2, rows=4)");
}

TEST(Schedules, ReadWhatTheyPrint) {
    const std::vector<Schedule> schedules{{"pointwise", {{"columns", 16}}}, {"chain", {{"stages", 2}, {"rows", 4}}}};
    const Result<std::vector<Schedule>> read = parse_schedules(print_schedules(schedules));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, schedules);
    EXPECT_FALSE(parse_schedules("pointwise(columns=16) -> "));
    EXPECT_FALSE(parse_schedules(""));
}

TEST(Schedules, WhiteSpaceIsFree) {
    const Result<Schedule> read = parse_schedule("  direct ( rows = 4 ,\n columns=-6 )  ");
    ASSERT_TRUE(read);
    EXPECT_EQ(print_schedule(*read), "direct(rows=4, columns=-6)");
}

TEST(Schedules, Knobs) {
    const Schedule schedule{"direct", {{"rows", 4}, {"columns", 6}}};
    EXPECT_EQ(schedule.knob("columns"), 6);
    EXPECT_EQ(schedule.knob("column"), std::nullopt);
}

TEST(Schedules, AreOrdered) {
    const std::set<Schedule> schedules{{"b", {}}, {"a", {{"x", 2}}}, {"a", {{"x", 1}}}, {"a", {}}, {"b", {}}};
    ASSERT_EQ(schedules.size(), 4U);
    EXPECT_EQ(print_schedule(*schedules.begin()), "a()");
}

TEST(Schedules, ComplainOfWhatIsWrong) {
    EXPECT_EQ(complaint(""), "schedule '': expected an algorithm's name");
    EXPECT_EQ(complaint("direct"), "schedule 'direct': expected '(' after 'direct'");
    EXPECT_EQ(complaint("direct(4)"), "schedule 'direct(4)': expected 'knob=integer'");
    EXPECT_EQ(complaint("direct(rows=x)"), "schedule 'direct(rows=x)': expected an integer after 'rows='");
    EXPECT_EQ(complaint("direct(rows=9223372036854775808)"),
              "schedule 'direct(rows=9223372036854775808)': expected an integer after 'rows='");
    EXPECT_EQ(complaint("direct(rows=1 columns=2)"), "schedule 'direct(rows=1 columns=2)': expected ',' or ')'");
    EXPECT_EQ(complaint("direct(rows=1, rows=2)"), "schedule 'direct(rows=1, rows=2)': knob 'rows' is given twice");
    EXPECT_EQ(complaint("direct(rows=1"), "schedule 'direct(rows=1': expected ',' or ')'");
    EXPECT_EQ(complaint("direct() -> direct()"), "schedule 'direct() -> direct()': unexpected '-> direct()'");
}

}  // namespace
}  // namespace convc
