#include "compiler/plan/shipped_schedules.h"

#include <unordered_map>

#include "compiler/plan/plan.h"
#include "compiler/sema/sema.h"
#include "compiler/syntax/parser.h"

namespace convc {
namespace {

// A test reads the files as users' files are read: none has an error.
std::vector<ShippedSchedule> read_texts() {
    std::vector<ShippedSchedule> all;
    for (const std::string_view text : shipped_schedule_texts) {
        const SourceFile file{"shipped", std::string(text)};
        Diagnostics diagnostics;
        const CheckedModule module = check_module(parse_module(file, diagnostics), diagnostics);
        std::unordered_map<std::string, std::string> lines;  // by the layer's name
        for (const CheckedLayer &checked : module.layers) lines[checked.layer.name] = checked.layer.canonical_line();
        for (const PinnedSchedule &pinned : module.schedules) {
            all.push_back({lines[pinned.layer], pinned.target, pinned.groups});
        }
    }
    return all;
}

std::unordered_multimap<std::string_view, const ShippedSchedule *> index_by_layer() {
    std::unordered_multimap<std::string_view, const ShippedSchedule *> index;
    for (const ShippedSchedule &shipped : shipped_schedules()) index.emplace(shipped.layer, &shipped);
    return index;
}

}  // namespace

const std::vector<ShippedSchedule> &shipped_schedules() {
    static const std::vector<ShippedSchedule> all = read_texts();
    return all;
}

const ShippedSchedule *find_shipped(const Layer &layer, const Target &target) {
    static const auto index = index_by_layer();
    const ShippedSchedule *best = nullptr;
    int best_fit = 0;
    const auto [begin, end] = index.equal_range(layer.canonical_line());
    for (auto found = begin; found != end; ++found) {
        const int fits = target_fit(found->second->target, target);
        if (fits > best_fit) best = found->second, best_fit = fits;
    }
    return best;
}

}  // namespace convc
