#include "compiler/syntax/lexer.h"

#include <llvm/ADT/StringRef.h>
#include <llvm/Support/ConvertUTF.h>
#include <llvm/Support/Locale.h>

#include <array>
#include <string>

#include "compiler/syntax/diagnostic_kinds.h"

namespace convc {

namespace {

struct Bracket {
    TokenKind opener, closer;
};
constexpr std::array<Bracket, 3> brackets{{{TokenKind::left_paren, TokenKind::right_paren},
                                           {TokenKind::left_bracket, TokenKind::right_bracket},
                                           {TokenKind::left_brace, TokenKind::right_brace}}};

struct Punctuation {
    std::string_view text;
    TokenKind kind;
};
// `->` before `-`: the first match wins.
constexpr std::array<Punctuation, 16> punctuation{{
    {"->", TokenKind::arrow},
    {"+", TokenKind::plus},
    {"-", TokenKind::minus},
    {"*", TokenKind::star},
    {"/", TokenKind::slash},
    {"%", TokenKind::percent},
    {"=", TokenKind::equals},
    {",", TokenKind::comma},
    {":", TokenKind::colon},
    {"?", TokenKind::question},
    {"(", TokenKind::left_paren},
    {")", TokenKind::right_paren},
    {"[", TokenKind::left_bracket},
    {"]", TokenKind::right_bracket},
    {"{", TokenKind::left_brace},
    {"}", TokenKind::right_brace},
}};

// Characters that text editors and web pages put in place of ours.
struct LookAlike {
    std::string_view text;
    std::string_view meant;
    TokenKind kind;
};
constexpr std::array<LookAlike, 9> look_alikes{{
    {"\u2212", "-", TokenKind::minus},  // minus sign
    {"\u2013", "-", TokenKind::minus},  // en dash
    {"\u2192", "->", TokenKind::arrow},
    {"\u00b7", "*", TokenKind::star},
    {"\u00d7", "*", TokenKind::star},  // between two digits it means x: see Lexer::number
    {"\u201c", "\"", TokenKind::invalid},
    {"\u201d", "\"", TokenKind::invalid},
    {"\u00a0", " ", TokenKind::invalid},  // no-break space
    {";", "", TokenKind::invalid},
}};
constexpr std::string_view times_sign = "\u00d7";
constexpr std::string_view byte_order_mark = "\ufeff";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_word(char c) {
    return is_letter(c) || is_digit(c);
}

// What a run of digits, letters and points turns out to be.
TokenKind classify_number(std::string_view text) {
    size_t at = 0;
    const auto digits = [&] {
        const size_t start = at;
        while (at < text.size() && is_digit(text[at])) at++;
        return at > start;
    };
    if (!digits()) return TokenKind::invalid;
    if (at == text.size()) return TokenKind::integer;
    if (text[at] == 'x') {
        while (at < text.size() && text[at] == 'x') {
            at++;
            if (!digits()) return TokenKind::invalid;
        }
        return at == text.size() ? TokenKind::axis_values : TokenKind::invalid;
    }
    if (text[at] == '.') {
        at++;
        if (!digits()) return TokenKind::invalid;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < text.size() && (text[at] == '+' || text[at] == '-')) at++;
        if (!digits()) return TokenKind::invalid;
    }
    return at == text.size() ? TokenKind::decimal : TokenKind::invalid;
}

// 3×3 as 3x3.
std::string with_ascii_times(std::string_view text) {
    std::string meant;
    for (size_t at = 0; at < text.size();) {
        const bool sign = text.substr(at).starts_with(times_sign);
        meant.push_back(sign ? 'x' : text[at]);
        at += sign ? times_sign.size() : 1;
    }
    return meant;
}

// A character, or its bytes in figures if a terminal would not show it.
std::string printable(std::string_view character) {
    const int columns = llvm::sys::locale::columnWidth(llvm::StringRef(character));
    return columns > 0 ? std::string(character) : excerpt(character);
}

class Lexer {
public:
    Lexer(const SourceFile &file, Diagnostics &diagnostics) : text_(file.text), diagnostics_(diagnostics) {}

