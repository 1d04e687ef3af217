#include "compiler/tune/report/layer_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "compiler/cost/roofline.h"
#include "compiler/tune/report/markup.h"

namespace convc {
namespace {

constexpr size_t most_schedules = 10;      // of the fastest
constexpr size_t most_failures = 12;       // rows of them
constexpr size_t longest_reason = 300;     // characters
constexpr size_t longest_schedules = 600;  // of a chain

std::string code(std::string_view text) {
    return fmt::format("<code>{}</code>", escaped(shortened(text, longest_schedules)));
}

bool is_timed(const ReportedLayer &layer) {
    return layer.default_seconds > 0 && layer.seconds > 0;
}

std::string fact(std::string_view name, const std::string &markup) {
    return markup.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, markup);
}

std::string work_text(const ReportedLayer &layer) {
    if (layer.real_flops <= 0) return "";
    std::string text = fmt::format("{:.4g} GFLOP", layer.real_flops / 1e9);
    if (layer.nominal_flops > layer.real_flops) {
        text += fmt::format(" ({:.4g} with taps in padding)", layer.nominal_flops / 1e9);
    }
    if (layer.bytes > 0) {
        text += fmt::format(", {:.4g} MB, {:.3g} FLOP/byte", layer.bytes / 1e6, layer.real_flops / layer.bytes);
    }
    return text;
}

std::string time_text(const TuneReport &report, const ReportedLayer &layer) {
    if (!is_timed(layer)) return "not timed: not even the default schedule ran";
    std::string text = fmt::format("{} ms by default, {} ms tuned, gain {}", milliseconds_of(layer.default_seconds),
                                   milliseconds_of(layer.seconds), gain_text(layer));
    if (layer.noise > 0) text += fmt::format(" (noise {:.1f} %)", 100 * layer.noise);
    if (layer.real_flops > 0) text += fmt::format("; {:.4g} GFLOP/s", layer.real_flops / layer.seconds / 1e9);
    const std::string peak = peak_text(report, layer), roof = roofline_text(report, layer);
    if (!peak.empty()) text += ", " + peak + " of the FMA peak";
    if (!roof.empty()) text += ", " + roof + " roof";
    return text;
}

std::string layer_facts(const TuneReport &report, const ReportedLayer &layer) {
    std::string facts = fact("layer", code(layer.line)) + fact("work", escaped(work_text(layer))) +
                        fact("time", escaped(time_text(report, layer)));
    if (layer.improved) facts += fact("winner", code(layer.schedule));
    if (!layer.default_schedule.empty()) facts += fact("default", code(layer.default_schedule));
    return "<dl>\n" + facts + "</dl>\n";
}

// With the knobs in bold that another schedule has otherwise.
std::string schedule_markup(const NumberedTrial &one, const NumberedTrial &other) {
    const bool comparable = one.schedule && other.schedule && one.schedule->algorithm == other.schedule->algorithm;
    if (!comparable) return code(one.trial->key.schedule);
    std::string text = escaped(one.schedule->algorithm) + "(";
    const char *separator = "";
    for (const auto &[name, value] : one.schedule->knobs) {
        const std::string knob = fmt::format("{}={}", escaped(name), value);
        text += separator + (other.schedule->knob(name) == value ? knob : "<b>" + knob + "</b>");
        separator = ", ";
    }
    return "<code>" + text + ")</code>";
}

std::string fastest_table(const TrialGroup &group) {
    std::vector<NumberedTrial> fastest = measured_trials(group);
    if (fastest.empty()) return "";
    std::stable_sort(fastest.begin(), fastest.end(),
                     [](const auto &a, const auto &b) { return a.trial->relative < b.trial->relative; });
    fastest.resize(std::min(fastest.size(), most_schedules));
    std::string rows;
    for (const NumberedTrial &one : fastest) {
        rows += fmt::format("<tr><td>{}{}</td><td>{}</td><td>{}</td><td>{:.1f}</td><td class=\"wide\">{}</td></tr>\n",
                            one.number, one.known ? " (earlier run)" : "", milliseconds_of(one.trial->seconds),
                            ratio_text(one.trial->relative), static_cast<double>(one.trial->workspace) / 1024,
                            schedule_markup(one, fastest.front()));
    }
    return fmt::format(
        "<h4>The fastest</h4>\n<div class=\"scroll\"><table><thead><tr><th>trial</th><th>ms</th><th>/ default</th>"
        "<th>workspace KiB</th><th class=\"wide\">schedule (bold: not as in the fastest)</th></tr></thead>\n"
        "<tbody>\n{}</tbody></table></div>\n",
        rows);
}

struct FailureKind {
    size_t count = 0;
    const NumberedTrial *first = nullptr;
};

// Reasons that differ in their numbers alone are one kind.
std::string without_numbers(const std::string &reason) {
    std::string text;
    for (const char c : reason) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit) text += c;
        if (digit && (text.empty() || text.back() != '0')) text += '0';
    }
    return text;
}

