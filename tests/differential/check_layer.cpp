#include "tests/differential/check_layer.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/plan/plan.h"
#include "compiler/reference/runtime_extents.h"
#include "convc/loaded_kernel.h"
#include "tests/support/compiled_kernel.h"
#include "tests/support/onednn.h"
#include "tests/support/random.h"
#include "tests/support/tally.h"

namespace convc::test {
namespace {

constexpr double most_multiply_adds = 4e6;  // at run-time extents

class Check {
public:
    Check(const Layer &layer, const convc_kernel_info &info, uint64_t seed, LayerCheck &result)
        : layer_(layer), info_(info), random_(seed), seed_(seed), result_(result) {}

    void at_every_size() {
        const size_t unknown = unknown_extents();
        if (unknown == 0) return at_one_size({});
        // Smaller than any tile, about a tile, several tiles.
        const bool three_axes = layer_.inputs[0].type.rank() == 3;
        for (const int64_t most : three_axes ? std::vector<int64_t>{2, 4, 9} : std::vector<int64_t>{2, 7, 13, 33}) {
            std::vector<int64_t> extents;
            extents.reserve(unknown);
            for (size_t i = 0; i < unknown; i++)
                extents.push_back(random_.between(1, i == 0 ? std::min<int64_t>(most, 9) : most));
            at_one_size(extents);
        }
    }

private:
    size_t unknown_extents() const {
        size_t count = 0;
        for (int64_t extent : layer_.inputs[0].type.extents()) count += extent == runtime_extent;
        return count;
    }

    void at_one_size(const std::vector<int64_t> &extents) {
        SCOPED_TRACE(testing::Message() << "at extents " << testing::PrintToString(extents));
        if (!extents.empty()) {
            const Result<Layer> resolved = resolve_runtime_extents(layer_, extents);
            if (!resolved) {
                EXPECT_EQ(info_.run(extents.data(), nullptr, nullptr, nullptr, nullptr), CONVC_ERROR_EXTENT);
                return;
            }
            if (multiply_adds(*resolved) > most_multiply_adds) return;
        }
        const KernelUnderTest kernel(layer_, info_, extents);
        const auto exact = keeps_integers(kernel.layer()) ? exact_data(kernel.layer(), seed_) : std::nullopt;
        if (exact) compare(kernel, *exact, Tolerance::exact);
        compare(kernel, uniform_data(kernel.layer(), seed_), Tolerance::bounded);
    }

    void compare(const KernelUnderTest &kernel, const LayerData &data, Tolerance tolerance) {
        EXPECT_TRUE(kernel.agrees(data, tolerance));
        result_.by_reference++;
        if (!onednn_computes(kernel.layer())) return;
        const std::optional<Tensor> oracle = onednn_output(kernel.layer(), data);
        if (!oracle) return;
        const std::optional<Tensor> got = kernel.run(data);
        if (!got) return;
        if (!sums_as_written(info_.schedule)) tolerance = Tolerance::transformed;
        const ReferenceResult bound =
            tolerance == Tolerance::exact ? ReferenceResult{} : reference_of(kernel.layer(), data);
        const Comparison comparison =
            compare_output(kernel.layer().output(), *got, as_expected(*oracle, bound), tolerance);
        tally().compared(info_, by_onednn);
        result_.by_onednn++;
        EXPECT_TRUE(comparison.ok()) << "against oneDNN: " << comparison.message();
    }

    const Layer &layer_;
    const convc_kernel_info &info_;
    Random random_;
    uint64_t seed_;
    LayerCheck &result_;
};

// What GoogleTest is told while `body` runs, each complaint once.
template <class Body>
std::string complaints_of(Body body) {
    testing::TestPartResultArray results;
    {
        const testing::ScopedFakeTestPartResultReporter collect(&results);
        body();
    }
    std::string all;
    for (int i = 0; i < results.size(); i++) {
        const std::string message = results.GetTestPartResult(i).message();
        if (all.find(message) == std::string::npos) all += message + "\n";
    }
    return all;
}

}  // namespace

LayerCheck check_layer(const Layer &layer, uint64_t seed, const std::function<Layer(const Layer &)> &compiled_as) {
    using Outcome = LayerCheck::Outcome;
    const std::string line = layer.canonical_line();
    set_crash_note(line.c_str());
    const Result<Plan> plan = make_plan(compiled_as ? compiled_as(layer) : layer, kernel_target());
    if (!plan) return {Outcome::refused, plan.error().message};
    const Result<Kernel> kernel = compile_kernel(*plan, "layer");
    if (!kernel) return {Outcome::fails, kernel.error().message};
    const Result<LoadedKernel> loaded = load_kernel(*kernel);
    if (!loaded) return {Outcome::fails, loaded.error().message};
    LayerCheck result;
    result.why = complaints_of([&] { Check(layer, loaded->info(), seed, result).at_every_size(); });
    if (!result.why.empty()) result.outcome = Outcome::fails;
    return result;
}

double multiply_adds(const Layer &layer) {
    double sum = 0;
    for (size_t i = 0; i < layer.stages.size(); i++) {
        const Stage &stage = layer.stages[i];
        const bool transposed = stage.kind == StageKind::transposed;
        const TensorType &type = transposed ? layer.stage_input(static_cast<int>(i)) : stage.output;
        const int64_t channels = (transposed ? stage.out_channels : stage.in_channels) / stage.groups;
        sum += static_cast<double>(type.elements().value_or(0)) * static_cast<double>(channels * stage.kernel_volume());
    }
    return sum;
}

}  // namespace convc::test
