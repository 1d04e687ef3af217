#include "compiler/tune/report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>

#include "compiler/tune/report/markup.h"

namespace convc {
namespace {

constexpr double least_log_ratio = 2.2;  // a logarithmic scale over less has the ticks of a linear one

std::vector<double> even_ticks(double low, double high, size_t most) {
    const double decade = std::pow(10, std::floor(std::log10((high - low) / static_cast<double>(most))));
    std::vector<double> ticks;
    for (const double step : {1.0, 2.0, 5.0, 10.0, 20.0}) {
        ticks.clear();
        const double distance = step * decade;
        const auto first = static_cast<int64_t>(std::ceil(low / distance));
        const auto last = static_cast<int64_t>(std::floor(high / distance * (1 + 1e-12)));
        for (int64_t i = first; i <= last; i++) ticks.push_back(static_cast<double>(i) * distance);
        if (ticks.size() <= most) break;
    }
    return ticks;
}

std::vector<double> decade_ticks(double low, double high, size_t most) {
    static const std::vector<std::vector<double>> choices = {
        {1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 5}, {1, 2, 5}, {1, 3}, {1}};
    std::vector<double> ticks;
    for (const std::vector<double> &choice : choices) {
        ticks.clear();
        const int first = static_cast<int>(std::floor(std::log10(low)));
        for (int decade = first; decade <= std::log10(high); decade++) {
            for (const double digit : choice) {
                const double tick = digit * std::pow(10, decade);
                if (tick >= low && tick <= high) ticks.push_back(tick);
            }
        }
        if (ticks.size() <= most) break;
    }
    return ticks;
}

std::string glyph_path(Glyph glyph, Point at) {
    const std::string x = pixels(at.x), y = pixels(at.y);
    switch (glyph) {
        case Glyph::dot:
            return fmt::format("M{} {}h0", x, y);  // the style's round ends make it a dot
        case Glyph::cross:
            return fmt::format("M{} {}l6 6m0-6l-6 6", pixels(at.x - 3), pixels(at.y - 3));
        case Glyph::triangle:
            return fmt::format("M{} {}h8l-4-7z", pixels(at.x - 4), pixels(at.y + 7));
        case Glyph::dash:
            return fmt::format("M{} {}h12", pixels(at.x - 6), y);
    }
    return "";
}

}  // namespace

Scale::Scale(Kind kind, double low, double high, double from, double to)
    : kind_(kind), low_(low), high_(high), from_(from), to_(to) {}

double Scale::at(double value) const {
    const double share = (place(std::clamp(value, low_, high_)) - place(low_)) / (place(high_) - place(low_));
    return from_ + share * (to_ - from_);
}

std::vector<double> Scale::ticks(size_t most) const {
    const bool even = kind_ == Kind::linear || high_ / low_ < least_log_ratio;
    return even ? even_ticks(low_, high_, most) : decade_ticks(low_, high_, most);
}

Plot::Plot(double width, double height, std::string_view title) : width_(width), height_(height) {
    body_ = fmt::format(
        R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">)"
        "\n",
        width, height, escaped(title));
}

void Plot::text(Point at, std::string_view text, std::string_view style) {
    const std::string place = fmt::format(R"(x="{}" y="{}")", pixels(at.x), pixels(at.y));
    const std::string classes = style.empty() ? "" : fmt::format(R"( class="{}")", style);
    body_ += fmt::format("<text {}{}>{}</text>\n", place, classes, escaped(text));
}

void Plot::line(Point from, Point to, std::string_view style) {
    body_ += fmt::format("<path class=\"{}\" d=\"M{} {}L{} {}\"/>\n", style, pixels(from.x), pixels(from.y),
                         pixels(to.x), pixels(to.y));
}

void Plot::marks(const std::vector<Mark> &marks, bool hover) {
    std::map<std::string, std::string> paths;
    for (const Mark &mark : marks) {
        std::string &path = paths[mark.style];
        if (hover) {
            path += fmt::format("<path d=\"{}\"><title>{}</title></path>\n", glyph_path(mark.glyph, mark.at),
                                escaped(mark.hover));
        } else {
            path += glyph_path(mark.glyph, mark.at);
        }
    }
    for (const auto &[style, path] : paths) {
        body_ += hover ? fmt::format("<g class=\"{}\">\n{}</g>\n", style, path)
                       : fmt::format("<path class=\"{}\" d=\"{}\"/>\n", style, path);
    }
}

void Plot::y_axis(const Scale &y, double left, double right, size_t most_ticks, std::string_view label) {
    std::string grid;
    for (const double tick : y.ticks(most_ticks)) {
        grid += fmt::format("M{} {}H{}", pixels(left), pixels(y.at(tick)), pixels(right));
        text({left - 6, y.at(tick) + 4}, fmt::format("{:.6g}", tick), "right small");
    }
    body_ += fmt::format("<path class=\"grid\" d=\"{}\"/>\n", grid);
    if (label.empty()) return;
    body_ += fmt::format("<text class=\"small\" transform=\"translate(12 {}) rotate(-90)\">{}</text>\n",
                         pixels((y.from() + y.to()) / 2), escaped(label));
}

void Plot::x_axis(const Scale &x, double top, double bottom, size_t most_ticks, std::string_view label) {
    std::string grid;
    for (const double tick : x.ticks(most_ticks)) {
        grid += fmt::format("M{} {}V{}", pixels(x.at(tick)), pixels(top), pixels(bottom));
        text({x.at(tick), bottom + 15}, fmt::format("{:.6g}", tick), "small");
    }
    body_ += fmt::format("<path class=\"grid\" d=\"{}\"/>\n", grid);
    text({(x.from() + x.to()) / 2, bottom + 31}, label, "small");
}

std::string Plot::print() const {
    return body_ + "</svg>\n";
}

}  // namespace convc
