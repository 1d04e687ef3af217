// How near a layer comes to what a machine can do: Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009. A
// fast algorithm (Winograd) does with fewer multiplications and may take less.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "convc/layer.h"

namespace convc {

// A roof over layers whose bytes it holds.
struct MemoryLevel {
    std::string name;  // "L2"
    double bytes_per_second = 0;
    double bytes = std::numeric_limits<double>::infinity();  // what it holds
};

// What compiler/measure says of a machine, of all threads together.
struct MachineRoofs {
    double flops = 0;                 // floating-point operations a second; 0: not known
    std::vector<MemoryLevel> levels;  // the innermost first; may be empty
};

struct Roof {
    double rate = 0;   // operations a second that can be reached; 0 where that is not known
    std::string name;  // of what bounds them: "FMA", or a memory level's
};

// Of so many operations over so many bytes that have to move: the lesser of the peak and what the bandwidth of the
// innermost level that holds the bytes allows.
Roof attainable(double flops, double bytes, const MachineRoofs &machine);

// Seconds that a layer takes at least. The operations are those outside padding; the bytes are inputs, parameters and
// output, each once. 0 for a layer with run-time extents, or where no peak is known.
double roofline_seconds(const Layer &layer, const MachineRoofs &machine);

}  // namespace convc
