#include "schedules/gpu_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace convc {

GpuFacts gpu_facts(const Target &target) {
    struct Row {
        int capability;
        GpuFacts facts;
    };
    static constexpr std::array<Row, 5> rows{{
        {70, {80, 2048, 65536, 32, 96 << 10}},          // V100
        {75, {40, 1024, 65536, 16, 64 << 10}},          // T4
        {80, {108, 2048, 65536, 32, 164 << 10, 1024}},  // A100
        {86, {84, 1536, 65536, 16, 100 << 10, 1024}},   // A40
        {90, {132, 2048, 65536, 32, 228 << 10, 1024}},  // H100
    }};
    for (const Row &row : rows) {
        if (row.capability == target.capability) return row.facts;
    }
    return {};
}

int64_t resident_blocks(const GpuFacts &facts, int64_t threads, int64_t registers, int64_t shared_bytes) {
    constexpr int64_t unit = 256;
    const int64_t warps = (threads + GpuFacts::warp - 1) / GpuFacts::warp;
    const int64_t of_warp = (registers * GpuFacts::warp + unit - 1) / unit * unit;
    int64_t blocks = std::min(facts.blocks, facts.threads / (warps * GpuFacts::warp));
    if (of_warp > 0) blocks = std::min(blocks, facts.registers / (warps * of_warp));
    if (shared_bytes + facts.reserved > 0)
        blocks = std::min(blocks, facts.shared_of_all / (shared_bytes + facts.reserved));
    return blocks;
}

namespace {

// Threads, a power of two of at most `most`, that leave least of their blocks without a piece; as many as do so.
int64_t even_threads(int64_t pieces, int64_t most) {
    int64_t best = 1;
    for (int64_t threads = 1; threads <= most && threads < 2 * pieces; threads *= 2) {
        const int64_t used = std::min(threads, pieces);
        if (ceil_divided(pieces, used) * used <= ceil_divided(pieces, best) * best) best = used;
    }
    return best;
}

}  // namespace

ThreadBlock thread_block(const ThreadBlock &pieces, bool channels_first, int64_t wanted) {
    constexpr int64_t most_columns = 8, most_rows = 8;
    ThreadBlock block;
    const auto take = [&](int64_t &threads, int64_t of, int64_t most) {
        while (threads < of && threads < most && block.count() * 2 <= wanted) threads *= 2;
        threads = std::min(threads, of);
    };
    if (channels_first) {
        take(block.columns, pieces.columns, GpuFacts::warp);
        take(block.rows, pieces.rows, 4);
        take(block.channels, pieces.channels, wanted);
    } else {
        take(block.channels, pieces.channels, GpuFacts::warp);
        block.columns = even_threads(pieces.columns, std::min(most_columns, wanted / block.count()));
        block.rows = even_threads(pieces.rows, std::min(most_rows, wanted / block.count()));
        take(block.channels, pieces.channels, wanted);
    }
    return block;
}

int64_t channels_in_vector(int64_t channels) {
    int64_t vector = 4;
    while (vector > 1 && (vector / 2 >= channels || (channels % vector != 0 && channels < 16))) vector /= 2;
    return vector;
}

bool channels_lie_densely(const View &activation) {
    const ViewDimension &channel = activation[view_channel], &group = activation[view_group];
    return (channel.extent > 1 ? channel : group).stride == 1 || activation[view_width].stride != 1;
}

std::vector<Knob> thread_knobs() {
    return {{"channel_threads", "threads of a block along channels", 1, GpuFacts::most_threads},
            {"column_threads", "threads of a block along a row of pixels", 1, GpuFacts::most_threads},
            {"row_threads", "threads of a block along rows", 1, GpuFacts::most_threads}};
}

std::optional<Conflict> block_conflict(const Schedule &schedule) {
    int64_t threads = 1;
    for (const char *name : {"channel_threads", "column_threads", "row_threads", "split"}) {
        threads *= schedule.knob(name).value_or(1);
    }
    if (threads <= GpuFacts::most_threads) return std::nullopt;
    return Conflict{ConflictKind::shape,
                    fmt::format("{} threads of a block exceed {}", threads, GpuFacts::most_threads)};
}

}  // namespace convc
