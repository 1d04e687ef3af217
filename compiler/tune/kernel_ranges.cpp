#include "compiler/tune/kernel_ranges.h"

#include "compiler/tune/stages_of_layer.h"
#include "schedules/schedule_table.h"
#include "schedules/vector_width.h"

namespace convc {

namespace {

bool is_computed(const StageGroup &group, const Target &target) {
    for (const Target &width : vector_widths(target)) {
        for (const Algorithm &algorithm : schedule_table(target)) {
            if (!algorithm.refusal(group, width)) return true;
        }
    }
    return false;
}

}  // namespace

std::vector<StageRange> kernel_ranges(const Layer &layer, const Target &target) {
    std::vector<StageRange> all;
    const int stages = static_cast<int>(layer.stages.size());
    for (int first = 0; first < stages; first++) {
        for (int count = 1; count <= stages - first; count++) {
            const Layer part = stages_of_layer(layer, first, count);
            if (is_computed({&part, 0, count}, target)) all.push_back({first, count});
        }
    }
    return all;
}

}  // namespace convc
