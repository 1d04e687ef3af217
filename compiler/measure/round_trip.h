// How long a cache line takes to another core and back.
#pragma once

namespace convc {

// Nanoseconds from the first of `threads` CPUs to another and back, the best of many, for the CPU that is furthest;
// some 0.2 ms. 0 for one thread. Under a hypervisor it changes while one watches: 65 ns where the cores share an L3,
// 350 where they do not, on a Zen 4 whose virtual CPUs wander. What one core reads of another's writes comes at that
// price: stages in sequence have been seen to take 1.6 times as long.
double measure_round_trip(int threads);

}  // namespace convc
