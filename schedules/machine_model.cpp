#include "schedules/machine_model.h"

#include <algorithm>
#include <numeric>

namespace convc {
namespace {

constexpr int64_t fma_latency = 4;  // cycles, Zen 2 to 5 and Skylake to Golden Cove
constexpr double fmas_per_cycle = 2;
constexpr double loads_per_cycle = 2;

int64_t rounded_up(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

// What whole tiles compute, by what is wanted.
double share_computed(const RegisterTile &tile, int64_t channels, int64_t pixels, const Target &target) {
    const int64_t channel_tile = tile.vectors * target.vector_lanes();
    return static_cast<double>(rounded_up(channels, channel_tile)) / static_cast<double>(channels) *
           static_cast<double>(rounded_up(pixels, tile.columns)) / static_cast<double>(pixels);
}

// Of a step over all multiply-adds of a tile, where a whole vector takes so many turns.
double step_cycles(const RegisterTile &tile, double vector_load, double turns) {
    const auto fmas = static_cast<double>(tile.vectors * tile.columns);
    const double loads = static_cast<double>(tile.vectors) * vector_load * turns + static_cast<double>(tile.columns);
    return std::max({fmas * turns / fmas_per_cycle, loads / loads_per_cycle, static_cast<double>(fma_latency)});
}

}  // namespace

double lane_cycles(const RegisterTile &tile, int64_t channels, int64_t pixels, double vector_load,
                   const Target &target) {
    return step_cycles(tile, vector_load, target.splits_vectors() ? 2 : 1) *
           share_computed(tile, channels, pixels, target) / static_cast<double>(tile.vectors * tile.columns) /
           target.vector_lanes();
}

double lane_cycles_of_vectors(const RegisterTile &tile, int64_t channels, int64_t pixels, const Target &target) {
    const double turns = target.splits_vectors() ? 2 : 1;
    const auto columns = static_cast<double>(tile.columns), vectors = static_cast<double>(tile.vectors);
    // As many loads as broadcasts make with vectors that take longer.
    const double vector_load = (vectors + columns) / vectors - columns / (vectors * turns);
    return lane_cycles(tile, channels, pixels, vector_load, target);
}

double output_cycles(const Target &target) {
    constexpr double operations = 3, a_cycle = 2;  // of a vector
    return operations / a_cycle * (target.splits_vectors() ? 2 : 1) / target.vector_lanes();
}

double tile_cycles(const RegisterTile &tile, int64_t channels, int64_t pixels, double vector_load,
                   const Target &target) {
    const auto fmas = static_cast<double>(tile.vectors * tile.columns);
    const auto vectors = static_cast<double>(tile.vectors);
    const double loads = vectors * vector_load + static_cast<double>(tile.columns);
    // Where the model sees no difference, fewer loads; weights count twice, since their panel comes from L2.
    return step_cycles(tile, vector_load, 1) / fmas * share_computed(tile, channels, pixels, target) +
           0.02 * (loads + vectors) / fmas;
}

bool fits_registers(const RegisterTile &tile, const Target &target) {
    return tile.vectors * tile.columns + tile.vectors + 1 <= target.vector_registers();
}

double reading_again_cycles(int64_t weight_bytes, int64_t parts, int64_t cache_bytes) {
    constexpr double bytes_a_cycle = 8;
    return weight_bytes > cache_bytes ? static_cast<double>(parts * weight_bytes) / bytes_a_cycle : 0;
}

double shuffling_work(double elements, const Target &target) {
    constexpr double multiply_adds_a_cycle = 2,
                     cycles_an_element = 0.45;  // 128 channels at 28 x 28: 7.8 us on two threads
    return multiply_adds_a_cycle * static_cast<double>(target.vector_lanes()) * cycles_an_element * elements /
           static_cast<double>(planned_threads(target));
}

double waiting_for_l3(double bytes, double cycles, const Target &target) {
    constexpr double bytes_a_cycle = 10;  // 20 to 28 GB/s a core of Sapphire Rapids at 2.6 to 3 GHz
    return target.l3_is_mesh() ? std::max(bytes / bytes_a_cycle - cycles, 0.0) : 0;
}

double set_conflicts(int64_t columns, int64_t bytes_between_pixels, const Target &target) {
    constexpr int64_t page = 4096;  // L1 has a set for each cache line of a page, nearly everywhere
    const int64_t ways = target.l1_bytes / page;
    const int64_t sets = page / std::gcd(bytes_between_pixels, page);
    const int64_t in_one_set = (columns + sets - 1) / sets;
    return 1 + 0.04 * static_cast<double>(std::max<int64_t>(in_one_set - ways, 0));
}

RegisterTile best_register_tile(int64_t channels, int64_t pixels, const Target &target, double vector_load,
                                int64_t most_vectors, int64_t bytes_between_pixels) {
    RegisterTile best;
    const auto cycles_of = [&](const RegisterTile &tile) {
        return tile_cycles(tile, channels, pixels, vector_load, target) *
               set_conflicts(tile.columns, bytes_between_pixels, target);
    };
    double best_cycles = cycles_of(best);
    // All channels in one tile load the pixels once: 1x1 of 3 groups of 80 channels at 28 x 28 in 5 x 4 for 1 x 28,
    // 0.92 of the time.
    const int64_t vectors = rounded_up(channels, target.vector_lanes()) / target.vector_lanes();
    const int64_t most = std::min(most_vectors, vectors <= 6 ? vectors : 4);
    for (RegisterTile tile; tile.vectors <= most; tile.vectors++) {
        for (tile.columns = 1; tile.columns <= pixels && fits_registers(tile, target); tile.columns++) {
            const double cycles = cycles_of(tile);
            if (cycles < best_cycles) best = tile, best_cycles = cycles;
        }
    }
    return best;
}

double unaligned_load(int64_t stride, const Target &target) {
    // Every 64-byte vector crosses a cache line, half of the 32-byte vectors do. Crossing costs 3.6 loads (measured on
    // Zen 5: 3x3 of 3 channels at 224 x 224, tile of 4 x 4: 86 % of peak; 3x1 of 64 at 56 x 56, tile of 2 x 4: 53 %).
    constexpr double crossing = 3.6, cache_line = 64, shuffle = 1;
    const double crossings = std::min(1.0, static_cast<double>(target.vector_lanes()) * sizeof(float) / cache_line);
    const double load = 1 + crossings * (crossing - 1);
    return stride == 1 ? load : 2 * load + shuffle;
}

int64_t default_unroll(int64_t channels, const RegisterTile &tile) {
    // A turn of so many hides what the loop costs. In longer bodies LLVM loads the next operands early, and spills
    // where a tile leaves no registers for them (2 x 14 of 32: 3x3 stride 2 at 56 x 56, unrolled 4 times 1.13 ms,
    // once 1.00).
    constexpr int64_t enough = 16;
    if (tile.vectors * tile.columns >= enough) return 1;
    for (int64_t unroll : {4, 3, 2}) {
        if (channels % unroll == 0 && unroll * tile.vectors * tile.columns <= 128) return unroll;
    }
    return 1;
}

int64_t planned_threads(const Target &target) {
    return target.threads > 0 ? target.threads : 8;
}

int64_t pieces_of_slowest(int64_t items, int64_t parts, int64_t others, const Target &target) {
    const int64_t threads = planned_threads(target);
    const int64_t rounds = (parts * others + threads - 1) / threads;
    return rounds * ((items + parts - 1) / parts);
}

int64_t balanced_parts(int64_t items, int64_t others, const Target &target) {
    const int64_t threads = planned_threads(target);
    int64_t best = 1;
    int64_t best_time = items * others;
    for (int64_t parts = 1; parts <= std::min(items, 4 * threads); parts++) {
        const int64_t time = pieces_of_slowest(items, parts, others, target);
        if (time < best_time) best = parts, best_time = time;
    }
    return best;
}

// Measured on a virtual machine of two cores of Sapphire Rapids whose other hardware threads others used, so that now
// one core and now the other took up to twice as long, medians of calls in turns with those of two parts: 3x3 stride 2
// at 56 x 56 in 14 parts 0.75 of the time, 1x1 of 512 -> 2048 channels at 7 x 7 in 16 0.80, 3x3 of 32 groups at 56 x 56
// in 32 tasks for 8 0.70, Winograd's 3x3 at 56 x 56 in 14 0.89; where all cores were as fast, the same. 1x1 of 3 groups
// at 28 x 28 in tasks of 3 us: 1.1.
int64_t finer_parts(int64_t parts, int64_t items, int64_t others, double cycles, const Target &target,
                    const std::function<double(int64_t parts)> &extra_cycles) {
    constexpr int64_t tasks_of_thread = 16;
    constexpr double shortest_task = 20'000, most_extra = 0.03;
    const int64_t pieces = pieces_of_slowest(items, parts, others, target);
    const auto most_tasks =
        std::min(static_cast<double>(tasks_of_thread * planned_threads(target)), cycles / shortest_task);
    const auto extra = [&](int64_t finer) { return extra_cycles ? extra_cycles(finer) : 0.0; };
    const double extra_of_parts = extra(parts);
    for (int64_t finer = std::min(items, static_cast<int64_t>(most_tasks) / others); finer > parts; finer--) {
        if (pieces_of_slowest(items, finer, others, target) > pieces) continue;
        if (extra(finer) - extra_of_parts <= most_extra * cycles) return finer;
    }
    return parts;
}

int64_t fine_parts(int64_t items, int64_t others, double cycles, const Target &target,
                   const std::function<double(int64_t parts)> &extra_cycles) {
    return finer_parts(balanced_parts(items, others, target), items, others, cycles, target, extra_cycles);
}

double share_of_slowest(int64_t items, int64_t parts, int64_t others, const Target &target) {
    return static_cast<double>(pieces_of_slowest(items, parts, others, target)) / static_cast<double>(items * others);
}

}  // namespace convc
