// The knobs of `transposed`, what limits them, and what the machine model chooses.
#include "schedules/transposed_schedule.h"

#include <algorithm>
#include <array>
#include <limits>

#include "schedules/knob_values.h"
#include "schedules/machine_model.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"

namespace convc::transposed {
namespace {

constexpr std::array<ViewAxis, 3> space{view_width, view_height, view_depth};
constexpr int64_t largest_strip = std::numeric_limits<int32_t>::max();
constexpr int64_t most_tile_strip = 1 << 28;
constexpr int64_t most_phases = 1 << 18;  // along the width: a tile of all of them takes less than 2^31 bytes

// Bytes of the strip that a tile of `positions` x `rows` reads, saturated.
int64_t tile_strip_bytes(const StageGroup &group, int64_t positions, int64_t rows) {
    const std::array<int64_t, 3> tile{positions, rows, 1};
    int64_t bytes = group.input().channels / groups_of(group) * static_cast<int64_t>(sizeof(float));
    for (size_t i = 0; i < space.size(); i++) {
        if (__builtin_mul_overflow(bytes, phased_axis(group, space[i]).strip(tile[i]), &bytes)) return largest_strip;
        bytes = std::min(bytes, largest_strip);
    }
    return bytes;
}

std::optional<std::string> strip_refusal(const StageGroup &group) {
    if (in_tiles(group)) {
        return tile_strip_bytes(group, 128, 8) > most_tile_strip
                   ? std::optional<std::string>("a tile's input with padding takes more than 2^28 bytes")
                   : std::nullopt;
    }
    int64_t strip = group.input().channels / groups_of(group) * static_cast<int64_t>(sizeof(float));
    for (ViewAxis axis : space) {
        const PhasedAxis phased = phased_axis(group, axis);
        if (__builtin_mul_overflow(strip, phased.strip(phased.positions), &strip)) strip = largest_strip + int64_t{1};
        strip = std::min(strip, largest_strip + int64_t{1});
    }
    if (leaves_input(group) && strip > largest_strip) return "its input with padding takes more than 2^31 - 1 bytes";
    return std::nullopt;
}

int64_t batch(const StageGroup &group) {
    return modelled_extent(activation_view(group.output(), 1, false), view_batch);
}

// Pieces of `tile` positions or of rows that the parallel axis falls into.
int64_t pieces(const StageGroup &group, int64_t tile) {
    const ViewAxis axis = part_axis(group);
    return ceil_divided(phased_axis(group, axis).positions, axis == view_width ? tile : 1);
}

// Of all work, what the thread with the most tasks does.
double share_of_slowest_thread(const KernelRequest &request) {
    if (in_tiles(request.group)) return 1.0 / static_cast<double>(planned_threads(request.target));
    const int64_t others = batch(request.group) * groups_of(request.group) * *request.schedule.knob("channel_parts");
    return share_of_slowest(pieces(request.group, position_tile(request)), *request.schedule.knob("parts"), others,
                            request.target);
}

// Whether vectors of pixels of all phases along the width, in turns, make rows.
bool may_interleave(const StageGroup &group) {
    constexpr int64_t most_interleaved = 4;  // in one vector as long as all of theirs
    const View output = activation_view(group.output(), groups_of(group), flattens(group));
    const PhasedAxis width = phased_axis(group, view_width);
    return !in_tiles(group) && output[view_width].stride == 1 && width.phases > 1 && width.phases <= most_interleaved &&
           int64_t{output[view_width].extent} % width.phases == 0;
}

// Single channels of a tile of vectors of pixels: more of them load fewer vectors, which lie across cache lines.
int64_t most_single_channels(const StageGroup &group) {
    return std::min<int64_t>(group_channels(group), may_interleave(group) ? 8 : 6);
}

// Whether vectors of pixels waste fewer lanes; by half, since their outputs are stored one by one.
bool wastes_fewer_lanes(const StageGroup &group, const Target &target) {
    const int64_t lanes = target.vector_lanes();
    const int64_t channels = group_channels(group);
    const int64_t positions = phased_axis(group, view_width).positions;
    const int64_t channel_vectors = ceil_divided(channels, lanes);
    const int64_t pixel_vectors = ceil_divided(positions, lanes);
    return positions >= lanes && 2 * pixel_vectors * channels < channel_vectors * positions;
}

Schedule tile_of_channels(const StageGroup &group, const Target &target) {
    // In a strip or in place, the pixels of a phase are neighbours.
    const int64_t between = group.input().channels / groups_of(group) * static_cast<int64_t>(sizeof(float));
    const int64_t positions = phased_axis(group, view_width).positions;
    const RegisterTile tile = best_register_tile(group_channels(group), positions, target, 1, 4, between);
    return {"transposed", {{"pixel_vectors", 0}, {"vectors", tile.vectors}, {"columns", tile.columns}}};
}

Schedule tile_of_pixels(const StageGroup &group, const Target &target) {
    const int64_t positions = phased_axis(group, view_width).positions;
    const RegisterTile tile =
        best_register_tile(positions, most_single_channels(group), target, 1, positions / target.vector_lanes());
    return {"transposed", {{"pixel_vectors", 1}, {"vectors", tile.columns}, {"columns", tile.vectors}}};
}

// One at a time where vectors are of pixels: their loads lie across cache lines, and with four times as many at hand
// LLVM takes them all before it multiplies (4x4 stride 2 to 3 channels at 32 x 32, 3 x 2 vectors: 0.047 ms once, 0.062
// four times; with AVX2 0.058 and 0.114).
int64_t unrolled_channels(const Stage &stage, const Schedule &schedule) {
    if (has_pixel_vectors(schedule)) return 1;
    return default_unroll(summed_channels(stage), {*schedule.knob("vectors"), *schedule.knob("columns")});
}

// The share of a panel of weights that one phase of the rows reads: where it stays in L2, it is read once and the
// pixels stream past it; else the other way round.
int64_t phase_panel_bytes(const StageGroup &group, int64_t tiles) {
    const Stage &stage = group.stage(0);
    int64_t panel = weight_bytes(stage) / groups_of(group) / tiles;
    for (ViewAxis axis : {view_height, view_depth}) {
        const PhasedAxis phased = phased_axis(group, axis);
        panel = panel / phased.kernel * phased.taps;
    }
    return panel;
}

// All outputs of such a register tile, on one thread.
double cycles_of_sums(const KernelRequest &request) {
    const StageGroup &group = request.group;
    const Schedule &schedule = request.schedule;
    const View output = activation_view(group.output(), groups_of(group), flattens(group));
    RegisterTile tile{*schedule.knob("vectors"), *schedule.knob("columns")};
    int64_t channels = group_channels(group), positions = phased_axis(group, view_width).positions;
    if (has_pixel_vectors(schedule)) {
        std::swap(tile.vectors, tile.columns);
        std::swap(channels, positions);
    }
    auto products = static_cast<double>(summed_channels(group.stage(0)));
    for (const ViewAxis axis : space) {
        const PhasedAxis phased = phased_axis(group, axis);
        products *= static_cast<double>(phased.kernel) / static_cast<double>(phased.stride);
        if (axis != view_width) products *= share_of_transposed_taps(group, axis);
    }
    // Pixels of one phase lie apart, and so do channels that are not last: they are shuffled and stored one by one.
    constexpr double one_by_one = 1.5;
    const bool of_pixels = has_pixel_vectors(schedule);
    const bool scatters = of_pixels ? !interleaves_phases(request) : output[view_channel].stride != 1;
    const double an_output = products * lane_cycles(tile, channels, positions, 1, request.target) +
                             (scatters ? one_by_one : output_cycles(request.target));
    return an_output * modelled_outputs(output);
}

// Vectors of pixels where channels lie apart and the model says so (2x2 stride 2 of 128 -> 64 channels at 56 x 56: 0.84
// of the time of vectors of channels; 3x3 stride 2 of 64 -> 32 at 64 x 64: 0.74 of Winograd's).
Schedule default_tile(const StageGroup &group, const Target &target) {
    if (wastes_fewer_lanes(group, target)) return tile_of_pixels(group, target);
    const Schedule of_channels = tile_of_channels(group, target);
    if (!may_interleave(group) || phased_axis(group, view_width).positions < target.vector_lanes()) {
        return of_channels;
    }
    const Schedule of_pixels = tile_of_pixels(group, target);
    const bool better = cycles_of_sums({group, of_pixels, target}) < cycles_of_sums({group, of_channels, target});
    return better ? of_pixels : of_channels;
}

// Tasks of some 32 x 8 positions, or fewer where their strip would not stay in half of L2.
Schedule default_tiles(const StageGroup &group, const Target &target) {
    Schedule schedule = default_tile(group, target);
    const int64_t positions = position_tile({group, schedule, target});
    const bool one_row = activation_view(group.output(), 1, flattens(group))[view_height].extent == 1;
    const int64_t row_tiles = std::min<int64_t>(ceil_divided(one_row ? 128 : 32, positions), 64);
    int64_t rows = one_row ? 1 : 8;
    while (rows > 1 && tile_strip_bytes(group, row_tiles * positions, rows) > target.l2_bytes / 2) rows--;
    const int64_t panel = phase_panel_bytes(group, channel_tiles({group, schedule, target}));
    schedule.knobs.emplace_back("row_tiles", row_tiles);
    schedule.knobs.emplace_back("rows", rows);
    schedule.knobs.emplace_back("pixels_outside", panel > target.l2_bytes / 2 ? 1 : 0);
    schedule.knobs.emplace_back("unroll", unrolled_channels(group.stage(0), schedule));
    return schedule;
}

// Of one thread, for the strips that the tasks copy, and for weights that do not stay in L2 and that every part of the
// rows reads (4x4 stride 2 of 512 channels at 4 x 4 on Sapphire Rapids: 0.66 of the time in one part for 4).
double cycles_of_parts(const KernelRequest &request, int64_t parts, int64_t channel_parts) {
    // Vectors of pixels are gathered where channels are last (4x4 stride 2 of 64 channels to 3 at 32 x 32).
    constexpr double copied = 2, gathered = 32;
    const StageGroup &group = request.group;
    const double again = reading_again_cycles(weight_bytes(group.stage(0)), parts, request.target.l2_bytes);
    if (!leaves_input(group)) return again;
    const bool gathers = has_pixel_vectors(request.schedule) && channels_last(group.input().layout);
    auto elements = static_cast<double>(parts * channel_parts * batch(group) * group.input().channels);
    for (const ViewAxis axis : space) {
        const PhasedAxis phased = phased_axis(group, axis);
        const int64_t cut = axis == part_axis(group) ? parts : 1;
        elements *= static_cast<double>(phased.strip(ceil_divided(phased.positions, cut)));
    }
    return again + (gathers ? gathered : copied) * elements / request.target.vector_lanes();
}

}  // namespace

bool merges_groups(const StageGroup &group) {
    return is_depthwise(group.stage(0)) && channels_last(group.input().layout);
}

int64_t groups_of(const StageGroup &group) {
    return merges_groups(group) ? 1 : group.stage(0).groups;
}

int64_t group_channels(const StageGroup &group) {
    return group.stage(0).out_channels / groups_of(group);
}

int64_t summed_channels(const Stage &stage) {
    return stage.in_channels / stage.groups;
}

bool has_pixel_vectors(const Schedule &schedule) {
    return *schedule.knob("pixel_vectors") == 1;
}

bool interleaves_phases(const KernelRequest &request) {
    return has_pixel_vectors(request.schedule) && may_interleave(request.group);
}

int64_t channel_tile(const KernelRequest &request) {
    const int64_t lanes = has_pixel_vectors(request.schedule) ? 1 : request.target.vector_lanes();
    return *request.schedule.knob("vectors") * lanes;
}

int64_t channel_tiles(const KernelRequest &request) {
    return ceil_divided(group_channels(request.group), channel_tile(request));
}

int64_t position_tile(const KernelRequest &request) {
    const int64_t lanes = has_pixel_vectors(request.schedule) ? request.target.vector_lanes() : 1;
    return *request.schedule.knob("columns") * lanes;
}

bool in_tiles(const StageGroup &group) {
    return has_runtime_space(activation_view(group.output(), 1, flattens(group)));
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    if (group.stage(0).kind != StageKind::transposed) return "computes transposed convolutions";
    for (ViewAxis axis : space) {
        if (!is_indexable(group, axis)) return "indexes no more than 2^29 positions along an axis, padding included";
    }
    if (auto reason = strip_refusal(group)) return reason;
    if (phased_axis(group, view_width).phases > most_phases) return "computes strides of up to 2^18 along the width";
    return std::nullopt;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    const int64_t channels = group_channels(group);
    const int64_t vectors = ceil_divided(channels, target.vector_lanes());
    const int64_t positions = phased_axis(group, view_width).positions;
    std::vector<Knob> all{
        {"pixel_vectors", "1: the register tile holds vectors of pixels, of single channels", 0,
         positions >= target.vector_lanes() ? 1 : 0},
        {"vectors", "vectors of output channels (or single channels) in the register tile", 1,
         std::min<int64_t>(channels, 8)},
        {"columns", "pixels of one phase (or vectors of them) in the register tile", 1,
         std::min<int64_t>(positions, 30)},
    };
    if (in_tiles(group)) {
        all.push_back({"row_tiles", "register tiles in a row of a task", 1, 64});
        all.push_back({"rows", "rows of one phase of a task", 1, 64});
    } else {
        const int64_t parts = phased_axis(group, part_axis(group)).positions;
        all.push_back({"parts", "parallel parts of the outermost spatial axis", 1, parts});
        all.push_back({"channel_parts", "parallel parts of the output channels of a group", 1, vectors});
    }
    all.push_back({"pixels_outside", "1: all channel tiles of a pixel tile before the next pixels", 0, 1});
    all.push_back({"unroll", "input channels in one turn of the inner loop", 1, 16});
    return all;
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Schedule &schedule = request.schedule;
    RegisterTile tile{*schedule.knob("vectors"), *schedule.knob("columns")};
    const Stage &stage = request.group.stage(0);
    if (has_pixel_vectors(schedule)) {
        std::swap(tile.vectors, tile.columns);
        if (position_tile(request) > phased_axis(request.group, view_width).positions) {
            return Conflict{ConflictKind::shape, "columns vectors of pixels exceed a row"};
        }
    } else if (tile.vectors > ceil_divided(group_channels(request.group), request.target.vector_lanes())) {
        return Conflict{ConflictKind::shape, "vectors exceed the channels of a group"};
    }
    if (!fits_registers(tile, request.target))
        return Conflict{ConflictKind::registers, "the tile and its operands exceed the vector registers"};
    if (in_tiles(request.group)) {
        const int64_t positions = position_tile(request) * *schedule.knob("row_tiles");
        if (tile_strip_bytes(request.group, positions, *schedule.knob("rows")) > most_tile_strip) {
            return Conflict{ConflictKind::memory, "a tile's input with padding takes more than 2^28 bytes"};
        }
    }
    const int64_t channel_parts = schedule.knob("channel_parts").value_or(1);
    if (channel_tiles(request) % channel_parts != 0)
        return Conflict{ConflictKind::division, "channel_parts does not divide the number of channel tiles"};
    if (channel_parts > 1 && group_channels(request.group) % channel_tile(request) != 0) {
        return Conflict{ConflictKind::division, "channel_parts needs channel tiles without a tail"};
    }
    // The strip of a task holds its own input channels.
    if (channel_parts > 1 && merges_groups(request.group) && stage.out_channels != stage.in_channels) {
        return Conflict{ConflictKind::division, "channel_parts needs as many output channels as input channels"};
    }
    if (summed_channels(stage) % *schedule.knob("unroll") != 0) {
        return Conflict{ConflictKind::division, "unroll does not divide the input channels of a group"};
    }
    return std::nullopt;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    if (in_tiles(group)) return default_tiles(group, target);
    const Stage &stage = group.stage(0);
    Schedule schedule = default_tile(group, target);
    const int64_t tiles = channel_tiles({group, schedule, target});
    const double sums = cycles_of_sums({group, schedule, target});

    // Where the weights are the big operand, each core takes a share of them; else a share of the rows.
    const int64_t input_bytes = group.input().elements().value_or(0) * 4;
    int64_t channel_parts = 1;
    const bool whole_tiles = group_channels(group) % channel_tile({group, schedule, target}) == 0;
    if (weight_bytes(stage) > input_bytes && whole_tiles && !merges_groups(group)) {
        const int64_t wanted = fine_parts(std::min(tiles, ceil_divided(group_channels(group), target.vector_lanes())),
                                          groups_of(group) * batch(group), sums, target, [&](int64_t cut) {
                                              return cycles_of_parts({group, schedule, target}, 1, cut);
                                          });
        for (int64_t parts = 1; parts <= wanted; parts++) channel_parts = tiles % parts == 0 ? parts : channel_parts;
    }
    const int64_t groups = merges_groups(group) ? 1 : groups_for_threads(group);
    const int64_t others = batch(group) * groups * channel_parts;
    const int64_t parts =
        fine_parts(pieces(group, position_tile({group, schedule, target})), others, sums, target,
                   [&](int64_t cut) { return cycles_of_parts({group, schedule, target}, cut, channel_parts); });

    const int64_t panel = phase_panel_bytes(group, tiles);
    schedule.knobs.emplace_back("parts", parts);
    schedule.knobs.emplace_back("channel_parts", channel_parts);
    // Vectors of pixels come out of L1 for the next channels.
    const bool of_rows = interleaves_phases({group, schedule, target});
    schedule.knobs.emplace_back("pixels_outside", of_rows || panel > target.l2_bytes / 2 ? 1 : 0);
    schedule.knobs.emplace_back("unroll", unrolled_channels(stage, schedule));
    return schedule;
}

std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob) {
    if (knob.name != "columns") return usual_values(so_far, knob);
    const StageGroup &group = so_far.group;
    const int64_t positions = phased_axis(group, view_width).positions, vectors = *so_far.schedule.knob("vectors");
    if (has_pixel_vectors(so_far.schedule)) return usual_values(so_far, knob);
    return good_columns(vectors, knob, group_channels(group), positions, so_far.target);
}

double cycles(const KernelRequest &request) {
    double all = cycles_of_sums(request);
    if (!in_tiles(request.group) && has_pixel_vectors(request.schedule)) {
        all += cycles_of_parts(request, *request.schedule.knob("parts"), *request.schedule.knob("channel_parts"));
    }
    return all * share_of_slowest_thread(request);
}

}  // namespace convc::transposed
