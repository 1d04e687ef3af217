#include "compiler/tune/report/trial_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/tune/report/markup.h"
#include "compiler/tune/report/plot.h"

namespace convc {
namespace {

constexpr double slowest_drawn = 3;  // times the default's; what is slower lies at the edge, as a triangle

// The least and the most relative time that a group's plots show: the default's and those of all trials, up to the
// slowest drawn.
struct Range {
    double low = 1 / 1.1, high = 1.1;
};

Range range_of(const TrialGroup &group) {
    Range range;
    for (const NumberedTrial &one : group.trials) {
        if (!one.measured) continue;
        range.low = std::min(range.low, one.trial->relative / 1.1);
        range.high = std::max(range.high, std::min(one.trial->relative * 1.05, slowest_drawn));
    }
    return range;
}

std::string hover_of(const NumberedTrial &one) {
    const std::string result = one.measured ? fmt::format("{} x default, {} ms", ratio_text(one.trial->relative),
                                                          milliseconds_of(one.trial->seconds))
                                            : fmt::format("{} {}", outcome_name(one.trial->outcome), one.trial->reason);
    return fmt::format("{}: {}\n{}", one.number, one.trial->key.schedule, result);
}

Mark mark_of(const NumberedTrial &one, Point at, const Range &range) {
    const bool beyond = one.trial->relative > range.high;
    return {at, beyond ? Glyph::triangle : Glyph::dot, beyond ? "slow" : one.known ? "known" : "new", ""};
}

// The time axis of a plot, bottom up, with the default as a line.
void draw_time_axis(Plot &plot, const Scale &y, double left, double right, size_t ticks, std::string_view label) {
    plot.y_axis(y, left, right, ticks, label);
    plot.line({left, y.at(1)}, {right, y.at(1)}, "default");
}

class ProgressPlot {
public:
    ProgressPlot(const TrialGroup &group, double noise, const Detail &detail)
        : group_(group),
          noise_(noise),
          detail_(detail),
          lanes_(lanes_of(group)),
          range_(range_of(group)),
          top_(14 + lane_height * static_cast<double>(lanes_.size())),
          bottom_(top_ + 190),
          x_(Scale::Kind::linear, 0, static_cast<double>(std::max<size_t>(group.trials.size(), 1)), left, right),
          y_(Scale::Kind::logarithmic, range_.low, range_.high, bottom_, top_),
          plot_(width, bottom_ + 38, "Search progress: time of each trial") {}

    std::string draw() {
        plot_.x_axis(x_, top_, bottom_, std::clamp<size_t>(group_.trials.size(), 1, 12), "trial");
        draw_noise();
        draw_time_axis(plot_, y_, left, right, 7, "time / default");
        draw_failures();
        draw_trials();
        draw_best();
        return plot_.print();
    }

private:
    static constexpr double width = 960, left = 62, right = 946, lane_height = 14;

    static std::vector<TrialOutcome> lanes_of(const TrialGroup &group) {
        std::set<TrialOutcome> outcomes;
        for (const NumberedTrial &one : group.trials) {
            if (one.trial->outcome != TrialOutcome::measured) outcomes.insert(one.trial->outcome);
        }
        return {outcomes.begin(), outcomes.end()};
    }

    double x(const NumberedTrial &one) const { return x_.at(static_cast<double>(one.number)); }

    void draw_noise() {
        if (!(noise_ > 0)) return;
        const double high = y_.at(1 + noise_), low = y_.at(std::max(1 - noise_, range_.low));
        plot_.add(fmt::format(
            "<rect class=\"noise\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>noise: {}</title></rect>\n",
            left, pixels(high), right - left, pixels(low - high), fmt::format("{:.1f} %", 100 * noise_)));
    }

    void draw_failures() {
        for (size_t i = 0; i < lanes_.size(); i++) {
            const double y = lane_height * (static_cast<double>(i) + 0.5);
            plot_.text({left - 6, y + 4}, outcome_name(lanes_[i]), "right small");
            std::vector<NumberedTrial> failed;
            for (const NumberedTrial &one : group_.trials) {
                if (one.trial->outcome == lanes_[i]) failed.push_back(one);
            }
            std::vector<Mark> marks;
            for (const NumberedTrial &one : thinned(failed, detail_.progress_marks)) {
                marks.push_back({{x(one), y}, Glyph::cross, "failed", hover_of(one)});
            }
            plot_.marks(marks, detail_.hover);
        }
    }

    void draw_trials() {
        std::vector<Mark> marks;
        for (const NumberedTrial &one : thinned(measured_trials(group_), detail_.progress_marks)) {
            Mark mark = mark_of(one, {x(one), y_.at(one.trial->relative)}, range_);
            mark.hover = hover_of(one);
            marks.push_back(std::move(mark));
        }
        plot_.marks(marks, detail_.hover);
    }

