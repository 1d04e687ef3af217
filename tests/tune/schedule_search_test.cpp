#include "compiler/tune/schedule_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "compiler/plan/plan.h"
#include "convc/convc.hpp"

namespace convc {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// A convolution, one of groups, one with Winograd's transforms, depthwise, a transposed one, and a chain.
const std::vector<std::string> lines{
    "f32 nhwc[1, 14, 14, 64] -> conv(48, 1x1) + bias",
    "f32 nhwc[1, 12, 12, 64] -> conv(64, 3x3, pad=1, groups=16) + bias + relu",
    "f32 nhwc[1, 12, 12, 16] -> conv(32, 3x3, pad=1)",
    "f32 nchw[1, 8, 12, 12] -> depthwise(3x3, pad=1)",
    "f32 nhwc[1, 5, 5, 16] -> transposed(8, 4x4, stride=2, pad=1)",
    "f32 nhwc[1, 12, 12, 16] -> depthwise(3x3, pad=1) + relu -> conv(32, 1x1)",
    "f32 nhwc[1, ?, ?, 16] -> conv(32, 3x3, pad=1)",
};

Target target_of(Isa isa) {
    Target target;
    target.isa = isa;
    target.threads = 2;
    return target;
}

StageGroup whole(const Layer &layer) {
    return {&layer, 0, static_cast<int>(layer.stages.size())};
}

// The same for a schedule everywhere, and as rugged as time is.
double made_up_cost(const Schedule &schedule) {
    double cost = 1 + static_cast<double>(std::hash<std::string>()(print_schedule(schedule)) % 1000) * 1e-5;
    for (const auto &[name, value] : schedule.knobs) cost += std::abs(static_cast<double>(value) - 5) * 0.01;
    return cost;
}

class OfEveryLine : public testing::TestWithParam<Isa> {};

TEST_P(OfEveryLine, CandidatesAndTheirNeighboursAreSchedulesOfTheLayer) {
    const Target target = target_of(GetParam());
    for (const std::string &line : lines) {
        const Layer layer = *parse_layer(line);
        const std::vector<AlgorithmSpace> spaces = schedule_spaces(whole(layer), target);
        size_t all = 0;
        for (const AlgorithmSpace &space : spaces) {
            all += space.candidates.size();
            EXPECT_LE(static_cast<double>(space.candidates.size()), space.written);
            for (size_t i = 0; i < space.candidates.size(); i += space.candidates.size() / 40 + 1) {
                const Schedule &schedule = space.candidates[i].schedule;
                ASSERT_TRUE(make_pinned_plan(layer, target, {schedule})) << print_schedule(schedule);
                for (const Schedule &next : neighbours(whole(layer), target, schedule)) {
                    EXPECT_NE(next, schedule);
                    ASSERT_TRUE(make_pinned_plan(layer, target, {next})) << print_schedule(next);
                }
            }
        }
        EXPECT_GT(all, 0U) << line;
    }
}

// Candidates by algorithm, of which all predict something.
std::map<std::string, size_t> candidates_left(const std::string &line) {
    const Layer layer = *parse_layer(line);
    std::map<std::string, size_t> left;
    for (const AlgorithmSpace &space : schedule_spaces(whole(layer), target_of(Isa::avx512))) {
        left[space.algorithm] += space.candidates.size();
        EXPECT_TRUE(!space.candidates.empty() || space.slow > 0) << space.algorithm;
        for (const Candidate &candidate : space.candidates) EXPECT_GT(candidate.predicted, 0) << line;
    }
    return left;
}

// One channel in a vector of sixteen, against sixteen: the models of the two agree on what a cycle is, also where
// extents are not known.
TEST(ScheduleSpace, AnAlgorithmThatIsFarSlowerHasNoCandidates) {
    for (const char *type : {"1, 14, 14, 64", "?, 14, 14, 64", "1, ?, ?, 64"}) {
        const auto left = candidates_left(std::string("f32 nhwc[") + type + "] -> depthwise(3x3, pad=1)");
        EXPECT_EQ(left.at("direct"), 0U) << type;
        EXPECT_GT(left.at("depthwise"), 0U) << type;
    }
}

INSTANTIATE_TEST_SUITE_P(ScheduleSpace, OfEveryLine, testing::Values(Isa::sse41, Isa::avx2, Isa::avx512),
                         [](const auto &tested) { return target_of(tested.param).isa_word(); });

TEST(ScheduleSearchTest, AsksForNothingTwiceAndEndsWithTheBest) {
    const Layer layer = *parse_layer("f32 nhwc[1, 12, 12, 4] -> conv(8, 1x1)");
    const Target target = target_of(Isa::avx2);
    ScheduleSearch search(whole(layer), target, {}, 1);
    std::set<Schedule> asked;
    double least = infinity;
    while (const auto schedule = search.next()) {
        ASSERT_TRUE(asked.insert(*schedule).second) << print_schedule(*schedule);
        least = std::min(least, made_up_cost(*schedule));
        search.tell(*schedule, made_up_cost(*schedule));
        ASSERT_LT(asked.size(), 100'000U);
    }
    EXPECT_GE(static_cast<int64_t>(asked.size()), search.size());
    EXPECT_EQ(made_up_cost(search.best(1).at(0)), least);
}

// Near the best of all, having looked at a tenth of them.
TEST(ScheduleSearchTest, FindsAGoodScheduleEarly) {
    const Layer layer = *parse_layer(lines[0]);
    const Target target = target_of(Isa::avx2);
    ScheduleSearch search(whole(layer), target, {}, 1);
    double least = infinity;
    for (const AlgorithmSpace &space : search.spaces()) {
        for (const Candidate &candidate : space.candidates) least = std::min(least, made_up_cost(candidate.schedule));
    }
    for (int64_t trials = search.size() / 10; trials > 0; trials--) {
        const auto schedule = search.next();
        ASSERT_TRUE(schedule);
        search.tell(*schedule, made_up_cost(*schedule));
    }
    EXPECT_LT(made_up_cost(search.best(1).at(0)), 1.05 * least);
}

TEST(ScheduleSearchTest, EqualSeedsAskAlike) {
    const Layer layer = *parse_layer(lines[0]);
    const Target target = target_of(Isa::avx2);
    const auto ask = [&](uint64_t random) {
        ScheduleSearch search(whole(layer), target, {}, random);
        std::vector<Schedule> asked;
        for (int i = 0; i < 60; i++) {
            asked.push_back(*search.next());
            search.tell(asked.back(), made_up_cost(asked.back()));
        }
        return asked;
    };
    EXPECT_EQ(ask(1), ask(1));
    EXPECT_NE(ask(1), ask(2));
}

TEST(ScheduleSearchTest, FailuresAreNoWinners) {
    const Layer layer = *parse_layer(lines[0]);
    const Target target = target_of(Isa::avx2);
    ScheduleSearch search(whole(layer), target, {}, 1);
    for (int i = 0; i < 5; i++) search.tell(*search.next(), infinity);
    EXPECT_TRUE(search.best(1).empty());
    const auto schedule = search.next();
    search.tell(*schedule, 3);
    EXPECT_EQ(search.best(5), std::vector{*schedule});
}

}  // namespace
}  // namespace convc
