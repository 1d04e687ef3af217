#include "schedules/winograd_filter.h"

#include <vector>

#include "schedules/padding.h"

namespace convc::winograd {
namespace {

using Halide::Expr;

int size(int64_t value) {
    return static_cast<int>(value);
}

// The kernel's tap that a phase has as its own number `tap`, in the order of the inputs; past the kernel's end where
// the phase has fewer.
Expr kernel_tap(const TiledAxis &axis, const Expr &phase, int tap) {
    if (!axis.transposed) return tap;
    const int stride = size(axis.phases), last = size(axis.taps) - 1;
    return (phase + size(axis.pad)) % stride + (last - tap) * stride;
}

Expr nearest(const TiledAxis &axis, const Expr &tap) {
    return axis.transposed ? Halide::min(tap, size(axis.kernel) - 1) : tap;
}

Expr factor(const TiledAxis &axis, const Expr &point, int tap) {
    std::vector<Expr> column;
    const WinogradTransform transform = axis.transform();
    for (const std::vector<double> &row : transform.filter_matrix()) {
        column.emplace_back(row[static_cast<size_t>(tap)]);
    }
    return column.size() == 1 ? column[0] : Halide::mux(point, column);
}

}  // namespace

Expr transformed_weight(const Halide::Func &raw, const Stage &stage, const Tiling &tiles, const TransformedWeight &at) {
    const TiledAxis &x = tiles.x, &y = tiles.y;
    Expr sum = Halide::cast<double>(0);
    for (int ky = 0; ky < y.taps; ky++) {
        for (int kx = 0; kx < x.taps; kx++) {
            const Expr tap_x = kernel_tap(x, at.qx, kx), tap_y = kernel_tap(y, at.qy, ky);
            const Expr weight =
                raw(raw_weight(stage, {nearest(x, tap_x), nearest(y, tap_y), at.kz}, at.group, at.input, at.output));
            const Expr value = Halide::select(tap_x < size(x.kernel) && tap_y < size(y.kernel), weight, 0.0f);
            sum += factor(x, at.px, kx) * factor(y, at.py, ky) * Halide::cast<double>(value);
        }
    }
    return Halide::cast<float>(sum);
}

}  // namespace convc::winograd
