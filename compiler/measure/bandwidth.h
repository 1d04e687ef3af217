// How fast this machine's cores read memory at each level of the hierarchy: with the FMA peak, the roofline (Williams,
// Waterman and Patterson, "Roofline", CACM 52(4), 2009).
#pragma once

#include "convc/target.h"

namespace convc {

struct Bandwidth {  // GB/s, 10^9 bytes, of all threads together
    double l2 = 0;
    double l3 = 0;
    double dram = 0;
};

// Some 100 ms of reading half of each core's L2, half of L3 and several times L3, each again and again; the best pass
// counts. `target` is the machine at hand: host_target().
Bandwidth measure_bandwidth(const Target &target, int threads);

// Reads so much memory on all CPUs that nothing of a kernel's data is left in any cache.
void clear_caches(const Target &target, int threads);

}  // namespace convc
