// A small way to draw plots as SVG: scales, axes, marks. Coordinates are pixels from the upper left corner.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace convc {

struct Point {
    double x = 0, y = 0;
};

// From values to pixels. What lies beyond an end of the scale is drawn at that end.
class Scale {
public:
    enum class Kind { linear, logarithmic };
    Scale(Kind kind, double low, double high, double from, double to);

    double at(double value) const;
    std::vector<double> ticks(size_t most) const;  // round values, rising

    double low() const { return low_; }
    double high() const { return high_; }
    double from() const { return from_; }  // pixels
    double to() const { return to_; }

private:
    double place(double value) const { return kind_ == Kind::linear ? value : std::log10(value); }
    Kind kind_;
    double low_, high_, from_, to_;
};

enum class Glyph { dot, cross, triangle, dash };

struct Mark {
    Point at;
    Glyph glyph = Glyph::dot;
    std::string style;  // a class of the style sheet
    std::string hover;  // shown under the pointer; not yet escaped
};

class Plot {
public:
    // `title` stands for the picture where it is not seen.
    Plot(double width, double height, std::string_view title);

    void add(std::string_view element) { body_ += element; }
    void text(Point at, std::string_view text, std::string_view style = "");
    void line(Point from, Point to, std::string_view style);
    // With their hover texts, or in fewer bytes without.
    void marks(const std::vector<Mark> &marks, bool hover);

    // Lines across the plot with their values beside them, and what the values are.
    void y_axis(const Scale &y, double left, double right, size_t most_ticks, std::string_view label);
    void x_axis(const Scale &x, double top, double bottom, size_t most_ticks, std::string_view label);

    std::string print() const;

private:
    double width_, height_;
    std::string body_;
};

}  // namespace convc
