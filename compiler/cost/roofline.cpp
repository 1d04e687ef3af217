#include "compiler/cost/roofline.h"

#include <algorithm>

#include "compiler/cost/cost.h"

namespace convc {

double roofline_seconds(const Layer &layer, const MachineRoofs &machine) {
    const std::optional<LayerCost> cost = layer_cost(layer);
    if (!cost) return 0;
    const auto bytes = static_cast<double>(cost->bytes);
    const double bandwidth = bytes <= static_cast<double>(machine.l2_bytes)   ? machine.l2
                             : bytes <= static_cast<double>(machine.l3_bytes) ? machine.l3
                                                                              : machine.dram;
    const double computing = machine.flops > 0 ? 2 * static_cast<double>(cost->real_macs) / machine.flops : 0;
    const double moving = bandwidth > 0 ? bytes / bandwidth : 0;
    return std::max(computing, moving);
}

}  // namespace convc
