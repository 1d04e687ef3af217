// Reports the mistakes of a module, each once: the members of a family and the stages that sugar expands to repeat the
// mistakes of the text they came from.
#pragma once

#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "compiler/syntax/diagnostics.h"

namespace convc::sema {

class Reporter {
public:
    explicit Reporter(Diagnostics &diagnostics) : diagnostics_(diagnostics) {}

    // One report for each kind and place; a repetition counts as an error but is not shown.
    template <class... Args>
    Diagnostics::Builder report(SourceRange range, const DiagnosticKind<Args...> &kind,
                                std::type_identity_t<Args>... args) {
        if (kind.severity == Severity::error) errors_++;
        if (!seen_.insert({kind.id.data(), range.begin, range.end}).second) return {};
        shown_++;
        Diagnostics::Builder builder = diagnostics_.report(range, kind, args...);
        if (!context_.empty()) builder.note(context_);
        return builder;
    }

    // A mistake met again through a name: it was reported where the name is defined.
    void repeat() { errors_++; }

    // Where the reports that follow come from, when the text alone does not say: "in body[64, 1]". Empty: nowhere
    // special.
    void set_context(std::string context) { context_ = std::move(context); }

    size_t errors() const { return errors_; }  // repetitions included

    // The search for a similar name costs time; nobody reads the hundredth.
    bool may_suggest() const { return shown_ < 100; }

private:
    Diagnostics &diagnostics_;
    std::set<std::tuple<const char *, uint32_t, uint32_t>> seen_;
    std::string context_;
    size_t errors_ = 0;
    size_t shown_ = 0;
};

}  // namespace convc::sema
