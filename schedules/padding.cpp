#include "schedules/padding.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::Var;

// The input beyond `bounds`, which are undefined for axes without padding.
Func extended(Func input, const Stage &stage, const Halide::Region &bounds) {
    namespace border = Halide::BoundaryConditions;
    switch (stage.pad_mode) {
        case PadMode::zeros:
            break;
        case PadMode::reflect:
            return border::mirror_interior(std::move(input), bounds);
        case PadMode::replicate:
            return border::repeat_edge(std::move(input), bounds);
        case PadMode::circular:
            return border::repeat_image(std::move(input), bounds);
        case PadMode::constant:
            return border::constant_exterior(std::move(input), static_cast<float>(stage.pad_value), bounds);
    }
    return border::constant_exterior(std::move(input), 0.0f, bounds);
}

}  // namespace

Func with_border(Func input, const Stage &stage, const View &view) {
    Halide::Region bounds(view.size(), Halide::Range{Expr(), Expr()});
    std::vector<int> before(view.size(), 0);
    for (ViewAxis axis : {view_width, view_height, view_depth}) {
        const Axis geometry = stage_axis(stage, axis);
        before[axis] = static_cast<int>(geometry.pad_before);
        if (geometry.pad_before == 0 && geometry.pad_after == 0) continue;
        bounds[axis] = {0, static_cast<int>(view[axis].extent)};
    }
    const Func exterior = extended(std::move(input), stage, bounds);
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
