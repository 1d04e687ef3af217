// The stride phases of a transposed stage: which taps an output gets its inputs through, and from where. The derivation
// stands at the top of transposed.cpp.
#pragma once

#include <cstdint>

#include "schedules/algorithm.h"

namespace convc {

// Along one axis, output o = q * stride + phase, tap k = first(phase) + t * tap_step and input i are related by
//
//     i = q + (phase + pad - first * dilation) / stride - t * dilation / common.
struct PhasedAxis {
    int64_t kernel, stride, dilation, pad;
    int64_t common;     // gcd(stride, dilation): where it does not divide phase + pad, there are no taps
    int64_t tap_step;   // between two taps of a phase
    int64_t inverse;    // of dilation / common, modulo tap_step
    int64_t taps;       // the most of any phase
    int64_t phases;     // as many as there are outputs, where that is less than the stride
    int64_t input;      // extent; runtime_extent where it is not known
    int64_t positions;  // q from 0; the last of some phases may lie past the output. Not known: as many as there may be
    int64_t low, high;  // the least and the largest i - q of any tap

    bool leaves_input() const { return input == runtime_extent || low < 0 || positions - 1 + high > input - 1; }
    int64_t strip(int64_t rows) const { return rows + high - low; }  // inputs that `rows` positions read
    bool has_equal_phases() const { return common == 1 && kernel % tap_step == 0; }

    // q and phase of output o. Along the width Halide's bounds inference understands the remainder; along the other
    // axes it takes it for anything from 0 to stride - 1, and has to be told the difference.
    template <class Index>
    Index position(const Index &output) const {
        return output / int(stride);
    }
    template <class Index>
    Index phase(const Index &output, ViewAxis axis) const {
        return axis == view_width ? output % int(stride) : output - output / int(stride) * int(stride);
    }

    // first(phase), and i - q of the phase's tap t. For integers and Halide's Exprs.
    template <class Index>
    Index first_tap(const Index &phase) const {
        return (phase + int(pad)) / int(common) % int(tap_step) * int(inverse) % int(tap_step);
    }
    template <class Index>
    Index offset(const Index &phase, const Index &t) const {
        return (phase + int(pad) - first_tap(phase) * int(dilation)) / int(stride) - t * int(dilation / common);
    }
};

// Of a stage whose axis is_indexable.
PhasedAxis phased_axis(const StageGroup &group, ViewAxis axis);

// Whether every number that a kernel computes along the axis fits 32 bits.
bool is_indexable(const StageGroup &group, ViewAxis axis);

// As share_of_taps() of single_stage.h, of a transposed stage: of the taps of all outputs along an axis, those under
// which some input lies.
double share_of_transposed_taps(const StageGroup &group, ViewAxis axis);

// Whether some tap of some output falls outside the input.
bool leaves_input(const StageGroup &group);

// The outermost axis with more than one position: the one that kernels cut into parallel parts.
ViewAxis part_axis(const StageGroup &group);

}  // namespace convc
