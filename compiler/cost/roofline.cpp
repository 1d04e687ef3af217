#include "compiler/cost/roofline.h"

#include <algorithm>

#include "compiler/cost/cost.h"

namespace convc {

Roof attainable(double flops, double bytes, const MachineRoofs &machine) {
    if (machine.flops <= 0) return {};
    const auto level = std::find_if(machine.levels.begin(), machine.levels.end(),
                                    [&](const MemoryLevel &each) { return bytes <= each.bytes; });
    if (level == machine.levels.end() || bytes <= 0) return {machine.flops, "FMA"};
    const double by_memory = flops / bytes * level->bytes_per_second;
    if (by_memory <= 0 || by_memory >= machine.flops) return {machine.flops, "FMA"};
    return {by_memory, level->name};
}

double roofline_seconds(const Layer &layer, const MachineRoofs &machine) {
    const std::optional<LayerCost> cost = layer_cost(layer);
    if (!cost) return 0;
    const double flops = 2 * static_cast<double>(cost->real_macs);
    const Roof roof = attainable(flops, static_cast<double>(cost->bytes), machine);
    return roof.rate > 0 ? flops / roof.rate : 0;
}

}  // namespace convc
