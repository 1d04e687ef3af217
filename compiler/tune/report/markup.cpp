#include "compiler/tune/report/markup.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "compiler/cost/count.h"

namespace convc {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD
constexpr size_t bytes_of_replacement = 3;

std::string valid_utf8(std::string_view text) {
    using nlohmann::json;
    return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

bool continues_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::string escaped_character(char c) {
    switch (c) {
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '&':
            return "&amp;";
        case '"':
            return "&quot;";
        case '\t':
        case '\n':
            return {c};
        default:
            return static_cast<unsigned char>(c) < 0x20 ? std::string(replacement) : std::string{c};
    }
}

}  // namespace

std::string escaped(std::string_view text) {
    const std::string valid = valid_utf8(text);
    std::string all;
    for (size_t i = 0; i < valid.size(); i++) {
        const std::string_view here = std::string_view(valid).substr(i, bytes_of_replacement);
        if (here == "\xef\xbf\xbe" || here == "\xef\xbf\xbf") {  // U+FFFE and U+FFFF are no characters
            all += replacement;
            i += bytes_of_replacement - 1;
        } else {
            all += escaped_character(valid[i]);
        }
    }
    return all;
}

size_t characters(std::string_view text) {
    size_t count = 0;
    for (const char c : text) count += !continues_character(c);
    return count;
}

std::string shortened(std::string_view text, size_t most) {
    if (characters(text) <= most) return std::string(text);
    size_t end = 0;
    for (size_t count = 0; end < text.size(); end++) {
        if (!continues_character(text[end]) && ++count == most) break;
    }
    return std::string(text.substr(0, end)) + "\xe2\x80\xa6";
}

std::string pixels(double coordinate) {
    const double rounded = std::round(coordinate * 10) / 10;
    return fmt::format("{}", rounded == 0 ? 0.0 : rounded);
}

std::string milliseconds_of(double seconds) {
    const double value = seconds * 1e3;
    return value >= 1e3 ? fmt::format("{:.0f}", value) : fmt::format("{:#.4g}", value);
}

std::string ratio_text(double ratio) {
    return fmt::format("{:.{}f}", ratio, ratio < 10 ? 3 : 1);
}

std::string percent(double part, double whole) {
    return whole > 0 ? fmt::format("{:.0f} %", 100 * part / whole) : "";
}

std::string thousands(size_t count) {
    return print_count(as_count(static_cast<int64_t>(count)));
}

}  // namespace convc
