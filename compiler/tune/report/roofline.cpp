#include "compiler/tune/report/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

#include "compiler/tune/report/markup.h"
#include "compiler/tune/report/plot.h"

namespace convc {
namespace {

constexpr double width = 960, height = 520, left = 58, right = width - 16, top = 14, bottom = height - 44;
constexpr double character_width = 6.2, line_height = 12;  // of a label
constexpr size_t longest_label = 26;
constexpr size_t most_colours = 8;  // the style sheet's family0, family1, ...

struct Box {
    double x1, y1, x2, y2;
    bool meets(const Box &other) const { return x1 < other.x2 && other.x1 < x2 && y1 < other.y2 && other.y1 < y2; }
};

bool is_drawn(const ReportedLayer &layer) {
    return layer.real_flops > 0 && layer.bytes > 0 && layer.default_seconds > 0 && layer.seconds > 0;
}

double intensity(const ReportedLayer &layer) {
    return layer.real_flops / layer.bytes;
}

class Roofline {
public:
    explicit Roofline(const TuneReport &report)
        : report_(report),
          x_(x_scale(report)),
          y_(y_scale(report, x_)),
          plot_(width, height, "Roofline: rate of each layer over its arithmetic intensity") {
        for (const ReportedLayer &layer : report.layers) {
            const auto &known = families_;
            if (std::find(known.begin(), known.end(), layer.family) == known.end()) families_.push_back(layer.family);
        }
    }

    std::string draw() {
        plot_.x_axis(x_, top, bottom, 12, "real operations a byte (FLOP/byte)");
        plot_.y_axis(y_, left, right, 8, "GFLOP/s");
        draw_roofs();
        std::vector<size_t> order;
        for (size_t i = 0; i < report_.layers.size(); i++) {
            if (is_drawn(report_.layers[i])) order.push_back(i);
        }
        for (const size_t i : order) draw_arrow(i);
        label_peak();
        // Where labels do not fit, those of the layers that gained most come first.
        const auto ratio = [&](size_t i) { return report_.layers[i].seconds / report_.layers[i].default_seconds; };
        std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ratio(a) < ratio(b); });
        for (const size_t i : order) draw_label(i);
        return plot_.print() + legend();
    }

private:
    // All layers, and the knees of all roofs.
    static Scale x_scale(const TuneReport &report) {
        double low = INFINITY, high = 0;
        const auto cover = [&](double value) { low = std::min(low, value), high = std::max(high, value); };
        for (const ReportedLayer &layer : report.layers) {
            if (is_drawn(layer)) cover(intensity(layer));
        }
        for (const MemoryLevel &level : report.roofs.levels) {
            if (level.bytes_per_second > 0 && report.roofs.flops > 0)
                cover(report.roofs.flops / level.bytes_per_second);
        }
        return {Scale::Kind::logarithmic, low / 2, high * 2, left, right};
    }

    static Scale y_scale(const TuneReport &report, const Scale &x) {
        double low = INFINITY, high = report.roofs.flops;
        for (const ReportedLayer &layer : report.layers) {
            if (!is_drawn(layer)) continue;
            low = std::min(low, layer.real_flops / std::max(layer.default_seconds, layer.seconds));
            high = std::max(high, layer.real_flops / std::min(layer.default_seconds, layer.seconds));
        }
        // Of a roof, some of the slope is to be seen.
        for (const MemoryLevel &level : report.roofs.levels) {
            if (level.bytes_per_second > 0) low = std::min(low, 3 * x.low() * level.bytes_per_second);
        }
        return {Scale::Kind::logarithmic, low / 1.6 / 1e9, high * 1.6 / 1e9, bottom, top};
    }

    Point at(const ReportedLayer &layer, double seconds) const {
        return {x_.at(intensity(layer)), y_.at(layer.real_flops / seconds / 1e9)};
    }

    void draw_roofs() {
        double before = NAN;  // where the roof before begins
        double shift = 0;
        for (size_t i = 0; i < report_.roofs.levels.size(); i++) {
            const MemoryLevel &level = report_.roofs.levels[i];
            if (level.bytes_per_second <= 0) continue;
            const double begin = std::max(x_.low(), y_.low() * 1e9 / level.bytes_per_second);
            const double peak = report_.roofs.flops > 0 ? report_.roofs.flops : y_.high() * 1e9;
            const double end = std::min(x_.high(), peak / level.bytes_per_second);
            if (begin >= end) continue;
            const Point from{x_.at(begin), y_.at(begin * level.bytes_per_second / 1e9)};
            const Point to{x_.at(end), y_.at(end * level.bytes_per_second / 1e9)};
            plot_.line(from, to, "roof");
            const std::string label = fmt::format("{} {:.0f} GB/s", level.name, level.bytes_per_second / 1e9);
            // Roofs that lie close to each other have their labels one above, one below, one further on.
            const bool close = std::abs(from.y - before) < 2 * line_height && std::isfinite(before);
            shift = close && i > 1 ? shift + character_width * static_cast<double>(label.size()) + 12 : 0;
            label_roof(from, to, label, shift, i == 0 ? -5 : line_height + 2);
            before = from.y;
        }
        if (report_.roofs.flops <= 0) return;
        const double y = y_.at(report_.roofs.flops / 1e9);
        plot_.line({left, y}, {right, y}, "roof");
    }

    // As far to the right as no layer is in its way.
    void label_peak() {
        if (report_.roofs.flops <= 0) return;
        const std::string label = fmt::format("FMA peak {:.0f} GFLOP/s", report_.roofs.flops / 1e9);
        const double length = character_width * static_cast<double>(label.size());
        const double y = y_.at(report_.roofs.flops / 1e9);
        Box box{right - length, y - 17, right, y - 1};
        while (is_taken(box) && box.x1 - 10 > left) box.x1 -= 10, box.x2 -= 10;
        plot_.text({box.x2, y - 5}, label, "right small");
        taken_.push_back(box);
    }

