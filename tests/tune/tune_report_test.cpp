#include "compiler/tune/tune_report.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <regex>

#include "compiler/tune/report/markup.h"
#include "compiler/tune/report/plot.h"
#include "compiler/tune/report/roofline.h"
#include "compiler/tune/report/trial_groups.h"
#include "tests/driver/scratch_directory.h"
#include "tests/tune/made_up_run.h"

namespace convc {
namespace {

constexpr const char *line = "f32 nhwc[1, 7, 7, 8] -> conv(8, 1x1)";

MadeTrial trial_of(const std::string &schedule, double relative) {
    Trial trial;
    trial.key = {line, "x86-64-linux-avx2-fma", "here", "build", schedule};
    trial.relative = relative;
    trial.seconds = relative * 1e-3;
    return {trial, false};
}

MadeTrial failure_of(const std::string &schedule, TrialOutcome outcome, const std::string &reason) {
    MadeTrial failed = trial_of(schedule, 0);
    failed.trial.outcome = outcome;
    failed.trial.reason = reason;
    return failed;
}

TuneReport one_layer(std::vector<MadeTrial> trials) {
    TuneReport report;
    report.date = "2026-11-26";
    report.roofs.flops = 100e9;
    report.roofs.levels = {{"L2", 50e9, 1e6}, {"DRAM", 10e9}};
    ReportedLayer &layer = report.layers.emplace_back();
    layer.name = "stem", layer.line = line, layer.family = "dense";
    layer.nominal_flops = layer.real_flops = 2e7, layer.bytes = 1e5;
    layer.default_seconds = 1e-3, layer.seconds = 5e-4, layer.noise = 0.01, layer.improved = true;
    layer.default_schedule = "direct(rows=1)", layer.schedule = "direct(rows=4)";
    layer.trials = std::move(trials);
    return report;
}

std::string page_of(std::vector<MadeTrial> trials) {
    return tune_report_page(one_layer(std::move(trials)));
}

// An XML parser reads it, and it asks for nothing from elsewhere.
void expect_sound(const std::string &page) {
    const ScratchDirectory folder;
    const std::string file = folder.put("page.html", page);
    const std::string command =
        "python3 -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' " + file + " 2>&1";
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::string rest = page;
    for (const std::string known : {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"}) {
        for (size_t at = 0; (at = rest.find(known)) != std::string::npos;) rest.erase(at, known.size());
    }
    for (const char *foreign : {"http:", "https:", "src=", "<script", "@import", "url("}) {
        EXPECT_EQ(rest.find(foreign), std::string::npos) << foreign;
    }
}

size_t count(const std::string &text, const std::string &part) {
    size_t times = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) times++;
    return times;
}

// What the only match of the pattern has in its parentheses, as numbers.
std::vector<double> numbers_of(const std::string &text, const std::string &pattern) {
    std::smatch match;
    if (!std::regex_search(text, match, std::regex(pattern))) {
        ADD_FAILURE() << "nothing matches " << pattern;
        return std::vector<double>(10, NAN);
    }
    std::vector<double> numbers;
    numbers.reserve(match.size());
    for (size_t i = 1; i < match.size(); i++) numbers.push_back(std::stod(match[i]));
    return numbers;
}

TEST(ScaleTest, ALogarithmicOneMapsEveryTenfoldToTheSameDistance) {
    const Scale scale(Scale::Kind::logarithmic, 0.01, 100, 300, 20);
    EXPECT_DOUBLE_EQ(scale.at(0.01), 300);
    EXPECT_DOUBLE_EQ(scale.at(100), 20);
    EXPECT_NEAR(scale.at(0.1) - scale.at(1), 70, 1e-9);
    EXPECT_NEAR(scale.at(0.5) - scale.at(5), 70, 1e-9);
    EXPECT_DOUBLE_EQ(scale.at(1e6), 20);
    EXPECT_EQ(scale.ticks(5), (std::vector<double>{0.01, 0.1, 1, 10, 100}));
}

TEST(ScaleTest, TicksAreRoundFewAndInside) {
    for (const auto kind : {Scale::Kind::linear, Scale::Kind::logarithmic}) {
        for (const double high : {1.05, 1.3, 3.0, 17.0, 1234.5, 8e9}) {
            const std::vector<double> ticks = Scale(kind, 0.9, high, 0, 1).ticks(6);
            EXPECT_GE(ticks.size(), 2U) << high;
            EXPECT_LE(ticks.size(), 10U) << high;
            for (const double tick : ticks) EXPECT_TRUE(tick >= 0.9 && tick <= high * (1 + 1e-9)) << tick;
        }
    }
}

TEST(MarkupTest, WhateverBytesAreText) {
    EXPECT_EQ(escaped("<script>\"a\" & 'b'</script>"), "&lt;script&gt;&quot;a&quot; &amp; 'b'&lt;/script&gt;");
    EXPECT_EQ(escaped(std::string_view("a\0b\x1b[1m\x7f", 8)),
              "a\xef\xbf\xbd"
              "b\xef\xbf\xbd[1m\x7f");
    EXPECT_EQ(escaped("caf\xc3\xa9 \xff"), "caf\xc3\xa9 \xef\xbf\xbd");
    EXPECT_EQ(escaped("\xef\xbf\xbf"), "\xef\xbf\xbd");
    EXPECT_EQ(shortened("caf\xc3\xa9s", 4), "caf\xe2\x80\xa6");
    EXPECT_EQ(shortened("caf\xc3\xa9", 4), "caf\xc3\xa9");
}

TEST(TuneReportTest, NamesAndReasonsFromUsersAreTextInIt) {
    const std::string evil = "<script>alert(\"x\")</script> & ]]> \x01 \xff --> '\"";
    TuneReport report =
        one_layer({trial_of("direct(rows=1)", 1), trial_of(evil, 0.5), failure_of(evil, TrialOutcome::crashed, evil)});
    report.command = report.machine = report.target = report.date = report.build = report.version = evil;
    ReportedLayer &layer = report.layers.front();
    layer.name = layer.line = layer.family = layer.schedule = layer.default_schedule = evil;
    report.layers.push_back(layer);
    report.layers.back().family = "another";
    report.roofs.levels.front().name = evil;
    const std::string page = tune_report_page(report);
    expect_sound(page);
    EXPECT_EQ(page.find("<script"), std::string::npos);
    EXPECT_NE(page.find("&lt;script&gt;alert"), std::string::npos);
}

TEST(TuneReportTest, NothingToReport) {
    const std::string empty = tune_report_page({});
    expect_sound(empty);
    EXPECT_NE(empty.find("No layer was tuned."), std::string::npos);
    const std::string none = page_of({});
    expect_sound(none);
    EXPECT_NE(none.find("No trial was made."), std::string::npos);
    const std::string failed = page_of({failure_of("direct(rows=1)", TrialOutcome::wrong, "off by 1")});
    expect_sound(failed);
    EXPECT_NE(failed.find("No trial was measured."), std::string::npos);
    EXPECT_EQ(failed.find("class=\"best\" d=\"M62"), std::string::npos);
}

TEST(TuneReportTest, ALayerOfWhichNothingIsKnown) {
    TuneReport report =
        one_layer({trial_of("direct(rows=1)", NAN), trial_of("direct(rows=2)", 0), trial_of("gibberish", 2)});
    report.roofs.flops = 0;
    report.roofs.levels.clear();
    ReportedLayer &layer = report.layers.front();
    layer.nominal_flops = layer.real_flops = layer.bytes = layer.default_seconds = layer.seconds = 0;
    layer.improved = false;
    const std::string page = tune_report_page(report);
    expect_sound(page);
    EXPECT_EQ(page.find("nan"), std::string::npos);
    EXPECT_EQ(page.find("inf"), std::string::npos);
    EXPECT_EQ(page.find("Roofline</h2>"), std::string::npos);
}

TEST(TuneReportTest, TheBestSoFarLinePassesThroughItsTrials) {
    const std::string page = page_of({trial_of("direct(rows=1)", 1), trial_of("direct(rows=2)", 0.8),
                                      trial_of("direct(rows=3)", 0.9), trial_of("direct(rows=4)", 0.5)});
    const std::string number = "(-?[0-9.]+)";
    const std::vector<double> best =
        numbers_of(page, fmt::format("class=\"best\" d=\"M{0} {0}H{0}V{0}H{0}V{0}H{0}\"", number));
    const double trial = best[2] - best[0];
    EXPECT_NEAR(best[4] - best[2], 2 * trial, 0.2);  // the third trial is no step
    EXPECT_NEAR(best[6], best[4], 0.2);              // the last trial stands at the end
    EXPECT_NEAR((best[1] - best[3]) / (best[3] - best[5]), std::log(1 / 0.8) / std::log(0.8 / 0.5), 0.01);
    EXPECT_LT(best[1], best[5]);  // less time lies lower
    const std::string progress = page.substr(page.find("Search progress"));
    EXPECT_NEAR(numbers_of(progress, "class=\"default\" d=\"M[0-9.]+ " + number)[0], best[1], 0.2);
}

TEST(TuneReportTest, ArrowsOfTheRooflineAreAsLongAsTheGain) {
    TuneReport report = one_layer({});
    report.layers.push_back(report.layers.front());
    ReportedLayer &tenfold = report.layers.back();
    tenfold.bytes = 1e6;
    tenfold.default_seconds = 2e-3, tenfold.seconds = 2e-4;  // 2e7 operations: the peak
    const std::string plot = roofline_plot(report);
    const std::string number = "(-?[0-9.]+)", path = fmt::format("<path d=\"M{0} {0}V{0}\"/>", number);
    const std::vector<double> arrows = numbers_of(plot, path + "[^]*" + path);
    const double twofold_length = arrows[1] - arrows[2], tenfold_length = arrows[4] - arrows[5];
    EXPECT_NEAR(twofold_length / tenfold_length, std::log10(2), 0.01);
    EXPECT_GT(arrows[0], arrows[3]);  // fewer bytes: more operations a byte
    const std::vector<double> peak = numbers_of(plot, fmt::format("class=\"roof\" d=\"M58 {0}L944 {0}\"", number));
    EXPECT_NEAR(peak[0], peak[1], 1e-9);
    EXPECT_NEAR(arrows[5], peak[0], 0.2);
}

TEST(TuneReportTest, TablesSayWhatTheTrialsCameTo) {
    const std::string page =
        page_of({trial_of("direct(rows=1, columns=2)", 1), trial_of("direct(rows=4, columns=2)", 0.5),
                 failure_of("direct(rows=7, columns=2)", TrialOutcome::wrong, "element 5 is off"),
                 failure_of("direct(rows=8, columns=2)", TrialOutcome::wrong, "element 12 is off"),
                 failure_of("direct(rows=9, columns=2)", TrialOutcome::timed_out, "too long")});
    EXPECT_NE(page.find(">2 wrong</span>, <span class=\"whole\">1 timed-out</span></td>"), std::string::npos);
    EXPECT_NE(
        page.find("<td>1.000</td><td>0.5000</td><td class=\"better\">2.000</td><td>40 %</td><td>40 % of FMA</td>"),
        std::string::npos);
    EXPECT_NE(page.find("<td>2</td><td>wrong</td><td class=\"wide\">element 5 is off</td>"), std::string::npos);
    const size_t first = page.find("<code>direct(rows=4, columns=2)</code></td></tr>");
    const size_t second = page.find("<code>direct(<b>rows=1</b>, columns=2)</code></td></tr>");
    EXPECT_LT(first, second);
    EXPECT_NE(second, std::string::npos);
    EXPECT_NE(page.find("The same in all trials: columns=2."), std::string::npos);
    EXPECT_EQ(count(page, "Time over the values of"), 1U);
}

TEST(TuneReportTest, ALeftOutWidthIsThatOfWholeVectors) {
    const std::string page = page_of({trial_of("direct(rows=4)", 1), trial_of("direct(rows=4, half_vectors=1)", 0.5)});
    EXPECT_NE(page.find("Time over the values of half_vectors"), std::string::npos);
    EXPECT_NE(page.find(">direct, half vectors</text>"), std::string::npos);
}

TEST(TuneReportTest, AGainThatWasNotConfirmedIsExplained) {
    TuneReport report = one_layer({trial_of("direct(rows=1)", 1), trial_of("direct(rows=4)", 0.9)});
    const char *note = "timed again at the end: the default stays.";
    EXPECT_EQ(count(tune_report_page(report), note), 0U);
    report.layers.front().improved = false;
    EXPECT_EQ(count(tune_report_page(report), note), 1U);
    report.layers.front().trials.pop_back();
    EXPECT_EQ(count(tune_report_page(report), note), 0U);
}

TEST(TuneReportTest, PartsOfAChainAreSetApart) {
    TuneReport report =
        one_layer({trial_of("chain(stages=2)", 0.9), trial_of("direct(rows=1)", 1), trial_of("direct(rows=4)", 0.5)});
    ReportedLayer &layer = report.layers.front();
    layer.trials[0].trial.key.layer = "the whole";
    layer.schedule = "direct(rows=4) -> direct(rows=2)";
    const std::vector<TrialGroup> groups = trial_groups(layer);
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_FALSE(groups[0].used);
    EXPECT_TRUE(groups[1].used);
    EXPECT_EQ(groups[1].trials.back().number, 2U);
    const std::string page = tune_report_page(report);
    expect_sound(page);
    EXPECT_EQ(count(page, "Search progress"), 2U);
    EXPECT_EQ(count(page, "not in the winner"), 1U);
}

TEST(TuneReportTest, ThinningKeepsTheFastestAndSomeAllAlong) {
    std::vector<MadeTrial> trials;
    trials.reserve(1000);
    for (int i = 0; i < 1000; i++) trials.push_back(trial_of("direct(rows=1)", i == 777 ? 0.5 : 1 + i * 1e-3));
    const TuneReport report = one_layer(std::move(trials));
    const TrialGroup group = trial_groups(report.layers.front()).front();
    const std::vector<NumberedTrial> few = thinned(group.trials, 100);
    ASSERT_EQ(few.size(), 100U);
    EXPECT_TRUE(std::any_of(few.begin(), few.end(), [](const auto &one) { return one.number == 778; }));
    EXPECT_GT(few.back().number, 950U);
    for (size_t i = 1; i < few.size(); i++) EXPECT_LT(few[i - 1].number, few[i].number);
}

TEST(TuneReportTest, LargeRunsMakeNoLargePages) {
    const std::string note = "To keep this page small";
    const std::string small = tune_report_page(made_up_run(3, 160));
    expect_sound(small);
    EXPECT_EQ(small.find(note), std::string::npos);
    TuneReport run = made_up_run(120, 300);
    for (ReportedLayer &layer : run.layers) layer.name.resize(60, 'x');
    const std::string large = tune_report_page(run);
    expect_sound(large);
    EXPECT_LT(large.size(), 5'000'000U);
    EXPECT_NE(large.find(note), std::string::npos);
    EXPECT_EQ(count(large, "Search progress"), 120U);
    EXPECT_EQ(count(large, "<section id="), 120U);
    const std::string larger = tune_report_page(made_up_run(1000, 10));
    EXPECT_LT(larger.size(), 5'000'000U);
    EXPECT_NE(larger.find("the plots of single layers are left out"), std::string::npos);
}

}  // namespace
}  // namespace convc
