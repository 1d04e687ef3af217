#include "compiler/cost/count.h"

#include <fmt/format.h>

#include <algorithm>

namespace convc {

Count add(Count a, Count b) {
    return a > count_limit - b ? count_limit : a + b;
}

Count multiply(Count a, Count b) {
    if (a == 0 || b == 0) return 0;
    return a > count_limit / b ? count_limit : a * b;
}

Count as_count(int64_t value) {
    return value < 0 ? 0 : static_cast<Count>(value);
}

std::string print_count_digits(Count count) {
    std::string reversed;
    do {
        reversed += static_cast<char>('0' + static_cast<int>(count % 10));
        count /= 10;
    } while (count != 0);
    return {reversed.rbegin(), reversed.rend()};
}

std::string print_count(Count count) {
    if (count == count_limit) return "over 3.4e38";
    const std::string digits = print_count_digits(count);
    std::string text;
    for (size_t i = 0; i < digits.size(); i++) {
        if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
        text += digits[i];
    }
    return text;
}

std::string print_percent(Count part, Count whole) {
    return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace convc
