// The kinds of Algorithm::conflict().
#include "schedules/algorithm.h"

namespace convc {

const char *conflict_name(ConflictKind kind) {
    switch (kind) {
        case ConflictKind::registers:
            return "registers";
        case ConflictKind::shape:
            return "shape";
        case ConflictKind::division:
            return "division";
        case ConflictKind::memory:
            return "memory";
        case ConflictKind::workspace:
            return "workspace";
        case ConflictKind::rounding:
            return "rounding";
        case ConflictKind::knobs:
            return "knobs";
    }
    return "";
}

std::optional<Conflict> conflict_of(ConflictKind kind, std::optional<std::string> reason) {
    if (!reason) return std::nullopt;
    return Conflict{kind, *std::move(reason)};
}

}  // namespace convc
