#include "schedules/gpu_block.h"

#include <vector>

#include "schedules/parallel_parts.h"

namespace convc {
namespace {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;

// Halide guards what it need not where it is told nothing.
TailStrategy tail_of(const Size &extent, int64_t factor, bool shifts) {
    if (!extent.known()) return TailStrategy::GuardWithIf;
    if (extent % factor == 0) return TailStrategy::RoundUp;
    return shifts && extent > factor ? TailStrategy::ShiftInwards : TailStrategy::GuardWithIf;
}

// Threads past the end do nothing: they would only repeat what others do.
TailStrategy guard_of(const Size &extent, int64_t tile, int64_t threads) {
    const bool whole = extent.known() && ceil_divided(extent, tile) % threads == 0;
    return whole ? TailStrategy::RoundUp : TailStrategy::GuardWithIf;
}

}  // namespace

Var spread_over_threads(Func output, const OutputLoops &loops, const View &view, const ThreadTile &tile,
                        const ThreadBlock &threads) {
    Var co("co"), ci("ci"), cg("cg"), cb("cb"), ct("ct"), xo("xo"), xi("xi"), xb("xb"), xt("xt"), yo("yo"), yi("yi"),
        yb("yb"), yt("yt"), rest("rest");
    const int64_t channels = view[view_channel].extent, groups = view[view_group].extent;
    const bool whole = channels % tile.vector == 0, dense = view[view_channel].stride == 1;
    std::vector<Halide::VarOrRVar> order;
    // Of one pixel, no loop: Halide 21 guards some loops of one turn by the same name twice.
    const auto tiles_along = [&](const Var &along, int factor, TailStrategy tail, const Var &outer, const Var &inner) {
        if (factor == 1) return along;
        output.split(along, outer, inner, factor, tail);
        order.emplace_back(inner);
        return outer;
    };
    const Var tiles_c =
        tiles_along(loops.c, tile.vector, whole ? TailStrategy::RoundUp : TailStrategy::GuardWithIf, co, ci);
    const auto tail = [&](ViewAxis axis, int64_t factor) { return tail_of(view[axis].extent, factor, tile.shifts); };
    const Var tiles_x = tiles_along(loops.x, tile.columns, tail(view_width, tile.columns), xo, xi);
    const Var tiles_y = tiles_along(loops.y, tile.rows, tail(view_height, tile.rows), yo, yi);
    const bool vectorizes = whole && dense && tile.vector > 1 && tile.stores_vectors;
    for (const Halide::VarOrRVar &inner : order) {
        vectorizes &&inner.name() == ci.name() ? output.vectorize(inner.var) : output.unroll(inner.var);
    }
    output.fuse(tiles_c, loops.g, cg);
    output.split(cg, cb, ct, static_cast<int>(threads.channels),
                 guard_of(ceil_divided(channels, tile.vector) * groups, 1, threads.channels));
    output.split(tiles_x, xb, xt, static_cast<int>(threads.columns),
                 guard_of(view[view_width].extent, tile.columns, threads.columns));
    output.split(tiles_y, yb, yt, static_cast<int>(threads.rows),
                 guard_of(view[view_height].extent, tile.rows, threads.rows));
    const std::vector<Var> in_block = channels_lie_densely(view) ? std::vector{ct, xt, yt} : std::vector{xt, yt, ct};
    order.insert(order.end(), loops.inner.begin(), loops.inner.end());
    order.insert(order.end(), {in_block[0], in_block[1], in_block[2], cb, xb, yb});
    std::vector<Var> others = loops.others;
    others.insert(others.end(), {loops.z, loops.n});
    order.insert(order.end(), others.begin(), others.end());
    output.reorder(order);
    others.insert(others.begin(), yb);
    fuse_all(output, others, rest);
    output.gpu_blocks(cb, xb, rest).gpu_threads(in_block[0], in_block[1], in_block[2]).never_partition_all();
    return in_block[0];
}

}  // namespace convc
