#include "compiler/tune/kernel_ranges.h"

#include "compiler/tune/schedule_space.h"
#include "compiler/tune/stages_of_layer.h"

namespace convc {

std::vector<StageRange> kernel_ranges(const Layer &layer, const Target &target) {
    std::vector<StageRange> all;
    const int stages = static_cast<int>(layer.stages.size());
    for (int first = 0; first < stages; first++) {
        for (int count = 1; count <= stages - first; count++) {
            const Layer part = stages_of_layer(layer, first, count);
            if (!schedule_spaces({&part, 0, count}, target).empty()) all.push_back({first, count});
        }
    }
    return all;
}

}  // namespace convc
