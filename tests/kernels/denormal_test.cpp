// Denormal numbers are kept: no kernel flushes them to zero, neither those that it reads nor those that it makes, and
// no thread of the kernel runtime runs in a mode that does.
#include <gtest/gtest.h>

#include <cmath>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "tests/kernels/specimens.h"
#include "tests/support/compiled_kernel.h"

namespace convc {
namespace {

using test::LayerData;

constexpr float least = std::numeric_limits<float>::denorm_min();

void make_denormal(test::Tensor &tensor) {
    for (float &value : tensor) value *= least;
}

// Integers times the least denormal, wherever a term of the sum comes from: the inputs and everything that is added.
// Every result is then an exact multiple of it, too.
LayerData with_denormal_inputs(const Layer &layer) {
    LayerData data = *test::exact_data(layer, 6);
    const std::vector<Parameter> parameters = layer.parameters();
    for (size_t i = 0; i < parameters.size(); i++) {
        if (parameters[i].role == Parameter::Role::bias) make_denormal(data.parameters[i]);
    }
    for (test::Tensor &input : data.inputs) make_denormal(input);
    return data;
}

// The same by the first stage's weights; x is integers. nullopt where they are constants, or x itself is added.
std::optional<LayerData> with_denormal_weights(const Layer &layer) {
    LayerData data = with_denormal_inputs(layer);
    const std::vector<Parameter> parameters = layer.parameters();
    if (parameters.empty() || parameters[0].name() != "0.weight") return std::nullopt;
    for (const Stage &stage : layer.stages) {
        for (const Epilogue &epilogue : stage.epilogues) {
            if (epilogue.operand == 0) return std::nullopt;
        }
    }
    for (float &value : data.inputs[0]) value /= least;
    make_denormal(data.parameters[0]);
    return data;
}

class Denormals : public testing::TestWithParam<Specimen> {
protected:
    test::LayerBuilder builder() const { return GetParam().of(5, 9); }

    // By every algorithm that computes it, as one kernel.
    void expect_kept(const Layer &layer) {
        const Target target = specimen_target();
        std::vector<std::vector<Schedule>> ways;
        for (const Algorithm *algorithm : algorithms_for(layer, target)) {
            if (!sums_as_written(*algorithm)) continue;  // exact on no numbers
            ways.push_back({algorithm->default_schedule(whole(layer), target)});
        }
        if (ways.empty()) ways.emplace_back();
        for (const std::vector<Schedule> &schedules : ways) {
            const auto kernel = test::compile(layer, schedules, {}, target);
            ASSERT_TRUE(kernel);
            EXPECT_TRUE(kernel->agrees(with_denormal_inputs(layer), Tolerance::exact));
            if (const auto data = with_denormal_weights(layer)) {
                EXPECT_TRUE(kernel->agrees(*data, Tolerance::exact));
            }
        }
    }
};

TEST_P(Denormals, AreKept) {
    expect_kept(builder());
    if (builder().layer().stages.back().kind == StageKind::shuffle) return;
    expect_kept(builder().epilogue(EpilogueKind::bias).epilogue({EpilogueKind::clip, -1, 1, -1}));
}

INSTANTIATE_TEST_SUITE_P(Layer, Denormals, testing::ValuesIn(specimens()),
                         [](const testing::TestParamInfo<Specimen> &tested) { return tested.param.name; });

TEST(Denormal, EpiloguesThatAreExactKeepThem) {
    for (const EpilogueKind kind :
         {EpilogueKind::relu, EpilogueKind::relu6, EpilogueKind::scale, EpilogueKind::add, EpilogueKind::mul}) {
        test::LayerBuilder builder(test::nhwc(1, 5, 6, 9));
        const bool reads = kind == EpilogueKind::add || kind == EpilogueKind::mul;
        if (reads) builder.input("t", test::nhwc(1, 5, 6, 9));
        builder.depthwise(test::square(3, 1, 1)).epilogue(kind, reads ? 1 : -1);
        const auto kernel = test::compile(builder);
        ASSERT_TRUE(kernel);
        LayerData data = with_denormal_inputs(builder);
        if (kind == EpilogueKind::mul) {
            for (float &value : data.inputs[1]) value /= least;
        }
        EXPECT_TRUE(kernel->agrees(data, Tolerance::exact)) << builder.layer().canonical_line();
    }
}

// Products of normal numbers that are denormal.
TEST(Denormal, ResultsOfNormalNumbersAreKept) {
    const Layer layer =
        test::LayerBuilder(test::nhwc(1, 6, 6, 8)).conv(16, test::square(3, 1, 1)).precision(Precision::strict);
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    LayerData data = *test::exact_data(layer, 7);
    for (float &value : data.inputs[0]) value = std::ldexp(value, -70);
    for (float &value : data.parameters[0]) value = std::ldexp(value, -70);
    EXPECT_TRUE(kernel->agrees(data, Tolerance::exact));
}

#if defined(__SSE__)
// In the mode that must not be: these tests would notice.
TEST(Denormal, AKernelThatFlushesIsNoticed) {
    constexpr unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
    const Layer layer =
        test::LayerBuilder(test::nhwc(1, 6, 6, 8)).conv(16, test::square(3, 1, 1)).precision(Precision::strict);
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    const LayerData data = with_denormal_inputs(layer);
    const ReferenceResult expected = test::reference_of(layer, data);
    const auto judged = [&](unsigned mode) {
        const unsigned before = _mm_getcsr();
        _mm_setcsr(before | mode);
        const auto output = kernel->run(data);
        _mm_setcsr(before);
        return output && compare_output(layer.output(), *output, expected, Tolerance::exact).ok();
    };
    EXPECT_EQ(convc_set_threads(1), 1);
    EXPECT_TRUE(judged(0));
    EXPECT_FALSE(judged(flush_to_zero | denormals_are_zero));
    convc_set_threads(0);
}

TEST(Denormal, NoKernelChangesTheCallersMode) {
    const Layer layer =
        test::LayerBuilder(test::nhwc(1, 6, 6, 8)).conv(16, test::square(3, 1, 1)).precision(Precision::strict);
    const auto kernel = test::compile(layer);
    ASSERT_TRUE(kernel);
    constexpr unsigned settings = 0xffc0;  // without the flags of what has happened
    const unsigned before = _mm_getcsr() & settings;
    EXPECT_TRUE(kernel->run(with_denormal_inputs(layer)));
    EXPECT_EQ(_mm_getcsr() & settings, before);
}
#endif

}  // namespace
}  // namespace convc
