#include "compiler/syntax/diagnostics.h"

#include <algorithm>
#include <utility>

namespace convc {

Diagnostics::Builder &Diagnostics::Builder::note(std::string message) {
    if (owner_) owner_->diagnostics_[index_].notes.push_back({std::nullopt, std::move(message)});
    return *this;
}

Diagnostics::Builder &Diagnostics::Builder::note(SourceRange range, std::string message) {
    if (owner_) owner_->diagnostics_[index_].notes.push_back({range, std::move(message)});
    return *this;
}

Diagnostics::Builder &Diagnostics::Builder::fixit(SourceRange range, std::string replacement) {
    if (owner_) owner_->diagnostics_[index_].fixits.push_back({range, std::move(replacement)});
    return *this;
}

Diagnostics::Builder Diagnostics::add(Diagnostic diagnostic) {
    (diagnostic.severity == Severity::error ? errors_ : warnings_)++;
    if (diagnostics_.size() >= max_kept) return {};
    diagnostics_.push_back(std::move(diagnostic));
    return {this, diagnostics_.size() - 1};
}

std::vector<const Diagnostic *> Diagnostics::in_source_order() const {
    std::vector<const Diagnostic *> sorted;
    sorted.reserve(diagnostics_.size());
    for (const Diagnostic &diagnostic : diagnostics_) sorted.push_back(&diagnostic);
    std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic *left, const Diagnostic *right) {
        return left->range.begin < right->range.begin;
    });
    return sorted;
}

std::string excerpt(std::string_view text) {
    constexpr size_t longest = 40;
    const bool cut = text.size() > longest;
    if (cut) text = text.substr(0, longest);
    std::string printable;
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            printable += c;
        } else {
            printable += fmt::format("\\x{:02x}", byte);
        }
    }
    return cut ? printable + "..." : printable;
}

}  // namespace convc
