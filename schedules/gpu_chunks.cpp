#include "schedules/gpu_chunks.h"

#include "schedules/parallel_parts.h"

namespace convc {

using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

namespace {

int as_int(int64_t value) {
    return static_cast<int>(value);
}

}  // namespace

Var spread_over_blocks(Func output, const OutputLoops &loops, const View &view, const ChunkedBlock &block,
                       bool stores_vectors) {
    Var co("co"), ci("ci"), cb("cb"), ct("ct"), xb("xb"), xi("xi"), xt("xt"), yb("yb"), yt("yt"), pixels("pixels"),
        rest("rest");
    const bool whole = view[view_channel].extent % ChunkedBlock::vector == 0;
    const auto tail = [&](ViewAxis axis, int64_t factor) {
        if (view[axis].extent % factor == 0) return TailStrategy::RoundUp;
        return view[axis].extent > factor ? TailStrategy::ShiftInwards : TailStrategy::GuardWithIf;
    };
    output.split(loops.c, co, ci, as_int(ChunkedBlock::vector),
                 whole ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
    output.split(co, cb, ct, as_int(block.channel_threads), TailStrategy::GuardWithIf);
    output.split(loops.x, xb, xi, as_int(block.block_columns()), tail(view_width, block.block_columns()));
    output.split(xi, xt, xi, as_int(block.columns), TailStrategy::RoundUp);
    output.split(loops.y, yb, yt, as_int(block.row_threads), tail(view_height, block.row_threads));
    std::vector<Var> others = loops.others;
    others.insert(others.end(), {loops.z, loops.g, loops.n});
    std::vector<Halide::VarOrRVar> order{ci, xi, ct, xt, yt, cb, xb, yb};
    order.insert(order.end(), others.begin(), others.end());
    output.reorder(order).fuse(xt, yt, pixels);
    others.insert(others.begin(), yb);
    fuse_all(output, others, rest);
    output.gpu_blocks(cb, xb, rest).gpu_threads(ct, pixels).unroll(xi).never_partition_all();
    whole &&stores_vectors &&view[view_channel].stride == 1 ? output.vectorize(ci) : output.unroll(ci);
    return cb;
}

Var spread_sums(Halide::Stage sums, const OutputLoops &loops, const Var &share, const std::vector<RVar> &reduction,
                const ChunkedBlock &block) {
    Var ct("ct"), ci("ci"), xt("xt"), xi("xi"), pixels("pixels");
    sums.split(loops.c, ct, ci, as_int(ChunkedBlock::vector)).split(loops.x, xt, xi, as_int(block.columns));
    std::vector<Halide::VarOrRVar> order{ci, xi, ct, xt, loops.y, share};
    // Inside the loops of one turn, whose indices are then numbers to what is staged, and not ranges of one.
    order.insert(order.end(), reduction.begin(), reduction.end());
    order.insert(order.end(), {loops.g, loops.z, loops.n});
    order.insert(order.end(), loops.others.begin(), loops.others.end());
    sums.reorder(order).fuse(xt, loops.y, pixels).gpu_threads(ct, pixels, share).vectorize(ci).unroll(xi);
    return ct;
}

void keep_sums(Func sums, const Func &output, const Var &block, const OutputLoops &loops, const Var &share,
               const ChunkedBlock &tile) {
    sums.compute_at(output, block);
    sums.bound_extent(loops.c, as_int(tile.block_channels())).bound_extent(loops.x, as_int(tile.block_columns()));
    sums.bound_extent(loops.y, as_int(tile.row_threads)).bound_extent(share, as_int(tile.split));
    for (const Var &var : {loops.g, loops.z, loops.n}) sums.bound_extent(var, 1);
    for (const Var &var : loops.others) sums.bound_extent(var, 1);
    spread_sums(sums, loops, share, {}, tile);
    // The turns of this reduction hold barriers. Partitioned for what is in the padding, their number would depend on
    // the thread, and the threads of a block would wait at barriers that others never reach: wrong numbers, or no end.
    sums.update().never_partition_all();
}

void keep_part(Func part, const Func &sums, const Var &thread, const OutputLoops &loops,
               const std::vector<Var> &further, const ChunkedBlock &tile) {
    part.compute_at(sums, thread).store_in(Halide::MemoryType::Register);
    part.bound_extent(loops.c, as_int(ChunkedBlock::vector)).bound_extent(loops.x, as_int(tile.columns));
    for (const Var &var : {loops.g, loops.y, loops.z, loops.n}) part.bound_extent(var, 1);
    for (const Var &var : loops.others) part.bound_extent(var, 1);
    for (const Var &var : further) part.bound_extent(var, 1);
    part.vectorize(loops.c).unroll(loops.x);
}

void load_staged(Func staged, const Func &part, const RVar &turn, int64_t columns, const ChunkedBlock &tile) {
    Func loaded = staged.in(part);
    loaded.compute_at(part, turn).store_in(Halide::MemoryType::Register);
    const std::vector<Var> args = loaded.args();
    loaded.bound_extent(args[view_channel], as_int(tile.unroll())).bound_extent(args[view_width], as_int(columns));
    loaded.unroll(args[view_width]);
    tile.unroll() > 1 ? loaded.vectorize(args[view_channel]) : loaded.unroll(args[view_channel]);
}

bool loads_vectors(const View &input, const Target &target) {
    return target.gpu != Gpu::opencl || input[view_channel].stride != 3;
}

Var spread_staged(Func staged, const StagedLoops &loops, const ChunkedBlock &block) {
    Var cu("cu"), ci("ci"), pixel("pixel"), t("t"), turn("turn"), ti("ti"), tc("tc"), tp("tp"), ts("ts");
    const std::vector<Var> args = staged.args();
    staged.split(args[view_channel], cu, ci, as_int(block.unroll()), TailStrategy::RoundUp);
    if (loops.dense_channels) {
        staged.fuse(cu, loops.columns, pixel).fuse(pixel, args[view_height], t);
    } else {
        staged.fuse(loops.columns, args[view_height], pixel).fuse(pixel, cu, t);
    }
    std::vector<Halide::VarOrRVar> order{ci};
    order.insert(order.end(), loops.inner.begin(), loops.inner.end());
    std::vector<Halide::VarOrRVar> all = order;
    all.insert(all.end(), {t, args[view_group], args[view_depth], args[view_batch]});
    staged.reorder(all);
    staged.split(t, turn, ti, as_int(block.threads()), TailStrategy::GuardWithIf);
    staged.split(ti, ti, tc, as_int(block.channel_threads), TailStrategy::RoundUp);
    staged.split(ti, ts, tp, as_int(block.column_threads * block.row_threads), TailStrategy::RoundUp);
    order.insert(order.end(), {turn, tc, tp, ts});
    staged.reorder(order).gpu_threads(tc, tp, ts);
    for (const Var &inner : loops.inner) staged.unroll(inner);
    block.unroll() > 1 && loops.vectors ? staged.vectorize(ci) : staged.unroll(ci);
    staged.never_partition_all();
    return turn;
}

}  // namespace convc
