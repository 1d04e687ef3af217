// Diagnostics: what is wrong with the user's text, where, in the user's own words.
//
// Each kind of diagnostic is declared once, in diagnostic_kinds.h, with typed arguments; a test fails when one is
// covered by no file test. They are collected, so one run reports every mistake, and rendered at the end, as clang does
// it or as JSON:
//
//     diagnostics.report(range, diagnostic::unknown_stage, "convolve").fixit(range, "conv");
//
// Text: lower case, no full stop; describes the situation, with the numbers that clash.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "compiler/syntax/source.h"

namespace convc {

enum class Severity { error, warning };

// Args are the types that the fmt text takes.
template <class... Args>
struct DiagnosticKind {
    std::string_view id;  // "unknown-stage": printed in brackets after the message, and in JSON
    Severity severity;
    fmt::format_string<Args...> text;
};

struct FixIt {
    SourceRange range;
    std::string replacement;
};

struct DiagnosticNote {
    std::optional<SourceRange> range;
    std::string message;
};

struct Diagnostic {
    std::string_view id;
    Severity severity = Severity::error;
    SourceRange range;
    std::string message;
    std::vector<DiagnosticNote> notes;
    std::vector<FixIt> fixits;
};

// The diagnostics of one source file; rendered in source order.
class Diagnostics {
public:
    class Builder {
    public:
        Builder &note(std::string message);                     // about nothing in the text
        Builder &note(SourceRange range, std::string message);  // about a place in it
        Builder &fixit(SourceRange range, std::string replacement);
        Builder() = default;  // drops what it is given

    private:
        friend class Diagnostics;
        Builder(Diagnostics *owner, size_t index) : owner_(owner), index_(index) {}
        Diagnostics *owner_ = nullptr;
        size_t index_ = 0;
    };

    template <class... Args>
    Builder report(SourceRange range, const DiagnosticKind<Args...> &kind, std::type_identity_t<Args>... args) {
        return add(
            Diagnostic{kind.id, kind.severity, range, fmt::vformat(kind.text, fmt::make_format_args(args...)), {}, {}});
    }

    bool has_errors() const { return errors_ > 0; }
    size_t errors() const { return errors_; }
    size_t warnings() const { return warnings_; }
    const std::vector<Diagnostic> &all() const { return diagnostics_; }  // in the order reported
    std::vector<const Diagnostic *> in_source_order() const;

    static constexpr size_t max_kept = 10000;  // so hostile text cannot fill the memory

private:
    Builder add(Diagnostic diagnostic);  // past max_kept, counts only
    std::vector<Diagnostic> diagnostics_;
    size_t errors_ = 0;
    size_t warnings_ = 0;
};

// The user's text as a message quotes it: cut to a few dozen characters, unprintable bytes as \xNN. A message must
// never hold a piece of the source that did not go through this.
std::string excerpt(std::string_view text);

// file:line:col, message, source line, caret and range, fix-its and notes; rendered through llvm::SourceMgr. Bounded: a
// very long source line is shown as a window around the caret, and at most `limit` diagnostics are shown, with a last
// line that counts the rest. Columns count characters (UTF-8 code points, a tab being one) from 1.
std::string render_text(const SourceFile &file, const Diagnostics &diagnostics, bool colour, size_t limit = 100);

// One JSON object: {"file": ..., "errors": 1, "warnings": 0, "diagnostics": [{"id", "severity", "message", "line",
// "column", "end_line", "end_column", "notes": [...], "fixits": [...]}]}
std::string render_json(const SourceFile &file, const Diagnostics &diagnostics);

}  // namespace convc
