#include "compiler/sema/spelling.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace convc::sema {
namespace {

constexpr size_t longest_word = 64;  // a longer one is not a typing mistake

// Levenshtein's distance, a transposition of neighbours counting as one edit (Damerau).
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> before_last(b.size() + 1);
    std::vector<size_t> last(b.size() + 1);
    std::vector<size_t> row(b.size() + 1);
    std::iota(last.begin(), last.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.size(); j++) {
            const size_t substituted = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({substituted, last[j] + 1, row[j - 1] + 1});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        before_last.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

size_t common_prefix(std::string_view a, std::string_view b) {
    return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

std::string_view nearest_name(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > longest_word) return {};
    std::string_view best;
    size_t best_distance = std::max<size_t>(1, word.size() / 3);
    for (const std::string_view candidate : candidates) {
        const size_t longer = std::max(candidate.size(), word.size());
        const size_t shorter = std::min(candidate.size(), word.size());
        if (longer > longest_word || longer - shorter > best_distance) continue;
        const size_t distance = edit_distance(word, candidate);
        if (distance > best_distance || distance >= longer) continue;
        if (distance == best_distance && !best.empty() && common_prefix(word, candidate) <= common_prefix(word, best)) {
            continue;
        }
        best = candidate;
        best_distance = distance;
    }
    return best;
}

std::string counted(size_t count, std::string_view one, std::string_view more) {
    return fmt::format("{} {}", count, count == 1 ? one : more);
}

}  // namespace convc::sema
