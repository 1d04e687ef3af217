// Schedules as plain data: how they print, parse and compare.
#include "convc/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace convc {
namespace {

constexpr std::string_view arrow = " -> ";  // between two kernels' schedules

}  // namespace

std::optional<int64_t> Schedule::knob(std::string_view name) const {
    for (const auto &[knob_name, value] : knobs) {
        if (knob_name == name) return value;
    }
    return std::nullopt;
}

std::string print_schedule(const Schedule &schedule) {
    std::string text = schedule.algorithm + "(";
    for (size_t i = 0; i < schedule.knobs.size(); i++) {
        text += fmt::format("{}{}={}", i ? ", " : "", schedule.knobs[i].first, schedule.knobs[i].second);
    }
    return text + ")";
}

std::string print_schedules(const std::vector<Schedule> &schedules) {
    std::string text;
    for (const Schedule &schedule : schedules) {
        if (!text.empty()) text += arrow;
        text += print_schedule(schedule);
    }
    return text;
}

namespace {

// The text yet to be read.
class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    bool accept(char c) {
        skip_space();
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    std::string identifier() {
        skip_space();
        size_t n = 0;
        while (n < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[n])) || rest_[n] == '_')) n++;
        return take(n);
    }

    std::optional<int64_t> integer() {
        skip_space();
        int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc()) return std::nullopt;
        rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
        return value;
    }

    bool at_end() {
        skip_space();
        return rest_.empty();
    }

    std::string_view rest() const { return rest_; }

private:
    void skip_space() {
        while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front()))) rest_.remove_prefix(1);
    }
    std::string take(size_t n) {
        std::string taken(rest_.substr(0, n));
        rest_.remove_prefix(n);
        return taken;
    }
    std::string_view rest_;
};

Error malformed(std::string_view text, std::string_view what) {
    return Error{Failure::invalid_input, fmt::format("schedule '{}': {}", text, what)};
}

}  // namespace

bool sums_as_written(std::string_view schedules) {
    return schedules.find("winograd(") == std::string_view::npos;
}

Result<Schedule> parse_schedule(std::string_view text) {
    Cursor cursor(text);
    Schedule schedule;
    schedule.algorithm = cursor.identifier();
    if (schedule.algorithm.empty()) return malformed(text, "expected an algorithm's name");
    if (!cursor.accept('(')) return malformed(text, fmt::format("expected '(' after '{}'", schedule.algorithm));
    while (!cursor.accept(')')) {
        if (!schedule.knobs.empty() && !cursor.accept(',')) return malformed(text, "expected ',' or ')'");
        const std::string name = cursor.identifier();
        if (name.empty() || !cursor.accept('=')) return malformed(text, "expected 'knob=integer'");
        const std::optional<int64_t> value = cursor.integer();
        if (!value) return malformed(text, fmt::format("expected an integer after '{}='", name));
        if (schedule.knob(name)) return malformed(text, fmt::format("knob '{}' is given twice", name));
        schedule.knobs.emplace_back(name, *value);
    }
    if (!cursor.at_end()) return malformed(text, fmt::format("unexpected '{}'", cursor.rest()));
    return schedule;
}

Result<std::vector<Schedule>> parse_schedules(std::string_view text) {
    std::vector<Schedule> schedules;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(arrow, begin), text.size());
        Result<Schedule> schedule = parse_schedule(text.substr(begin, end - begin));
        if (!schedule) return schedule.error();
        schedules.push_back(*std::move(schedule));
        begin = end + arrow.size();
    }
    return schedules;
}

}  // namespace convc