    bool is_taken(const Box &box) const {
        return std::any_of(taken_.begin(), taken_.end(), [&](const Box &other) { return box.meets(other); });
    }

    void label_roof(Point from, Point to, const std::string &label, double shift, double above) {
        const double angle = std::atan2(to.y - from.y, to.x - from.x);
        const Point begin{from.x + (8 + shift) * std::cos(angle), from.y + (8 + shift) * std::sin(angle)};
        plot_.add(fmt::format(
            "<text class=\"small left\" transform=\"translate({} {}) rotate({})\" y=\"{}\">{}</text>\n",
            pixels(begin.x), pixels(begin.y), pixels(angle * 180 / std::numbers::pi), pixels(above), escaped(label)));
        const double length = character_width * static_cast<double>(label.size());
        for (int i = 0; i * line_height < length; i++) {
            const double along = i * line_height;
            const Point point{begin.x + along * std::cos(angle), begin.y + along * std::sin(angle) + above - 4};
            taken_.push_back({point.x - 6, point.y - 6, point.x + 12, point.y + 6});
        }
    }

    std::string colour(const ReportedLayer &layer) const {
        const auto found = std::find(families_.begin(), families_.end(), layer.family) - families_.begin();
        return fmt::format("family{}", std::min<size_t>(static_cast<size_t>(found), most_colours));
    }

    std::string hover(size_t i) const {
        const ReportedLayer &layer = report_.layers[i];
        const auto rate = [&](double seconds) { return layer.real_flops / seconds / 1e9; };
        return fmt::format("{} {}: {:.4g} GFLOP/s, by default {:.4g}, {:.4g} FLOP/byte", i + 1, layer.name,
                           rate(layer.seconds), rate(layer.default_seconds), intensity(layer));
    }

    // From a ring to a tip; a layer with nothing faster is a dot.
    void draw_arrow(size_t i) {
        const ReportedLayer &layer = report_.layers[i];
        const Point from = at(layer, layer.default_seconds), to = at(layer, layer.seconds);
        std::string shape;
        if (layer.improved) {
            const double back = to.y < from.y ? 7 : -7;
            shape = fmt::format(R"(<circle cx="{0}" cy="{1}" r="3"/><path d="M{0} {1}V{2}"/>)"
                                R"(<path class="tip" d="M{0} {2}l4 {3}h-8z"/>)",
                                pixels(from.x), pixels(from.y), pixels(to.y), back);
        } else {
            shape = fmt::format(R"(<circle class="tip" cx="{}" cy="{}" r="3"/>)", pixels(to.x), pixels(to.y));
        }
        plot_.add(
            fmt::format("<g class=\"arrow {}\"><title>{}</title>{}</g>\n", colour(layer), escaped(hover(i)), shape));
        taken_.push_back({to.x - 5, std::min(from.y, to.y) - 4, to.x + 5, std::max(from.y, to.y) + 4});
    }

    // Its name, or its number in the table, or nothing where neither fits.
    void draw_label(size_t i) {
        const ReportedLayer &layer = report_.layers[i];
        for (const std::string &text : {shortened(layer.name, longest_label), fmt::format("{}", i + 1)}) {
            if (place_label(at(layer, layer.default_seconds), at(layer, layer.seconds), text)) return;
        }
    }

    bool place_label(Point from, Point to, const std::string &text) {
        struct Place {
            Point at;
            double share;  // of the label that lies left of the point
            const char *style;
        };
        const double above = std::min(from.y, to.y) - 7, below = std::max(from.y, to.y) + 15,
                     middle = (from.y + to.y) / 2;
        const std::array places{Place{{to.x + 8, middle + 4}, 0, "left small"},
                                Place{{to.x - 8, middle + 4}, 1, "right small"},
                                Place{{to.x, above}, 0.5, "small"},
                                Place{{to.x, below}, 0.5, "small"},
                                Place{{to.x + 8, above + 4}, 0, "left small"},
                                Place{{to.x - 8, above + 4}, 1, "right small"},
                                Place{{to.x + 8, below - 4}, 0, "left small"},
                                Place{{to.x - 8, below - 4}, 1, "right small"}};
        const double length = character_width * static_cast<double>(characters(text));
        for (const Place &place : places) {
            const double begin = place.at.x - place.share * length;
            const Box box{begin, place.at.y - line_height + 2, begin + length, place.at.y + 2};
            if (box.x1 < left || box.x2 > right || box.y1 < top || box.y2 > bottom) continue;
            if (is_taken(box)) continue;
            plot_.text(place.at, text, place.style);
            taken_.push_back(box);
            return true;
        }
        return false;
    }

    // Below the picture, where it hides nothing.
    std::string legend() const {
        std::string text =
            "<p class=\"legend\">ring: default; tip: tuned; dot: nothing faster found; number: the row above";
        for (size_t i = 0; families_.size() > 1 && i < std::min(families_.size(), most_colours + 1); i++) {
            const std::string name = i == most_colours ? "others" : families_[i].empty() ? "no family" : families_[i];
            text += fmt::format(" <span class=\"key family{}\">{}</span>", i, escaped(shortened(name, longest_label)));
        }
        return text + "</p>\n";
    }

    const TuneReport &report_;
    Scale x_, y_;
    Plot plot_;
    std::vector<std::string> families_;  // in the order of their first layers
    std::vector<Box> taken_;             // by marks and labels
};

}  // namespace

std::string roofline_plot(const TuneReport &report) {
    const bool any = std::any_of(report.layers.begin(), report.layers.end(), is_drawn);
    return any ? Roofline(report).draw() : "";
}

}  // namespace convc
