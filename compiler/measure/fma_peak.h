// How many floating-point operations a second this machine can do at all: the denominator of "% of FMA peak".
#pragma once

#include "convc/target.h"

namespace convc {

// Times short bursts of independent fused multiply-adds on all threads at once. A burst is to be run between
// repetitions of the kernel that it is compared with, so that both see the same clock, the same heat and the same
// neighbours.
class FmaPeak {
public:
    // `isa` must be one that the machine has; the loop is the same instruction set's.
    FmaPeak(Isa isa, int threads);

    double burst();                        // GFLOP/s over some 5 ms
    double best() const { return best_; }  // of all bursts so far, those of the constructor among them
    Isa isa() const { return isa_; }
    int threads() const { return threads_; }

private:
    Isa isa_;
    int threads_;
    long iterations_;  // between two readings of the clock, on each thread
    double best_ = 0;
};

// The threads that kernels use: see convc_set_threads() in convc/convc.h.
int kernel_threads();

}  // namespace convc
