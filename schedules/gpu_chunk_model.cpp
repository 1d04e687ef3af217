#include "schedules/gpu_chunk_model.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "schedules/knob_values.h"

namespace convc {
namespace {

constexpr double launch = 3530;                // between two kernels of a CUDA graph: 1.88 us
constexpr double bytes_a_cycle = 18;           // that a multiprocessor gets from L2, or writes to it
constexpr double schedulers = 4;               // each starts an instruction of a warp a cycle
constexpr double cycles_of_instruction = 2.4;  // of one warp, which the others' hide
constexpr double waiting_for_weights = 360;    // of one warp, a turn of its loop

double number(int64_t value) {
    return static_cast<double>(value);
}

// Passes that shared memory, or L1, takes for a load or store of 16 bytes by each thread of a warp: of what lies in the
// same of its eight groups of banks, one address a pass. `address` counts 16 bytes.
template <typename Address>
double passes(const ChunkedBlock &block, const Address &address) {
    constexpr int64_t groups_of_banks = 8;
    std::array<std::array<int64_t, GpuFacts::warp>, groups_of_banks> seen;
    std::array<int64_t, groups_of_banks> count{};
    for (int64_t lane = 0; lane < std::min(GpuFacts::warp, block.threads()); lane++) {
        int64_t rest = lane / block.channel_threads;
        const int64_t column = rest % block.column_threads;
        rest /= block.column_threads;
        const int64_t wanted =
            address(lane % block.channel_threads, column, rest % block.row_threads, rest / block.row_threads);
        const auto group = static_cast<size_t>(wanted % groups_of_banks);
        auto *const end = seen[group].begin() + count[group];
        if (std::find(seen[group].begin(), end, wanted) == end)
            seen[group][static_cast<size_t>(count[group]++)] = wanted;
    }
    return number(*std::max_element(count.begin(), count.end()));
}

double passes_of_weights(const ChunkedBlock &block) {
    // Shares read other channels, so far apart that they share no line.
    return passes(block, [&](int64_t channel, int64_t, int64_t, int64_t share) {
        return channel + share * block.channel_threads * block.chunk;
    });
}

double passes_of_inputs(const ChunkedBlock &block, const StagedChunk &staged) {
    const int64_t pixel = block.vectors() * block.split;
    return passes(block, [&](int64_t, int64_t column, int64_t row, int64_t share) {
        return (column * block.columns * staged.column_step + row * staged.row_step * staged.columns) * pixel +
               share * block.vectors();
    });
}

double passes_of_sums(const ChunkedBlock &block) {
    return passes(block, [&](int64_t channel, int64_t column, int64_t row, int64_t share) {
        const int64_t rows = row + block.row_threads * share;
        return channel + block.channel_threads * (column * block.columns + block.block_columns() * rows);
    });
}

// What a thread executes, in multiply-adds.
double instructions(const ChunkedBlock &block, const StagedChunk &staged, const std::optional<StagingCost> &computed) {
    constexpr double load = 4.8, pass_of_weights = 2.1, pass = 4.4, copy = 50, others = 200;
    // A column more costs more than the one before it; why is not known.
    const double slower = 1 + 0.07 * number(std::max<int64_t>(block.columns - 4, 0));
    const double rows_of_taps = number(staged.taps / staged.row_taps), vectors = number(block.vectors());
    const double products = number(staged.taps * block.chunk * ChunkedBlock::vector * block.columns) * slower;
    const double weights = number(staged.taps * block.chunk) * (load + pass_of_weights * passes_of_weights(block));
    const double inputs = rows_of_taps * vectors * number(staged.loaded_columns) * number(block.unroll()) / 4 * pass *
                          passes_of_inputs(block, staged);
    const int64_t copied = staged.columns * staged.rows * block.vectors() * block.split;
    const double staging = computed ? computed->instructions : copy * number(ceil_divided(copied, block.threads()));
    const double sums = number(block.columns) * 2 * pass * passes_of_sums(block);
    return number(staged.chunks) * (products + weights + inputs + staging + sums) + others;
}

// As ptxas counts them: within 15 % of most of those kernels.
int64_t registers(const ChunkedBlock &block, const StagedChunk &staged) {
    return ceil_divided(36 + (staged.row_taps > 1 ? 9 : 5) * block.columns, 8) * 8;
}

}  // namespace

ChunkedBlock::ChunkedBlock(const Schedule &schedule)
    : columns(*schedule.knob("columns")),
      channel_threads(*schedule.knob("channel_threads")),
      column_threads(*schedule.knob("column_threads")),
      row_threads(*schedule.knob("row_threads")),
      chunk(*schedule.knob("chunk")),
      split(*schedule.knob("split")) {}

int64_t ChunkedBlock::shared_bytes(int64_t staged_pixels) const {
    const int64_t sums = block_channels() * block_columns() * row_threads * split;
    return (chunk * split * staged_pixels + sums) * static_cast<int64_t>(sizeof(float));
}

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

std::optional<Conflict> chunked_block_conflict(const KernelRequest &request, int64_t channels, int64_t columns,
                                               int64_t staged_pixels) {
    const ChunkedBlock block(request.schedule);
    if (auto reason = block_conflict(request.schedule)) return reason;
    if (channels % (block.chunk * block.split) != 0) {
        return Conflict{ConflictKind::division, "chunk * split does not divide the input channels of a group"};
    }
    if (block.block_columns() > columns + block.columns - 1) {
        return Conflict{ConflictKind::shape, "columns * column_threads exceed a row"};
    }
    if (block.shared_bytes(staged_pixels) > GpuFacts().shared_bytes) {
        return Conflict{ConflictKind::memory, "what is staged exceeds a block's shared memory"};
    }
    return std::nullopt;
}

namespace {

// Powers of two, which load whole vectors and are what was timed; of channels that 4 does not divide, all divisors.
std::vector<int64_t> shares_of(int64_t channels, int64_t least, int64_t most) {
    std::vector<int64_t> shares;
    for (int64_t share = least; share <= most; share++) {
        const bool is_power = (share & (share - 1)) == 0;
        if (channels % 4 == 0 ? is_power : channels % share == 0) shares.push_back(share);
    }
    return shares;
}

}  // namespace

void try_blocks(Schedule &tried, const BlockExtents &extents, const std::function<void()> &consider) {
    constexpr int64_t most_rows = 16;
    const auto up_to = [](int64_t most) {
        std::vector<int64_t> values(static_cast<size_t>(most));
        std::iota(values.begin(), values.end(), 1);
        return values;
    };
    // Of blocks with fewer channels than there are, all stage the same; the model makes too little of that.
    std::vector<int64_t> channel_threads{4, 8, 16, 32};
    for (const int64_t fewer : {2, 1}) {
        if (extents.outputs <= fewer * ChunkedBlock::vector) channel_threads.push_back(fewer);
    }
    const KnobValues knobs[]{{"columns", up_to(std::min(extents.width, ChunkedBlock::most_columns))},
                             {"channel_threads", channel_threads},
                             {"column_threads", {1, 2, 4, 8}},
                             {"row_threads", up_to(std::min(extents.height, most_rows))},
                             {"chunk", shares_of(extents.inputs, extents.inputs % 2 == 0 ? 2 : 1, 32)},
                             {"split", shares_of(extents.inputs, 1, 16)}};
    try_all(tried, knobs, [&] {
        const int64_t threads = ChunkedBlock(tried).threads();
        if (threads >= GpuFacts::warp && threads <= GpuFacts::most_threads) consider();
    });
}

double chunked_kernel_cycles(const ChunkedBlock &block, const StagedChunk &staged, const GpuFacts &facts,
                             int64_t blocks, int64_t weight_bytes, const std::optional<StagingCost> &computed) {
    const double executed = instructions(block, staged, computed);
    const double turns = number(staged.chunks * (staged.taps / staged.row_taps) * block.vectors());
    const double of_one_warp = cycles_of_instruction * executed + waiting_for_weights * turns +
                               number(staged.chunks) * (computed ? computed->latency : 0);
    const int64_t of_fullest = ceil_divided(blocks, facts.multiprocessors);
    const int64_t resident = std::clamp<int64_t>(resident_blocks(facts, block.threads(), registers(block, staged),
                                                                 block.shared_bytes(staged.columns * staged.rows)),
                                                 1, of_fullest);
    const double busy = number(of_fullest * ceil_divided(block.threads(), GpuFacts::warp)) * executed / schedulers;
    const double waiting = number(of_fullest) / number(resident) * of_one_warp;
    return launch + std::max(busy, waiting) + number(weight_bytes) / bytes_a_cycle / number(facts.multiprocessors);
}

double streaming_kernel_cycles(double bytes, const GpuFacts &facts) {
    return 0.6 * launch + bytes / bytes_a_cycle / number(facts.multiprocessors);
}

}  // namespace convc