    void draw_best() {
        if (!group_.best) return;
        std::string path;
        double best = INFINITY;
        for (const NumberedTrial &one : group_.trials) {
            if (!one.measured || one.trial->relative >= best) continue;
            best = one.trial->relative;
            const std::string at_x = pixels(x(one)), at_y = pixels(y_.at(best));
            path += path.empty() ? fmt::format("M{} {}", at_x, at_y) : fmt::format("H{}V{}", at_x, at_y);
        }
        plot_.add(fmt::format("<path class=\"best\" d=\"{}H{}\"/>\n", path, pixels(right)));
        const NumberedTrial &winner = group_.trials[*group_.best];
        const Point at{x(winner), y_.at(best)};
        plot_.add(fmt::format("<circle class=\"winner\" cx=\"{}\" cy=\"{}\" r=\"5\"><title>{}</title></circle>\n",
                              pixels(at.x), pixels(at.y), escaped(hover_of(winner))));
        const bool leftwards = at.x > right - 180;
        plot_.text({at.x + (leftwards ? -9 : 9), at.y - 7},
                   fmt::format("{} at trial {}", ratio_text(best), winner.number),
                   leftwards ? "strong right small" : "strong left small");
    }

    const TrialGroup &group_;
    double noise_;
    const Detail &detail_;
    std::vector<TrialOutcome> lanes_;  // of failures, each a row above the plot
    Range range_;
    double top_, bottom_;
    Scale x_, y_;
    Plot plot_;
};

struct AlgorithmTrials {
    std::vector<NumberedTrial> measured;
    size_t failures = 0;
    double best = INFINITY;
};

// By name and width.
std::map<std::string, AlgorithmTrials> by_algorithm(const TrialGroup &group) {
    std::map<std::string, AlgorithmTrials> all;
    for (const NumberedTrial &one : group.trials) {
        if (!one.schedule) continue;
        AlgorithmTrials &row = all[algorithm_text(*one.schedule)];
        if (one.measured) {
            row.measured.push_back(one);
            row.best = std::min(row.best, one.trial->relative);
        } else {
            row.failures++;
        }
    }
    return all;
}

// A knob that a schedule leaves out is 0.
int64_t value_of(const Schedule &schedule, const std::string &knob) {
    return schedule.knob(knob).value_or(0);
}

// One knob's values over the trials of an algorithm.
class KnobPlot {
public:
    KnobPlot(const std::string &knob, const std::vector<int64_t> &values, const Range &range)
        : knob_(knob),
          values_(values),
          range_(range),
          y_(Scale::Kind::logarithmic, range.low, range.high, bottom, top),
          plot_(width, height, "Time over the values of " + knob) {}

    std::string draw(const std::vector<NumberedTrial> &trials, const Schedule &winner, const Detail &detail) {
        plot_.text({left, 13}, knob_, "left strong small");
        draw_time_axis(plot_, y_, left, right, 4, "");
        draw_values();
        std::vector<Mark> marks;
        for (const NumberedTrial &one : thinned(trials, detail.knob_marks)) {
            // Beside one another where they have one value.
            const double spread = std::min(7.0, 0.35 * step()) * static_cast<double>(one.number * 7 % 11) / 5 -
                                  std::min(7.0, 0.35 * step());
            const double relative = one.trial->relative;
            Mark mark = mark_of(one, {x(value_of(*one.schedule, knob_)) + spread, y_.at(relative)}, range_);
            mark.hover = fmt::format("{}: {}={}, {} x default", one.number, knob_, value_of(*one.schedule, knob_),
                                     ratio_text(relative));
            marks.push_back(std::move(mark));
        }
        plot_.marks(marks, detail.hover);
        draw_best(trials);
        draw_winner(trials, winner);
        return plot_.print();
    }

private:
    static constexpr double width = 232, height = 168, left = 38, right = width - 6, top = 20, bottom = height - 22;
    static constexpr double label_width = 22;

    double step() const { return (right - left) / static_cast<double>(values_.size()); }
    double x(int64_t value) const {
        const auto index = std::lower_bound(values_.begin(), values_.end(), value) - values_.begin();
        return left + (static_cast<double>(index) + 0.5) * step();
    }

    void draw_values() {
        double free = 0;  // of labels, from here on
        for (const int64_t value : values_) {
            const std::string text = fmt::format("{}", value);
            const double half = std::max(label_width, 7.0 * static_cast<double>(text.size()) + 6) / 2;
            if (x(value) - half < free) continue;
            plot_.text({x(value), bottom + 15}, text, "small");
            free = x(value) + half;
        }
    }

