#include "schedules/padding.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::Var;

}  // namespace

Func zero_padded(Func input, const Stage &stage, const View &view) {
    Halide::Region bounds(view.size(), Halide::Range{Expr(), Expr()});
    std::vector<int> before(view.size(), 0);
    for (ViewAxis axis : {view_width, view_height, view_depth}) {
        const Axis geometry = stage_axis(stage, axis);
        before[axis] = static_cast<int>(geometry.pad_before);
        if (geometry.pad_before == 0 && geometry.pad_after == 0) continue;
        bounds[axis] = {0, static_cast<int>(view[axis].extent)};
    }
    Func exterior = Halide::BoundaryConditions::constant_exterior(input, 0.0f, bounds);
    Var c("c"), g("g"), x("x"), y("y"), z("z"), n("n");
    Func padded("padded");
    padded(c, g, x, y, z, n) =
        exterior(c, g, x - before[view_width], y - before[view_height], z - before[view_depth], n);
    return padded;
}

void schedule_strip(Func padded, Func consumer, const Var &task, int lanes, const View &input) {
    const std::vector<Var> args = padded.args();
    padded.compute_at(consumer, task).store_in(Halide::MemoryType::Heap);
    // Vectors along whatever lies densely in memory; the widest that divides the channels, so that no tail is needed.
    const bool dense_channels = input[view_channel].stride == 1 && input[view_channel].extent > 1;
    int vector = lanes;
    while (dense_channels && input[view_channel].extent % vector != 0) vector /= 2;
    if (dense_channels && vector > 1) {
        padded.vectorize(args[view_channel], vector);
    } else if (!dense_channels) {
        padded.reorder_storage(args[view_width], args[view_height], args[view_depth], args[view_channel],
                               args[view_group], args[view_batch]);
        padded.reorder(args[view_width], args[view_height], args[view_depth], args[view_channel]);
    }
}

std::vector<Expr> raw_taps(const Stage &stage, const std::vector<Expr> &taps) {
    std::vector<Expr> where;
    for (size_t i = 0; i < stage.axes.size(); i++) {
        const auto kernel = static_cast<int>(stage_axis(stage, static_cast<ViewAxis>(view_width + i)).kernel);
        where.push_back(stage.flip ? kernel - 1 - taps[i] : taps[i]);
    }
    return where;
}

}  // namespace convc
