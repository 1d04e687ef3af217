#include "schedules/gpu_chunks.h"

#include <algorithm>
#include <numeric>

#include "schedules/knob_values.h"
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

ChunkedBlock::ChunkedBlock(const Schedule &schedule)
    : columns(*schedule.knob("columns")),
      channel_threads(*schedule.knob("channel_threads")),
      column_threads(*schedule.knob("column_threads")),
      row_threads(*schedule.knob("row_threads")),
      chunk(*schedule.knob("chunk")),
      split(*schedule.knob("split")) {}

std::vector<Knob> chunked_block_knobs(const View &output, int64_t channels, const std::string &pixels) {
    return {
        {"columns", "neighbouring " + pixels + " of a row of a thread", 1,
         std::min<int64_t>(output[view_width].extent, ChunkedBlock::most_columns)},
        {"channel_threads", "threads of a block along output channels, 4 each", 1, 64},
        {"column_threads", "threads of a block along a row of " + pixels, 1, 64},
        {"row_threads", "threads of a block along rows", 1, 64},
        {"chunk", "input channels that a thread sums over between two barriers", 1, std::min<int64_t>(channels, 64)},
        {"split", "threads that share a chunk's channels", 1, 16}};
}

std::optional<Conflict> chunked_block_conflict(const KernelRequest &request, int64_t channels, int64_t columns) {
    const ChunkedBlock block(request.schedule);
    if (auto reason = block_conflict(request.schedule)) return reason;
    if (channels % (block.chunk * block.split) != 0) {
        return Conflict{ConflictKind::division, "chunk * split does not divide the input channels of a group"};
    }
    if (block.block_columns() > columns + block.columns - 1) {
        return Conflict{ConflictKind::shape, "columns * column_threads exceed a row"};
    }
    return std::nullopt;
}

void try_blocks(Schedule &tried, const BlockChoices &choices, const std::function<void()> &consider) {
    constexpr int64_t most_rows = 16;
    const auto up_to = [](int64_t most) {
        std::vector<int64_t> values(static_cast<size_t>(most));
        std::iota(values.begin(), values.end(), 1);
        return values;
    };
    const KnobValues knobs[]{{"columns", up_to(std::min(choices.width, ChunkedBlock::most_columns))},
                             {"channel_threads", choices.channel_threads},
                             {"column_threads", {1, 2, 4, 8}},
                             {"row_threads", up_to(std::min(choices.height, most_rows))},
                             {"chunk", choices.chunks},
                             {"split", {1, 2, 4, 8}}};
    try_all(tried, knobs, consider);
}

double multiprocessor_cycles(double of_thread, const ChunkedBlock &block, const GpuFacts &facts, int64_t blocks,
                             int64_t shared_bytes) {
    constexpr double schedulers = 4, warps_that_hide = 16;
    constexpr int64_t shared_of_all = 160 << 10, registers_of_thread = 96;
    const int64_t on_one = ceil_divided(blocks, facts.multiprocessors);
    const auto warps = static_cast<double>(ceil_divided(block.threads(), GpuFacts::warp));
    const int64_t resident = std::max<int64_t>(
        1,
        std::min<int64_t>({on_one, facts.threads / block.threads(),
                           facts.registers / (block.threads() * registers_of_thread), shared_of_all / shared_bytes}));
    const double hidden = std::min(1.0, warps * static_cast<double>(resident) / warps_that_hide);
    return static_cast<double>(on_one) * warps * of_thread / schedulers / hidden;
}

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