    // The least time at each value.
    void draw_best(const std::vector<NumberedTrial> &trials) {
        std::map<int64_t, double> best;
        for (const NumberedTrial &one : trials) {
            const auto [at, added] = best.try_emplace(value_of(*one.schedule, knob_), one.trial->relative);
            if (!added) at->second = std::min(at->second, one.trial->relative);
        }
        std::vector<Mark> marks;
        marks.reserve(best.size());
        for (const auto &[value, relative] : best) {
            marks.push_back({{x(value), y_.at(relative)}, Glyph::dash, "least", ""});
        }
        plot_.marks(marks, false);
    }

    void draw_winner(const std::vector<NumberedTrial> &trials, const Schedule &winner) {
        const auto found =
            std::find_if(trials.begin(), trials.end(), [&](const auto &one) { return one.schedule == winner; });
        if (found == trials.end()) return;
        plot_.add(fmt::format("<circle class=\"winner\" cx=\"{}\" cy=\"{}\" r=\"5\"/>\n",
                              pixels(x(value_of(winner, knob_))), pixels(y_.at(found->trial->relative))));
    }

    const std::string &knob_;
    const std::vector<int64_t> &values_;
    const Range &range_;
    Scale y_;
    Plot plot_;
};

// The measured trials of the winner's algorithm, of either width.
std::vector<NumberedTrial> trials_of_winner(const TrialGroup &group) {
    std::vector<NumberedTrial> trials = measured_trials(group);
    std::erase_if(trials, [&](const NumberedTrial &one) {
        return !one.schedule || one.schedule->algorithm != group.winner->algorithm;
    });
    return trials;
}

// Of all of them: the width is one that may be left out.
std::vector<std::string> knobs_of(const std::vector<NumberedTrial> &trials) {
    std::vector<std::string> names;
    for (const NumberedTrial &one : trials) {
        for (const auto &[name, value] : one.schedule->knobs) {
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
        }
    }
    return names;
}

}  // namespace

std::string progress_plot(const TrialGroup &group, double noise, const Detail &detail) {
    return ProgressPlot(group, noise, detail).draw();
}

std::string algorithm_plot(const TrialGroup &group, const Detail &detail) {
    constexpr double width = 960, left = 190, right = 700, row_height = 22, top = 6;
    const std::map<std::string, AlgorithmTrials> rows = by_algorithm(group);
    const double bottom = top + row_height * static_cast<double>(rows.size());
    const Range range = range_of(group);
    const Scale x(Scale::Kind::logarithmic, range.low, range.high, left, right);
    Plot plot(width, bottom + 38, "Times of the trials of each algorithm");
    plot.x_axis(x, top, bottom, 9, "time / default");
    plot.line({x.at(1), top}, {x.at(1), bottom}, "default");
    double y = top + row_height / 2;
    for (const auto &[name, row] : rows) {
        plot.text({left - 10, y + 4}, shortened(name, 28), "right");
        std::vector<Mark> marks;
        for (const NumberedTrial &one : thinned(row.measured, detail.knob_marks)) {
            Mark mark = mark_of(one, {x.at(one.trial->relative), y}, range);
            if (mark.glyph == Glyph::triangle) mark.at.y -= 3.5;  // its middle on the line, not its tip
            mark.hover = fmt::format("{}: {}", one.number, ratio_text(one.trial->relative));
            marks.push_back(std::move(mark));
        }
        plot.marks(marks, detail.hover);
        std::string text = row.measured.empty() ? "none ran" : "best " + ratio_text(row.best);
        text += fmt::format(", {} measured", row.measured.size());
        if (row.failures > 0) text += fmt::format(", {} failed", row.failures);
        plot.text({right + 14, y + 4}, text, "left");
        if (!row.measured.empty()) plot.line({x.at(row.best), y - 8}, {x.at(row.best), y + 8}, "least");
        y += row_height;
    }
    return plot.print();
}

std::string knob_plots(const TrialGroup &group, const Detail &detail) {
    if (!group.winner) return "";
    const std::vector<NumberedTrial> trials = trials_of_winner(group);
    if (trials.empty()) return "";
    const Range range = range_of(group);
    std::string plots, constant;
    for (const std::string &knob : knobs_of(trials)) {
        std::set<int64_t> values;
        for (const NumberedTrial &one : trials) values.insert(value_of(*one.schedule, knob));
        if (values.size() < 2) {
            constant += fmt::format("{}{}={}", constant.empty() ? "" : ", ", knob, *values.begin());
            continue;
        }
        const std::vector<int64_t> sorted(values.begin(), values.end());
        plots += KnobPlot(knob, sorted, range).draw(trials, *group.winner, detail);
    }
    if (!plots.empty()) plots = fmt::format("<div class=\"multiples\">\n{}</div>\n", plots);
    if (!constant.empty())
        plots += fmt::format("<p class=\"legend\">The same in all trials: {}.</p>\n", escaped(constant));
    return plots;
}

}  // namespace convc