    TokenizedText run() {
        if (text_.size() > max_source_bytes) {
            diagnostics_.report({}, diagnostic::source_too_large, text_.size(), max_source_bytes);
            text_ = {};
        }
        if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
        while (at_ < text_.size()) next();
        emit(TokenKind::end, 0);
        return std::move(result_);
    }

private:
    std::string_view rest() const { return text_.substr(at_); }
    SourceRange range(size_t length) const { return {static_cast<uint32_t>(at_), static_cast<uint32_t>(at_ + length)}; }

    void emit(TokenKind kind, size_t length, bool broken = false) {
        result_.tokens.push_back({kind, first_on_line_, broken, range(length).begin, range(length).end});
        first_on_line_ = false;
        at_ += length;
    }

    void next() {
        const char c = text_[at_];
        if (c == '\n') {
            first_on_line_ = true;
            at_++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            at_++;
        } else if (c == '#') {
            comment();
        } else if (is_letter(c)) {
            emit(TokenKind::identifier, word_length(at_));
        } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
            number();
        } else if (c == '"') {
            string();
        } else if (!symbol()) {
            unknown();
        }
    }

    size_t word_length(size_t from) const {
        size_t end = from;
        while (end < text_.size() && is_word(text_[end])) end++;
        return end - from;
    }

    void comment() {
        size_t end = std::min(text_.find('\n', at_), text_.size());
        const size_t next_line = end;
        while (end > at_ && (text_[end - 1] == '\r' || text_[end - 1] == ' ' || text_[end - 1] == '\t')) end--;
        const SourceRange where = range(end - at_);
        check_bytes(end);
        result_.comments.push_back({std::string(text_.substr(where.begin, end - where.begin)), where, first_on_line_});
        at_ = next_line;
    }

    // Comments and strings may hold any characters, but the file stays UTF-8 text.
    void check_bytes(size_t end) {
        while (at_ < end) {
            const auto byte = static_cast<unsigned char>(text_[at_]);
            if (byte >= 0x80 && character_length() > 0) {
                at_ += character_length();
            } else if (byte >= 0x80 || (byte < 0x20 && byte != '\t')) {
                bad_bytes();  // a carriage return, too: only at the end of a line is it white space
            } else {
                at_++;
            }
        }
    }

    // Bytes of the UTF-8 character at the cursor; 0 when there is none.
    size_t character_length() const {
        const auto *begin = reinterpret_cast<const llvm::UTF8 *>(rest().data());
        const unsigned length = llvm::getNumBytesForUTF8(*begin);
        if (length > rest().size()) return 0;
        return llvm::isLegalUTF8Sequence(begin, begin + length) ? length : 0;
    }

    // Digits and whatever is glued to them: one token, so that `3x`, `12ab` and `1.2.3` are one mistake each.
    void number() {
        size_t end = at_;
        bool broken = false;
        while (end < text_.size()) {
            const std::string_view from_here = text_.substr(end);
            const bool exponent_sign = (from_here[0] == '+' || from_here[0] == '-') && end > at_ + 1 &&
                                       (text_[end - 1] == 'e' || text_[end - 1] == 'E') && is_digit(text_[end - 2]) &&
                                       from_here.size() > 1 && is_digit(from_here[1]);
            if (is_word(from_here[0]) || from_here[0] == '.' || exponent_sign) {
                end++;
                continue;
            }
            const size_t after = times_sign.size();
            if (!from_here.starts_with(times_sign) || from_here.size() <= after || !is_digit(from_here[after])) break;
            broken = true;
            end += after;
        }
        finish_number(text_.substr(at_, end - at_), broken);
    }

    void finish_number(std::string_view text, bool has_times_sign) {
        const SourceRange where = range(text.size());
        if (has_times_sign) {
            const std::string meant = with_ascii_times(text);
            diagnostics_.report(where, diagnostic::unexpected_character, std::string(times_sign))
                .fixit(where, excerpt(meant));
            return emit(classify_number(meant), text.size(), true);
        }
        const TokenKind kind = classify_number(text);
        if (kind == TokenKind::invalid) report_malformed(text, where);
        emit(kind, text.size());
    }

