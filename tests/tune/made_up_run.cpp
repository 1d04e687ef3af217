#include "tests/tune/made_up_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/support/random.h"

namespace convc {
namespace {

constexpr double peak = 236e9;

double share(test::Random &random) {  // of 1
    return (random.unit() + 1) / 2;
}

std::string schedule_text(test::Random &random) {
    const auto rows = random.pick<int>({1, 2, 4, 7, 8, 14, 28});
    const auto half = random.one_in(3) ? ", half_vectors=1" : "";
    if (random.one_in(4)) {
        return fmt::format("winograd(outputs={}, vectors={}, columns={}, rows={}{})", random.pick<int>({2, 4}),
                           random.between(1, 4), random.between(2, 8), rows, half);
    }
    return fmt::format("direct(vectors={}, columns={}, parts=2, unroll={}, rows={}, pixels_outside={}{})",
                       random.between(1, 5), random.between(2, 12), random.pick<int>({1, 2, 4, 8, 16, 32}), rows,
                       random.between(0, 1), half);
}

void fail(test::Random &random, Trial &trial) {
    switch (random.between(0, 5)) {
        case 0:
            trial.outcome = TrialOutcome::crashed;
            trial.reason = "ended by SIGSEGV";
            break;
        case 1:
            trial.outcome = TrialOutcome::timed_out;
            trial.reason = "no answer within 60 s";
            break;
        case 2:
            trial.outcome = TrialOutcome::wrong;
            trial.reason = fmt::format("element {} is 1.5, not 1.25", random.between(0, 9999));
            break;
        default:
            trial.outcome = TrialOutcome::rejected;
            trial.reason = fmt::format("its inner loop stores {} registers to the stack", random.between(5, 30));
    }
}

ReportedLayer made_up_layer(test::Random &random, size_t index, size_t trials) {
    constexpr std::array families{"dense", "pointwise", "depthwise", "fused"};
    ReportedLayer layer;
    layer.family = families.at(index % families.size());
    layer.name = fmt::format("{}_{}", layer.family, index + 1);
    layer.line = "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu";
    layer.real_flops = std::pow(10, 7 + 0.15 * static_cast<double>(random.between(0, 10)));
    layer.nominal_flops = layer.real_flops * 1.03;
    const double intensity = (layer.family == "depthwise" ? 0.6 : 12) * std::pow(1.17, random.between(0, 12));
    layer.bytes = layer.real_flops / intensity;
    layer.default_seconds = layer.real_flops / std::min(peak, intensity * 180e9) * (1.1 + 1.5 * share(random));
    layer.default_schedule = layer.schedule =
        "direct(vectors=4, columns=6, parts=2, unroll=2, rows=4, pixels_outside=0)";
    layer.noise = 0.004 + 0.01 * share(random);
    double best = 1;
    const double strength = 0.12 * static_cast<double>(index % 3);  // every third layer gains nothing
    for (size_t i = 0; i < trials; i++) {
        Trial trial;
        trial.key = {layer.line, "x86-64-linux-avx512 znver4 2t", "host", "0123", schedule_text(random)};
        const double late = static_cast<double>(i) / static_cast<double>(trials);
        if (share(random) < 0.12) {
            fail(random, trial);
        } else {
            const double slow = std::exp(1.6 * (1 - 0.7 * late) * std::pow(share(random), 2));
            trial.relative = (1 - strength * std::sqrt(late) * share(random)) * slow;
            trial.seconds = trial.relative * layer.default_seconds;
            trial.workspace = random.between(0, 1'000'000);
        }
        if (trial.outcome == TrialOutcome::measured && trial.relative < best / 1.02) {
            best = trial.relative;
            layer.schedule = trial.key.schedule;
            layer.improved = true;
        }
        layer.trials.push_back({std::move(trial), i < trials / 8});
    }
    layer.seconds = best * layer.default_seconds;
    return layer;
}

}  // namespace

TuneReport made_up_run(size_t layers, size_t trials) {
    TuneReport report{.date = "2026-11-26 10:15",
                      .command = "convc tune net.conv --budget 10m --database trials.db --report tune.html",
                      .target = "x86-64-linux-avx512 znver4 2t",
                      .machine = "host",
                      .build = "0f3a77c1",
                      .version = "0.1.0",
                      .roofs = {peak, {{"L2", 233e9, 2 << 20}, {"L3", 201e9, 32 << 20}, {"DRAM", 59e9}}},
                      .seconds = 553,
                      .budget = 600,
                      .layers = {}};
    test::Random random(7);
    for (size_t i = 0; i < layers; i++) report.layers.push_back(made_up_layer(random, i, trials));
    return report;
}

}  // namespace convc
