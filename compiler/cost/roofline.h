// The least time that a machine can take for a layer: Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009.
// A fast algorithm (Winograd) does with fewer multiplications and may take less.
#pragma once

#include "convc/layer.h"
#include "convc/target.h"

namespace convc {

// What compiler/measure says of a machine, of all threads together.
struct MachineRoofs {
    double flops = 0;                    // floating-point operations a second
    double l2 = 0, l3 = 0, dram = 0;     // bytes a second
    int64_t l2_bytes = 0, l3_bytes = 0;  // of all threads together
};

// Seconds. The operations are those outside padding; the bytes are inputs, parameters and output, each once, at the
// bandwidth of the level of the hierarchy that holds them all. 0 for a layer with run-time extents.
double roofline_seconds(const Layer &layer, const MachineRoofs &machine);

}  // namespace convc