    void report_malformed(std::string_view text, SourceRange where) {
        const size_t digits = text.find_first_not_of("0123456789");
        const bool hexadecimal =
            text.starts_with("0x") && text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
        if (text[digits] == 'x' && !hexadecimal && text.find('.') == std::string_view::npos) {
            auto report = diagnostics_.report(where, diagnostic::malformed_axis_values, excerpt(text));
            const std::string_view name = text.substr(digits + 1);
            if (!name.empty() && name.size() < 40 && is_letter(name[0])) {
                report.fixit(where, fmt::format("({}, {})", excerpt(text.substr(0, digits)), name));
            }
            return;
        }
        auto report = diagnostics_.report(where, diagnostic::malformed_number, excerpt(text));
        if (digits == 0 && classify_number(text.substr(1)) == TokenKind::integer) {  // .5
            report.fixit({where.begin, where.begin}, "0");
        }
    }

    void string() {
        const size_t stop = text_.find_first_of("\"\n", at_ + 1);
        if (stop != std::string_view::npos && text_[stop] == '"') {
            const size_t begin = at_;
            const size_t errors = diagnostics_.errors();
            check_bytes(stop);
            at_ = begin;
            return emit(TokenKind::string, stop + 1 - begin, diagnostics_.errors() > errors);
        }
        size_t end = std::min(stop, text_.size());
        if (end > at_ && text_[end - 1] == '\r') end--;
        diagnostics_.report(range(end - at_), diagnostic::unterminated_string);
        emit(TokenKind::invalid, end - at_);
    }

    bool symbol() {
        for (const Punctuation &row : punctuation) {
            if (!rest().starts_with(row.text)) continue;
            emit(row.kind, row.text.size());
            return true;
        }
        return false;
    }

    void unknown() {
        for (const LookAlike &row : look_alikes) {
            if (!rest().starts_with(row.text)) continue;
            const SourceRange where = range(row.text.size());
            diagnostics_.report(where, diagnostic::unexpected_character, std::string(row.text))
                .fixit(where, std::string(row.meant));
            return emit(row.kind, row.text.size(), true);
        }
        const auto byte = static_cast<unsigned char>(text_[at_]);
        const size_t length = byte >= 0x80 ? character_length() : byte >= 0x20 && byte < 0x7f ? 1 : 0;
        if (length == 0) {
            const size_t begin = at_;
            bad_bytes();
            const size_t end = at_;
            at_ = begin;
            return emit(TokenKind::invalid, end - begin);
        }
        // A run of foreign letters is one mistake.
        size_t run = length;
        const size_t begin = at_;
        for (at_ += length; byte >= 0x80 && at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x80;) {
            const size_t more = character_length();
            if (more == 0) break;
            at_ += more;
            run += more;
        }
        at_ = begin;
        diagnostics_.report(range(run), diagnostic::unexpected_character, printable(text_.substr(at_, length)));
        emit(TokenKind::invalid, run);
    }

    // A run of bytes that are no text is one mistake. Moves past it.
    void bad_bytes() {
        const size_t begin = at_;
        const auto first = static_cast<unsigned char>(text_[begin]);
        while (at_ < text_.size()) {
            const auto byte = static_cast<unsigned char>(text_[at_]);
            const bool control = byte < 0x20 && byte != '\n' && byte != '\t';
            if (!control && byte != 0x7f && (byte < 0x80 || character_length() > 0)) break;
            at_++;
        }
        const SourceRange where{static_cast<uint32_t>(begin), static_cast<uint32_t>(at_)};
        if (first < 0x80) {
            diagnostics_.report(where, diagnostic::control_character, first);
        } else {
            diagnostics_.report(where, diagnostic::invalid_byte, first);
        }
    }

    std::string_view text_;
    Diagnostics &diagnostics_;
    size_t at_ = 0;
    bool first_on_line_ = true;
    TokenizedText result_;
};

}  // namespace

TokenizedText tokenize(const SourceFile &file, Diagnostics &diagnostics) {
    return Lexer(file, diagnostics).run();
}

std::string_view spelling(TokenKind kind) {
    for (const Punctuation &row : punctuation) {
        if (row.kind == kind) return row.text;
    }
    return "";
}

bool opens_bracket(TokenKind kind) {
    for (const Bracket &bracket : brackets) {
        if (bracket.opener == kind) return true;
    }
    return false;
}

bool closes_bracket(TokenKind kind) {
    for (const Bracket &bracket : brackets) {
        if (bracket.closer == kind) return true;
    }
    return false;
}

TokenKind closing(TokenKind opener) {
    for (const Bracket &bracket : brackets) {
        if (bracket.opener == opener) return bracket.closer;
    }
    return TokenKind::invalid;
}

}  // namespace convc