std::string failures_table(const TrialGroup &group) {
    std::map<std::pair<TrialOutcome, std::string>, FailureKind> kinds;
    for (const NumberedTrial &one : group.trials) {
        if (one.trial->outcome == TrialOutcome::measured) continue;
        FailureKind &kind = kinds[{one.trial->outcome, without_numbers(one.trial->reason)}];
        if (kind.count++ == 0) kind.first = &one;
    }
    if (kinds.empty()) return "";
    std::vector<FailureKind> sorted;
    sorted.reserve(kinds.size());
    for (const auto &[key, kind] : kinds) sorted.push_back(kind);
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto &a, const auto &b) { return a.count > b.count; });
    const size_t left_out = sorted.size() - std::min(sorted.size(), most_failures);
    sorted.resize(sorted.size() - left_out);
    std::string rows;
    for (const FailureKind &kind : sorted) {
        const Trial &trial = *kind.first->trial;
        rows += fmt::format("<tr><td>{}</td><td>{}</td><td class=\"wide\">{}</td><td class=\"wide\">{}: {}</td></tr>\n",
                            kind.count, outcome_name(trial.outcome), escaped(shortened(trial.reason, longest_reason)),
                            kind.first->number, code(trial.key.schedule));
    }
    const std::string note =
        left_out > 0 ? fmt::format("<p class=\"legend\">{} rarer reasons are left out.</p>\n", left_out) : "";
    return fmt::format(
        "<h4>What failed</h4>\n<div class=\"scroll\"><table><thead><tr><th>trials</th><th>outcome</th>"
        "<th class=\"wide\">reason</th><th class=\"wide\">first of them</th></tr></thead>\n<tbody>\n{}</tbody></table>"
        "</div>\n{}",
        rows, note);
}

// Where the picture shows a gain that the layer has not.
std::string unconfirmed_note(const ReportedLayer &layer, const TrialGroup &group) {
    if (layer.improved || group.trials[*group.best].trial->relative >= 1) return "";
    return "<p class=\"legend\">The fastest trial was faster than the default, but not by enough when both were timed "
           "again at the end: the default stays.</p>\n";
}

std::string group_plots(const ReportedLayer &layer, const TrialGroup &group, const Detail &detail) {
    if (!detail.plots) return "";
    std::string text = progress_plot(group, layer.noise, detail);
    if (!group.best) return text;
    const std::string algorithms = algorithm_plot(group, detail);
    if (!algorithms.empty()) text += "<h4>Algorithms</h4>\n" + algorithms;
    const std::string knobs = group.used ? knob_plots(group, detail) : "";
    if (!knobs.empty()) {
        text += fmt::format("<h4>Knobs of {}</h4>\n{}", escaped(group.winner->algorithm), knobs);
    }
    return text;
}

std::string group_markup(const ReportedLayer &layer, const TrialGroup &group, bool alone, const Detail &detail) {
    std::string text;
    if (!alone) {
        text += fmt::format("<h3>{}{}</h3>\n", code(group.line), group.used ? "" : " <small>not in the winner</small>");
    }
    if (group.trials.empty()) return text + "<p>No trial was made.</p>\n";
    if (!group.best) text += "<p>No trial was measured.</p>\n";
    if (group.best && alone) text += unconfirmed_note(layer, group);
    return text + group_plots(layer, group, detail) + fastest_table(group) + failures_table(group);
}

}  // namespace

std::string gain_text(const ReportedLayer &layer) {
    return is_timed(layer) ? ratio_text(layer.default_seconds / layer.seconds) : "";
}

std::string peak_text(const TuneReport &report, const ReportedLayer &layer) {
    return is_timed(layer) && layer.real_flops > 0 ? percent(layer.real_flops / layer.seconds, report.roofs.flops) : "";
}

std::string roofline_text(const TuneReport &report, const ReportedLayer &layer) {
    if (!is_timed(layer) || layer.real_flops <= 0) return "";
    const Roof roof = attainable(layer.real_flops, layer.bytes, report.roofs);
    return roof.rate > 0 ? fmt::format("{} of {}", percent(layer.real_flops / layer.seconds, roof.rate), roof.name)
                         : "";
}

std::string layer_section(const TuneReport &report, size_t index, const Detail &detail) {
    const ReportedLayer &layer = report.layers[index];
    std::string text = fmt::format("<section id=\"layer-{0}\">\n<h2><a href=\"#summary\">{0}</a> {1}</h2>\n", index + 1,
                                   escaped(layer.name));
    text += layer_facts(report, layer);
    const std::vector<TrialGroup> groups = trial_groups(layer);
    for (const TrialGroup &group : groups) text += group_markup(layer, group, groups.size() == 1, detail);
    return text + "</section>\n";
}

}  // namespace convc
