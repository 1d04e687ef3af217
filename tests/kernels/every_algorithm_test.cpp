// Every algorithm of the table, forced by pinned schedules, on small layers around every tail: outputs one less than a
// tile, as many, and one more. All schedules of one layer are compared with one another as well as with the reference:
// on integers they are equal to the last bit, whatever order they sum in (Winograd's alone are within the bound).
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/kernels/specimens.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/sample_size.h"
#include "tests/support/tally.h"

namespace convc {
namespace {

// The extents of a schedule's tiles are among its knobs; larger ones than this cut nothing here.
constexpr int64_t largest_tile = 12;
constexpr int64_t nominal_height = 6;
constexpr int64_t nominal_width = 24;  // wider than two of the largest tiles

struct Tail {
    Schedule schedule;
    int64_t height, width;
    auto operator<=>(const Tail &) const = default;
};

// Each knob that may be the extent of a tile, along either axis.
std::vector<Tail> tails_of(const Schedule &schedule) {
    std::vector<Tail> tails;
    for (const auto &[name, value] : schedule.knobs) {
        if (value < 2 || value > largest_tile) continue;
        for (const int64_t extent : {value - 1, value, value + 1}) {
            tails.push_back({schedule, 3, extent});
            tails.push_back({schedule, extent, 5});
        }
    }
    return tails;
}

class Comparison {
public:
    explicit Comparison(const Layer &layer) : layer_(layer), exact_(test::exact_data(layer, 5)) {}

    void run(const std::vector<Schedule> &schedules) {
        if (!tried_.insert(print_schedules(schedules)).second) return;
        SCOPED_TRACE(testing::Message() << layer_.canonical_line() << "\n  by " << print_schedules(schedules));
        const auto kernel = test::compile(layer_, schedules, {}, specimen_target());
        ASSERT_TRUE(kernel && exact_);
        EXPECT_TRUE(kernel->agrees(test::uniform_data(layer_, 5), Tolerance::bounded));
        EXPECT_TRUE(kernel->agrees(*exact_, Tolerance::exact));
        const auto output = kernel->run(*exact_);
        ASSERT_TRUE(output);
        if (!sums_as_written(kernel->info().schedule)) return;
        if (first_.empty()) {
            first_ = *output;
            return;
        }
        test::tally().compared(kernel->info(), test::by_another_kernel);
        EXPECT_EQ(*output, first_) << "differs from " << *tried_.begin();
    }

private:
    const Layer &layer_;
    std::optional<test::LayerData> exact_;
    std::set<std::string> tried_;
    test::Tensor first_;
};

class EveryAlgorithm : public testing::TestWithParam<Specimen> {
protected:
    std::vector<Tail> all_tails() {
        const Layer nominal = GetParam().of(nominal_height, nominal_width);
        std::vector<Tail> tails;
        for (const Algorithm *algorithm : algorithms_for(nominal, target_)) {
            for (const Schedule &schedule : schedules_of(*algorithm, nominal, target_, random_, 4)) {
                const std::vector<Tail> of_schedule = tails_of(schedule);
                tails.insert(tails.end(), of_schedule.begin(), of_schedule.end());
                tails.push_back({schedule, 1, 1});
            }
        }
        std::sort(tails.begin(), tails.end());
        tails.erase(std::unique(tails.begin(), tails.end()), tails.end());
        return tails;
    }

    std::vector<Tail> some_of(std::vector<Tail> tails, size_t count) {
        for (size_t i = tails.size(); i > 1; i--) {
            std::swap(tails[i - 1], tails[static_cast<size_t>(random_.between(0, static_cast<int64_t>(i) - 1))]);
        }
        if (!test::long_tests()) tails.resize(std::min(tails.size(), count));
        return tails;
    }

    // The schedule at hand, and every algorithm's own choice: as one kernel, and stage by stage.
    void compare_all(const Tail &tail) {
        const Layer layer = GetParam().of(tail.height, tail.width);
        Comparison comparison(layer);
        for (const Algorithm *algorithm : algorithms_for(layer, target_)) {
            if (algorithm->name == tail.schedule.algorithm) {
                if (const auto schedule = fitted(tail.schedule, *algorithm, layer, target_))
                    comparison.run({*schedule});
            }
            comparison.run({algorithm->default_schedule(whole(layer), target_)});
        }
        if (const auto apart = stage_by_stage(layer, target_)) comparison.run(*apart);
    }

    const Target target_ = specimen_target();
    test::Random random_{20160105};
};

TEST_P(EveryAlgorithm, AgreesWithTheOthersAtEveryTail) {
    const size_t tails = target_.on_gpu() ? 4 : 12;  // PoCL compiles for a second a kernel
    for (const Tail &tail : some_of(all_tails(), tails)) compare_all(tail);
    compare_all({{}, 1, 1});
}

INSTANTIATE_TEST_SUITE_P(Layer, EveryAlgorithm, testing::ValuesIn(specimens()),
                         [](const testing::TestParamInfo<Specimen> &tested) { return tested.param.name; });

// Nothing is compiled, so GPUs need no device.
TEST(EveryAlgorithmOfTheTable, ComputesASpecimen) {
    for (const Target &target : {specimen_target(), opencl_target()}) {
        std::set<std::string_view> computing;
        for (const Specimen &specimen : specimens()) {
            const Layer layer = specimen.of(nominal_height, nominal_width);
            for (const Algorithm *algorithm : algorithms_for(layer, target)) computing.insert(algorithm->name);
            EXPECT_TRUE(stage_by_stage(layer, target)) << layer.canonical_line() << " on " << target.name();
        }
        for (const Algorithm &algorithm : schedule_table(target)) {
            EXPECT_TRUE(computing.contains(algorithm.name)) << algorithm.name << " computes no layer of specimens.cpp";
        }
    }
}

// What an algorithm may do to a layer that is not strict: its schedules have a knob for it, or it does nothing else.
bool rewrites(const Algorithm &algorithm, const Layer &layer, const Target &target) {
    const std::vector<Knob> knobs = algorithm.knobs(whole(layer), target);
    return !sums_as_written(algorithm) ||
           std::any_of(knobs.begin(), knobs.end(), [](const Knob &knob) { return knob.name == "separable"; });
}

TEST(EveryAlgorithmOfTheTable, RewritesNothingThatIsStrict) {
    const Target target = specimen_target();
    int rewritten = 0;
    for (const Specimen &specimen : specimens()) {
        Layer layer = specimen.of(nominal_height, nominal_width);
        for (const Algorithm *algorithm : algorithms_for(layer, target)) {
            rewritten += rewrites(*algorithm, layer, target);
        }
        for (Stage &stage : layer.stages) stage.precision = Precision::strict;
        for (const Algorithm *algorithm : algorithms_for(layer, target)) {
            EXPECT_FALSE(rewrites(*algorithm, layer, target)) << algorithm->name << ": " << layer.canonical_line();
        }
    }
    EXPECT_GT(rewritten, 0) << "nothing would be rewritten anyway";
}

}  // namespace
}  // namespace convc
