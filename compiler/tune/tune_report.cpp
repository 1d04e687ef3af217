#include "compiler/tune/tune_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "compiler/tune/report/layer_section.h"
#include "compiler/tune/report/markup.h"
#include "compiler/tune/report/plot.h"
#include "compiler/tune/report/roofline.h"

namespace convc {
namespace {

constexpr size_t largest_page = 4'500'000;  // bytes

// From everything to what can be left out; the first that makes a page of bearable size is taken.
struct DetailChoice {
    Detail detail;
    const char *note;
};
constexpr size_t all = std::numeric_limits<size_t>::max();
const std::array detail_choices{
    DetailChoice{{}, ""},
    DetailChoice{{.hover = false, .progress_marks = all, .knob_marks = all, .plots = true},
                 "To keep this page small, single trials have no hover texts."},
    DetailChoice{
        {.hover = false, .progress_marks = 400, .knob_marks = 80, .plots = true},
        "To keep this page small, single trials have no hover texts, and plots are thinned out: progress shows "
        "400 trials and 400 of each kind of failure, a knob's and an algorithm's plot 80 trials, the fastest "
        "among them. Lines and tables count all."},
    DetailChoice{{.hover = false, .progress_marks = 0, .knob_marks = 0, .plots = false},
                 "To keep this page small, the plots of single layers are left out. Fewer layers at a time have them."},
};

std::string duration(double seconds) {
    if (seconds < 120) return fmt::format("{:.0f} s", seconds);
    const double minutes = seconds / 60;
    return minutes < 120 ? fmt::format("{:.1f} min", minutes) : fmt::format("{:.1f} h", minutes / 60);
}

std::string row(std::string_view name, const std::string &text) {
    return text.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escaped(text));
}

std::string machine_text(const TuneReport &report) {
    std::string text;
    if (report.roofs.flops > 0) text = fmt::format("FMA peak {:.0f} GFLOP/s", report.roofs.flops / 1e9);
    for (const MemoryLevel &level : report.roofs.levels) {
        text += fmt::format("{}{} {:.0f} GB/s", text.empty() ? "" : ", ", level.name, level.bytes_per_second / 1e9);
    }
    return text;
}

std::string head(const TuneReport &report) {
    std::string text = fmt::format("<h1>convc tune</h1>\n<small>{}</small>\n<dl>\n", escaped(report.date));
    text += row("command", report.command) + row("target", report.target) + row("machine", report.machine) +
            row("measured", machine_text(report)) + row("convc", report.version) + row("build", report.build);
    const std::string budget = report.budget > 0 ? " of " + duration(report.budget) : "";
    return text + row("time spent", duration(report.seconds) + budget) + "</dl>\n";
}

std::string tile(const std::string &number, const std::string &what) {
    return fmt::format("<div><b>{}</b>{}</div>\n", escaped(number), escaped(what));
}

std::string totals(const TuneReport &report) {
    double before = 0, after = 0, logarithms = 0;
    size_t timed = 0, improved = 0, trials = 0, known = 0, failures = 0;
    for (const ReportedLayer &layer : report.layers) {
        improved += layer.improved;
        for (const MadeTrial &one : layer.trials) {
            trials++;
            known += one.known;
            failures += one.trial.outcome != TrialOutcome::measured;
        }
        if (!(layer.default_seconds > 0 && layer.seconds > 0)) continue;
        timed++;
        before += layer.default_seconds;
        after += layer.seconds;
        logarithms += std::log(layer.default_seconds / layer.seconds);
    }
    std::string text;
    if (timed > 0) {
        text += tile(ratio_text(std::exp(logarithms / static_cast<double>(timed))), "geometric mean of the gains");
        text += tile(fmt::format("{} \xe2\x86\x92 {} ms", milliseconds_of(before), milliseconds_of(after)),
                     fmt::format("all layers together, gain {}", ratio_text(before / after)));
    }
    text += tile(fmt::format("{} of {}", improved, report.layers.size()), "layers faster than by default");
    text += tile(thousands(trials), fmt::format("trials, {} of them of earlier runs", thousands(known)));
    text += tile(thousands(failures), "trials failed");
    return "<div class=\"totals\">\n" + text + "</div>\n";
}

std::string seconds_cell(double seconds) {
    return seconds > 0 ? milliseconds_of(seconds) : "";
}

std::string summary_row(const TuneReport &report, size_t index) {
    const ReportedLayer &layer = report.layers[index];
    const auto known =
        std::count_if(layer.trials.begin(), layer.trials.end(), [](const auto &one) { return one.known; });
    std::string trials = thousands(layer.trials.size());
    if (known > 0) trials += fmt::format(" ({} earlier)", known);
    const std::string winner =
        layer.improved ? fmt::format("<code>{}</code>", escaped(shortened(layer.schedule, 300))) : "default";
    return fmt::format(
        "<tr><td>{0}</td><td class=\"wide\"><a href=\"#layer-{0}\">{1}</a></td><td>{2}</td><td>{3}</td>"
        "<td{4}>{5}</td><td>{6}</td><td>{7}</td><td>{8}</td><td class=\"words\">{9}</td><td "
        "class=\"wide\">{10}</td></tr>\n",
        index + 1, escaped(layer.name), seconds_cell(layer.default_seconds), seconds_cell(layer.seconds),
        layer.improved ? " class=\"better\"" : "", gain_text(layer), peak_text(report, layer),
        escaped(roofline_text(report, layer)), trials, failures_markup(layer.trials), winner);
}

std::string summary(const TuneReport &report) {
    if (report.layers.empty()) return "<p>No layer was tuned.</p>\n";
    std::string rows;
    for (size_t i = 0; i < report.layers.size(); i++) rows += summary_row(report, i);
    return fmt::format(
        "<div class=\"scroll\" id=\"summary\"><table><thead><tr><th></th><th class=\"wide\">layer</th><th>default "
        "ms</th>"
        "<th>tuned ms</th><th>gain</th><th>FMA peak</th><th>roofline</th><th>trials</th><th "
        "class=\"words\">failures</th>"
        "<th class=\"wide\">winner</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
        rows);
}

std::string overview(const TuneReport &report) {
    const std::string plot = roofline_plot(report);
    return plot.empty() ? "" : "<h2>Roofline</h2>\n" + plot;
}

std::string legend_entry(Glyph glyph, const char *style, const char *text) {
    Plot plot(14, 14, text);
    plot.marks({{.at = {7, glyph == Glyph::triangle ? 4.0 : 7.0}, .glyph = glyph, .style = style, .hover = ""}}, false);
    return plot.print() + text;
}

std::string legend() {
    return "<p class=\"legend\">In the plots of trials: " + legend_entry(Glyph::dot, "new", "measured") +
           legend_entry(Glyph::dot, "known", "in an earlier run") + legend_entry(Glyph::cross, "failed", "failed") +
           legend_entry(Glyph::triangle, "slow", "slower than the plot reaches") +
           legend_entry(Glyph::dash, "best", "best so far, or of all with a value") +
           legend_entry(Glyph::dash, "default", "the default's time") +
           ". A ring: the fastest, and in plots of knobs the schedule taken.</p>\n";
}

std::string page(const TuneReport &report, const DetailChoice &choice) {
    std::string sections;
    for (size_t i = 0; i < report.layers.size(); i++) sections += layer_section(report, i, choice.detail);
    const std::string note = *choice.note ? fmt::format("<p class=\"legend\">{}</p>\n", choice.note) : "";
    return fmt::format(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta "
        "charset=\"utf-8\"/>\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{}</title>\n"
        "<style>{}</style>\n</head>\n<body>\n{}{}{}{}{}{}{}</body>\n</html>\n",
        escaped("convc tune, " + report.date), report_style, head(report), totals(report), note, summary(report),
        overview(report), report.layers.empty() ? "" : legend(), sections);
}

}  // namespace

std::string tune_report_page(const TuneReport &report) {
    std::string text;
    for (const DetailChoice &choice : detail_choices) {
        text = page(report, choice);
        if (text.size() <= largest_page) break;
    }
    return text;
}

}  // namespace convc
