// Text and numbers as the report's page holds them: HTML that is XML too.
#pragma once

#include <string>
#include <string_view>

namespace convc {

// For text and for attributes in double quotes. Bytes that are no UTF-8, and characters that XML does not allow, become
// U+FFFD.
std::string escaped(std::string_view text);

// At most so many characters, the last being an ellipsis where some are left out. Of valid UTF-8 whole characters stay.
std::string shortened(std::string_view text, size_t most);
size_t characters(std::string_view text);

std::string pixels(double coordinate);           // at most one decimal
std::string milliseconds_of(double seconds);     // "0.04140", four significant digits
std::string ratio_text(double ratio);            // "0.873"
std::string percent(double part, double whole);  // "87 %"; empty where the whole is not known
std::string thousands(size_t count);             // "12,345"

// The style sheet: light or dark as the reader's system is, light on paper.
extern const char *const report_style;

}  // namespace convc
