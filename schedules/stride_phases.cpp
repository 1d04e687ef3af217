#include "schedules/stride_phases.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <tuple>

#include "schedules/single_stage.h"

namespace convc {
namespace {

int64_t inverse_modulo(int64_t value, int64_t modulus) {
    // The extended Euclidean algorithm; value and modulus have no common divisor.
    int64_t inverse = 0, next = 1, rest = modulus, divisor = value % modulus;
    while (divisor != 0) {
        const int64_t quotient = rest / divisor;
        std::tie(inverse, next) = std::pair(next, inverse - quotient * next);
        std::tie(rest, divisor) = std::pair(divisor, rest - quotient * divisor);
    }
    return inverse < 0 ? inverse + modulus : inverse;
}

// Whether a product stays so small that sums of a few of them fit 32 bits.
bool is_small(std::initializer_list<int64_t> factors) {
    int64_t product = 1;
    for (int64_t factor : factors) {
        if (__builtin_mul_overflow(product, factor, &product)) return false;
        if (product > std::numeric_limits<int32_t>::max() / 4) return false;
    }
    return true;
}

}  // namespace

PhasedAxis phased_axis(const StageGroup &group, ViewAxis axis) {
    const Axis geometry = stage_axis(group.stage(0), axis);
    PhasedAxis phased{};
    phased.kernel = geometry.kernel;
    phased.stride = geometry.stride;
    phased.dilation = geometry.dilation;
    phased.pad = geometry.pad_before;
    phased.common = std::gcd(geometry.stride, geometry.dilation);
    phased.tap_step = geometry.stride / phased.common;
    phased.inverse = inverse_modulo(geometry.dilation / phased.common, phased.tap_step);
    phased.taps = ceil_divided(geometry.kernel, phased.tap_step);
    const bool flat = flattens(group);
    phased.input = activation_view(group.input(), 1, flat)[axis].extent;
    const int64_t output = activation_view(group.output(), 1, flat)[axis].extent;
    const bool known = output != runtime_extent;
    phased.phases = known ? std::min(geometry.stride, output) : geometry.stride;
    phased.positions = known ? ceil_divided(output, geometry.stride) : std::numeric_limits<int32_t>::max();
    // Tap k belongs to the phase that makes (phase + pad - k dilation) / stride an integer: the next above.
    phased.high = ceil_divided(phased.pad, geometry.stride);
    phased.low = ceil_divided(phased.pad - (geometry.kernel - 1) * geometry.dilation, geometry.stride);
    return phased;
}

double share_of_transposed_taps(const StageGroup &group, ViewAxis axis) {
    const Axis geometry = stage_axis(group.stage(0), axis);
    const int64_t input = activation_view(group.input(), 1, false)[axis].extent;
    const int64_t output = activation_view(group.output(), 1, false)[axis].extent;
    int64_t taps = 0, met = 0;
    for (int64_t k = 0; k < geometry.kernel; k++) {
        // Output o gets input i through it: i stride = o + reach.
        const int64_t reach = geometry.pad_before - k * geometry.dilation;
        const int64_t first = ceil_divided(reach, geometry.stride);
        const int64_t last = ceil_divided(output + reach, geometry.stride) - 1;
        taps += std::max<int64_t>(last - first + 1, 0);
        met += std::max<int64_t>(std::min(last, input - 1) - std::max<int64_t>(first, 0) + 1, 0);
    }
    return taps == 0 ? 1 : static_cast<double>(met) / static_cast<double>(taps);
}

bool leaves_input(const StageGroup &group) {
    return phased_axis(group, view_width).leaves_input() || phased_axis(group, view_height).leaves_input() ||
           phased_axis(group, view_depth).leaves_input();
}

ViewAxis part_axis(const StageGroup &group) {
    for (ViewAxis axis : {view_depth, view_height}) {
        if (phased_axis(group, axis).positions > 1) return axis;
    }
    return view_width;
}

bool is_indexable(const StageGroup &group, ViewAxis axis) {
    const Axis geometry = stage_axis(group.stage(0), axis);
    const int64_t output = activation_view(group.output(), 1, false)[axis].extent;
    const int64_t common = std::gcd(geometry.stride, geometry.dilation);
    const int64_t tap_step = geometry.stride / common;
    return is_small({geometry.pad_before}) && is_small({geometry.pad_after}) &&
           is_small({geometry.output_padding + 1}) && is_small({output}) && is_small({geometry.stride}) &&
           is_small({std::max(geometry.kernel, tap_step), geometry.dilation}) &&
           is_small({tap_step, inverse_modulo(geometry.dilation / common, tap_step)});
}

}  // namespace convc
