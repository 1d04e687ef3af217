#include "schedules/direct_schedule.h"

#include <algorithm>
#include <array>
#include <utility>

#include "schedules/folded_shuffle.h"
#include "schedules/knob_values.h"
#include "schedules/machine_model.h"
#include "schedules/single_stage.h"
#include "schedules/winograd_schedule.h"

namespace convc::direct {
namespace {

bool has_pixel_vectors(const Schedule &schedule) {
    return schedule.knob("pixel_vectors") == 1;
}

// Pieces of `tile` pixels or of rows that the parallel axis falls into.
int64_t pieces(const View &output, int64_t tile) {
    const ViewAxis axis = parallel_axis(output);
    return ceil_divided(output[axis].extent, axis == view_width ? tile : 1);
}

// Whether the register tile may hold vectors of pixels.
bool allows_pixel_vectors(const StageGroup &group, const Target &target) {
    const View output = grouped_output(group);
    return !in_tiles(group) && !channels_last(group.input().layout) &&
           output[view_width].extent >= target.vector_lanes();
}

std::vector<Knob> knobs_of_convolution(const StageGroup &group, const Target &target) {
    const View output = grouped_output(group);
    const int64_t lanes = target.vector_lanes();
    const int64_t vectors = ceil_divided(group_channels(group.stage(0)), lanes);
    if (in_tiles(group)) {
        return {
            {"vectors", "vectors of output channels in the register tile", 1, std::min<int64_t>(vectors, 6)},
            {"columns", "pixels in the register tile", 1, 30},
            {"row_tiles", "register tiles in a row of a task", 1, 64},
            {"rows", "rows of a task", 1, 64},
            {"pixels_outside", "1: all channel tiles of a pixel tile before the next pixels", 0, 1},
            {"unroll", "input channels in one turn of the inner loop", 1, 16},
        };
    }
    const bool pixels = allows_pixel_vectors(group, target);
    std::vector<Knob> all;
    if (pixels)
        all.push_back({"pixel_vectors", "1: vectors of pixels, of single channels, in the register tile", 0, 1});
    const int64_t most_vectors = pixels ? group_channels(group.stage(0)) : vectors;
    const std::array<Knob, 6> others{{
        {"vectors",
         pixels ? "vectors of output channels (or single channels) in the register tile"
                : "vectors of output channels in the register tile",
         1, std::min<int64_t>(most_vectors, pixels ? 30 : 6)},
        {"columns", pixels ? "pixels (or vectors of them) in the register tile" : "pixels in the register tile", 1,
         std::min<int64_t>(output[view_width].extent, 30)},
        {"parts", "parallel parts of the outermost spatial axis", 1, output[parallel_axis(output)].extent},
        {"channel_parts", "parallel parts of the output channels of a group", 1, most_vectors},
        {"pixels_outside", "1: all channel tiles of a pixel tile before the next pixels", 0, 1},
        {"unroll", "input channels in one turn of the inner loop", 1, 16},
    }};
    all.insert(all.end(), others.begin(), others.end());
    return all;
}

// Bytes of a group's strip.
double strip_bytes(const Stage &stage, int64_t columns, int64_t rows) {
    return strip_elements(stage, {columns, rows, 1}) / static_cast<double>(stage.groups) * sizeof(float);
}

// Tasks of some 32 x 8 outputs, or fewer where their strip would not stay in half of L2.
Schedule default_tiles(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const RegisterTile tile = best_register_tile(group_channels(stage), many_pixels, target);
    const bool one_row = grouped_output(group)[view_height].extent == 1;
    const int64_t row_tiles = ((one_row ? 128 : 32) + tile.columns - 1) / tile.columns;
    int64_t rows = one_row ? 1 : 8;
    while (rows > 1 && strip_bytes(stage, row_tiles * tile.columns, rows) > static_cast<double>(target.l2_bytes) / 2)
        rows--;
    const int64_t panel =
        tile.vectors * target.vector_lanes() * stage.in_channels / stage.groups * stage.kernel_volume() * 4;
    return {"direct",
            {{"vectors", tile.vectors},
             {"columns", tile.columns},
             {"row_tiles", row_tiles},
             {"rows", rows},
             {"pixels_outside", panel > target.l2_bytes / 2 ? 1 : 0},
             {"unroll", default_unroll(stage.in_channels / stage.groups, tile)}}};
}

// Cycles that storing a vector of channels takes where they do not lie densely: more where planes are whole pages, so
// that the lines of all channels fall into one set of L1 (3x3 of 3 -> 64 channels: 7 cycles an output at 224 x 224).
double scatter_cycles(const View &output, const Target &target) {
    constexpr int64_t page = 4096;
    const bool collide = output[view_channel].stride * static_cast<int64_t>(sizeof(float)) % page == 0;
    return static_cast<double>(target.vector_lanes()) * (collide ? 7 : 1.5);
}

// Bytes between the inputs of neighbouring outputs of a row.
int64_t bytes_between_pixels(const StageGroup &group) {
    const Stage &stage = group.stage(0);
    int64_t between = activation_view(group.input(), stage.groups, flattens(group))[view_width].stride;
    if (copies_input(group, false)) between = stage.in_channels / stage.groups;
    return between * stage_axis(stage, view_width).stride * static_cast<int64_t>(sizeof(float));
}

// Whether cores share a group's weights, and not its pixels, between them: the weights are the big operand.
bool divides_channels(const StageGroup &group) {
    const Stage &stage = group.stage(0);
    return weight_bytes(stage) > group.input().elements().value_or(0) * 4;
}

// How many times as long the last thread takes as all would with equal shares, where tiles of a row are shared out.
double imbalance(const StageGroup &group, bool share_lines, int64_t columns, const Target &target) {
    const View output = grouped_output(group);
    if (parallel_axis(output) != view_width || divides_channels(group)) return 1;
    const int64_t tiles = pieces(output, columns), threads = planned_threads(target);
    const int64_t others = output[view_batch].extent * (share_lines ? 1 : group.stage(0).groups);
    const int64_t parts = balanced_parts(tiles, others, target);
    const int64_t longest = pieces_of_slowest(tiles, parts, others, target);
    return static_cast<double>(longest * threads) / static_cast<double>(tiles * others);
}

// Whether storing the outputs takes a good part of the time: none stay in L2 till the next call, and the weights of all
// channels in L1. Then outputs are stored in the order of their addresses, channel tiles inside pixels (1x1 of 16 ->
// 96 channels at 112 x 112, 4.8 MB: 0.61 of the time; 16 -> 256 0.73; 2.4 MB 1.00).
bool streams_outputs(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    if (!channels_last(group.output().layout)) return false;
    const int64_t outputs = group.output().elements().value_or(0) * static_cast<int64_t>(sizeof(float));
    return outputs > target.l2_bytes * planned_threads(target) &&
           weight_bytes(stage) / stage.groups * 4 <= target.l1_bytes * 3;
}

// A tile of few accumulators stores few lines at once while the next one multiplies (3x3 of 3 -> 64 channels at 224 x
// 224: 4 x 3 takes 0.94 of the time of 2 x 14, 4 x 4 0.98, 4 x 6 1.02; but 1 x 12 1.07 of that of 1 x 29).
std::optional<RegisterTile> tile_that_streams(const StageGroup &group, const Target &target) {
    constexpr RegisterTile tile{4, 3}, usual{4, 6};
    if (!streams_outputs(group, target) || !fits_registers(usual, target)) return std::nullopt;
    const bool whole = group_channels(group.stage(0)) % (tile.vectors * target.vector_lanes()) == 0;
    if (!whole || grouped_output(group)[view_width].extent < tile.columns) return std::nullopt;
    return tile;
}

// A narrower tile where that leaves out far more taps: 33 columns under dilation 18 in tiles of 3, not of 11 (6.3
// to 5.4 ms for 512 -> 256 channels), or divides better between the threads: 196 pixels in 14 tiles of 14, not 7 of 28.
RegisterTile tile_of_channels(const StageGroup &group, bool share_lines, const Target &target) {
    constexpr double least_gain = 0.93;
    const int64_t channels = group_channels(group.stage(0)), width = grouped_output(group)[view_width].extent;
    const int64_t between = bytes_between_pixels(group);
    if (const auto tile = tile_that_streams(group, target)) return *tile;
    RegisterTile best = best_register_tile(channels, width, target, 1, 6, between);
    const auto cycles = [&](const RegisterTile &tile) {
        return tile_cycles(tile, channels, width, 1, target) * share_of_taps(group, view_width, tile.columns) *
               set_conflicts(tile.columns, between, target) * imbalance(group, share_lines, tile.columns, target);
    };
    const double usual = cycles(best);
    const int64_t most_vectors = std::min<int64_t>(4, ceil_divided(channels, target.vector_lanes()));
    for (RegisterTile tile{1, 1}; tile.vectors <= most_vectors; tile.vectors++) {
        for (tile.columns = 1; tile.columns < width && fits_registers(tile, target); tile.columns++) {
            if (cycles(tile) < std::min(least_gain * usual, cycles(best))) best = tile;
        }
    }
    return best;
}

// What a group's channels of a pixel take of a cache. Where pixels lie whole pages apart, they share its sets with what
// lies between them (3x3 stride 2 of 16 groups of 64 channels at 28 x 28, by pixels: 1.65 to 1.48 ms).
int64_t bytes_of_pixel(const StageGroup &group, bool pixel_vectors) {
    constexpr int64_t page = 4096;
    const Stage &stage = group.stage(0);
    const int64_t between = activation_view(group.input(), stage.groups, false)[view_width].stride * 4;
    const bool in_place = !copies_input(group, pixel_vectors) && channels_last(group.input().layout);
    return in_place && between % page == 0 ? between : stage.in_channels / stage.groups * 4;
}

// Whether all channels of a pixel tile come before the next pixels. A panel of weights that stays in L2 is read once
// and the pixels stream past it; else the other way round. So do pixels that do not stay where all weights would: with
// stride 2, 128 channels at 56 x 56, 1.13 to 1.00 ms. (A 1x1 layer reads its pixels in their order, which costs
// nothing.)
bool prefers_pixels_outside(const StageGroup &group, const Schedule &schedule, int64_t tiles, const Target &target) {
    const Stage &stage = group.stage(0);
    const bool of_pixels = has_pixel_vectors(schedule);
    if (streams_outputs(group, target)) return true;
    const double share = share_of_tile_taps(group, of_pixels ? 1 : *schedule.knob("columns"), 1);
    const int64_t panel = weight_bytes(stage) / stage.groups / tiles;
    if (share * static_cast<double>(panel) > 0.5 * static_cast<double>(target.l2_bytes)) return true;
    const int64_t channel_parts = *schedule.knob("channel_parts"), parts = *schedule.knob("parts");
    const int64_t weights = weight_bytes(stage) / stage.groups / channel_parts;
    const View input = activation_view(group.input(), stage.groups, false);
    const int64_t pixels = bytes_of_pixel(group, of_pixels) * input[view_width].extent * input[view_height].extent *
                           input[view_depth].extent / parts;
    return stage.kernel_volume() > 1 && tiles > channel_parts && weights * 5 < target.l2_bytes * 3 &&
           pixels * 5 > target.l2_bytes * 3;
}

// Vectors of pixels and single channels. Loads are aligned only where rows are one.
double pixel_load(const StageGroup &group, const Target &target) {
    return flattens(group) ? 1 : unaligned_load(stage_axis(group.stage(0), view_width).stride, target);
}

RegisterTile tile_of_pixels(const StageGroup &group, const Target &target) {
    const int64_t width = grouped_output(group)[view_width].extent;
    const int64_t whole_vectors = width / target.vector_lanes();
    return best_register_tile(width, group_channels(group.stage(0)), target, pixel_load(group, target), whole_vectors);
}

// Whether vectors of pixels, stored whole, take less time than vectors of channels.
bool prefers_pixel_vectors(const StageGroup &group, bool share_lines, const Target &target) {
    if (!allows_pixel_vectors(group, target)) return false;
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const int64_t channels = group_channels(stage), width = output[view_width].extent;
    const int64_t products = stage.in_channels / stage.groups * stage.kernel_volume();
    const auto sum = static_cast<double>(products);
    const double by_pixels =
        sum * tile_cycles(tile_of_pixels(group, target), width, channels, pixel_load(group, target), target);
    const double by_channels =
        sum * tile_cycles(tile_of_channels(group, share_lines, target), channels, width, 1, target);
    return by_pixels < by_channels + scatter_cycles(output, target);
}

// The register tile: as knobs, and its vectors and broadcasts, whichever those are.
std::pair<Schedule, RegisterTile> default_tile(const StageGroup &group, bool share_lines, const Target &target) {
    if (prefers_pixel_vectors(group, share_lines, target)) {
        const RegisterTile tile = tile_of_pixels(group, target);
        return {{"direct", {{"pixel_vectors", 1}, {"vectors", tile.columns}, {"columns", tile.vectors}}}, tile};
    }
    const RegisterTile tile = tile_of_channels(group, share_lines, target);
    Schedule schedule{"direct", {{"vectors", tile.vectors}, {"columns", tile.columns}}};
    if (allows_pixel_vectors(group, target)) schedule.knobs.insert(schedule.knobs.begin(), {"pixel_vectors", 0});
    return {schedule, tile};
}

// All outputs of such a register tile, on one thread.
double cycles_of_sums(const KernelRequest &request) {
    const StageGroup &group = request.group;
    const Schedule &schedule = request.schedule;
    const View output = grouped_output(group);
    const Stage &stage = group.stage(0);
    const bool of_pixels = has_pixel_vectors(schedule);
    RegisterTile tile{*schedule.knob("vectors"), *schedule.knob("columns")};
    const double products = static_cast<double>(input_channels(stage) * stage.kernel_volume()) *
                            share_of_tile_taps(group, of_pixels ? 1 : tile.columns, 1);
    int64_t channels = group_channels(stage), width = modelled_extent(output, view_width);
    double vector_load = 1, conflicts = set_conflicts(tile.columns, bytes_between_pixels(group), request.target);
    if (of_pixels) {
        std::swap(tile.vectors, tile.columns);
        std::swap(channels, width);
        vector_load = pixel_load(group, request.target);
        conflicts = 1;
    }
    const bool scatters = !of_pixels && output[view_channel].stride != 1;
    const double storing = scatters ? scatter_cycles(output, request.target) / request.target.vector_lanes()
                                    : output_cycles(request.target);
    const double an_output =
        products * conflicts * lane_cycles(tile, channels, width, vector_load, request.target) + storing;
    return modelled_outputs(output) * an_output;
}

// Of one thread, for the strips that the tasks copy, and for weights that do not stay in L2 and that every part of the
// pixels reads.
double cycles_of_parts(const StageGroup &group, bool pixel_vectors, int64_t parts, int64_t channel_parts,
                       const Target &target) {
    // Of groups that do not fill a vector, each has vectors of its own (3x3 of 8 groups of 8 at 28 x 28).
    constexpr double whole_vector = 2, part_of_vector = 16;
    const Stage &stage = group.stage(0);
    const bool whole = stage.groups == 1 || stage.in_channels / stage.groups >= target.vector_lanes();
    double cycles = 0;
    if (copies_input(group, pixel_vectors)) {
        const double copies =
            static_cast<double>(parts * channel_parts * modelled_extent(grouped_output(group), view_batch));
        cycles += (whole ? whole_vector : part_of_vector) * copies *
                  strip_elements(stage, outputs_of_part(grouped_output(group), parts)) / target.vector_lanes();
    }
    return cycles + reading_again_cycles(weight_bytes(stage), parts, target.l2_bytes / 2);
}

Schedule default_of_convolution(const StageGroup &group, bool share_lines, const Target &target) {
    if (in_tiles(group)) return default_tiles(group, target);
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const auto [schedule_of_tile, tile] = default_tile(group, share_lines, target);
    Schedule schedule = schedule_of_tile;
    const KernelRequest request{group, schedule, target};
    const int64_t tiles = channel_tiles(request);
    const bool of_pixels = has_pixel_vectors(schedule);

    // Where the weights are the big operand, each core takes a share of them; else a share of the rows.
    int64_t channel_parts = 1;
    const bool whole_tiles = group_channels(stage) % channel_tile(request) == 0;
    if (divides_channels(group) && whole_tiles) {
        const int64_t wanted =
            fine_parts(tiles, stage.groups * modelled_extent(output, view_batch), cycles_of_sums(request), target,
                       [&](int64_t cut) { return cycles_of_parts(group, of_pixels, 1, cut, target); });
        for (int64_t parts = 1; parts <= wanted; parts++) channel_parts = tiles % parts == 0 ? parts : channel_parts;
    }
    const int64_t others = modelled_extent(output, view_batch) * channel_parts * (share_lines ? 1 : stage.groups);
    const int64_t parts =
        fine_parts(pieces(output, pixel_tile(request)), others, cycles_of_sums(request), target,
                   [&](int64_t cut) { return cycles_of_parts(group, of_pixels, cut, channel_parts, target); });

    schedule.knobs.emplace_back("parts", parts);
    schedule.knobs.emplace_back("channel_parts", channel_parts);
    const bool outside = prefers_pixels_outside(group, schedule, tiles, target);
    schedule.knobs.emplace_back("pixels_outside", outside ? 1 : 0);
    schedule.knobs.emplace_back("unroll", default_unroll(stage.in_channels / stage.groups, tile));
    return schedule;
}

// Of all work, what the thread with the most tasks does.
double share_of_slowest_thread(const KernelRequest &request) {
    const StageGroup &group = request.group;
    if (in_tiles(group)) return 1.0 / static_cast<double>(planned_threads(request.target));
    const View output = grouped_output(group);
    const int64_t others =
        modelled_extent(output, view_batch) * *request.schedule.knob("channel_parts") * group.stage(0).groups;
    return share_of_slowest(pieces(output, pixel_tile(request)), *request.schedule.knob("parts"), others,
                            request.target);
}

}  // namespace

int64_t channel_tile(const KernelRequest &request) {
    const int64_t lanes = has_pixel_vectors(request.schedule) ? 1 : request.target.vector_lanes();
    return *request.schedule.knob("vectors") * lanes;
}

int64_t pixel_tile(const KernelRequest &request) {
    const int64_t lanes = has_pixel_vectors(request.schedule) ? request.target.vector_lanes() : 1;
    return *request.schedule.knob("columns") * lanes;
}

int64_t channel_tiles(const KernelRequest &request) {
    return ceil_divided(group_channels(request.group.stage(0)), channel_tile(request));
}

bool in_tiles(const StageGroup &group) {
    return has_runtime_space(grouped_output(group));
}

bool copies_input(const StageGroup &group, bool pixel_vectors) {
    const Stage &stage = group.stage(0);
    return in_tiles(group) || (has_padding(stage) && (pixel_vectors || !pads_with_zeros(stage)));
}

bool copies_input(const KernelRequest &request) {
    return copies_input(request.group, has_pixel_vectors(request.schedule));
}

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    return with_stages_knob(group, knobs_of_convolution(convolution_of(group), target));
}

std::optional<Conflict> conflict(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    const Schedule &schedule = request.schedule;
    RegisterTile tile{*schedule.knob("vectors"), *schedule.knob("columns")};
    const Stage &stage = request.group.stage(0);
    if (has_pixel_vectors(schedule)) {
        std::swap(tile.vectors, tile.columns);
        if (pixel_tile(request) > grouped_output(request.group)[view_width].extent) {
            return Conflict{ConflictKind::shape, "columns vectors of pixels exceed a row"};
        }
    } else if (tile.vectors > ceil_divided(group_channels(stage), request.target.vector_lanes())) {
        return Conflict{ConflictKind::shape, "vectors exceed the channels of a group"};
    }
    if (!fits_registers(tile, request.target))
        return Conflict{ConflictKind::registers, "the tile and its operands exceed the vector registers"};
    const int64_t channel_parts = schedule.knob("channel_parts").value_or(1);
    if (channel_tiles(request) % channel_parts != 0)
        return Conflict{ConflictKind::division, "channel_parts does not divide the number of channel tiles"};
    if (channel_parts > 1 && group_channels(stage) % channel_tile(request) != 0) {
        return Conflict{ConflictKind::division, "channel_parts needs channel tiles without a tail"};
    }
    if (stage.in_channels / stage.groups % *schedule.knob("unroll") != 0) {
        return Conflict{ConflictKind::division, "unroll does not divide the input channels of a group"};
    }
    if (!copies_input(request)) return std::nullopt;
    const int64_t channels = stage.in_channels / stage.groups;
    if (in_tiles(request.group)) {
        const int64_t columns = *schedule.knob("row_tiles") * pixel_tile(request);
        return conflict_of(ConflictKind::memory, strip_refusal(stage, {columns, *schedule.knob("rows"), 1}, channels));
    }
    return conflict_of(
        ConflictKind::memory,
        strip_refusal(stage, outputs_of_part(grouped_output(request.group), *schedule.knob("parts")), channels));
}

bool streams_faster_than_depthwise(const StageGroup &group, const Target &target) {
    return tile_that_streams(group, target).has_value();
}

bool stored_groups_share_lines(const StageGroup &whole) {
    const StageGroup group = convolution_of(whole);
    if (groups_share_lines(group)) return true;
    return group.stage(0).groups > 1 && channels_last(whole.output().layout) &&
           folded_shuffle(whole).fold == FoldedShuffle::Fold::output_strides;
}

// Only `direct` and `grouped` fold a shuffle in (3x3 of 8 groups, 64 -> 128 channels at 28 x 28, and a shuffle: 0.095
// ms; by winograd, and the shuffle alone: 0.055).
std::optional<std::string> reluctance(const StageGroup &whole, const Target &target) {
    if (whole.count == 1) return std::nullopt;
    const StageGroup group = convolution_of(whole);
    const double saved = winograd::saved_work({whole.layer, group.first, 1}, target);
    if (saved <= shuffling_work(modelled_outputs(grouped_output(group)), target)) return std::nullopt;
    return "winograd, and the shuffle alone, would take less time";
}

double time(const StageGroup &whole, const Target &target) {
    const StageGroup group = convolution_of(whole);
    const int64_t channels = group_channels(group.stage(0));
    if (in_tiles(group)) {
        return lane_cycles(best_register_tile(channels, many_pixels, target), channels, many_pixels, 1, target);
    }
    const int64_t width = grouped_output(group)[view_width].extent;
    const auto [schedule, tile] = default_tile(group, stored_groups_share_lines(whole), target);
    if (has_pixel_vectors(schedule)) return lane_cycles(tile, width, channels, pixel_load(group, target), target);
    return lane_cycles(tile, channels, width, 1, target);
}

std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob) {
    const StageGroup group = convolution_of(so_far.group);
    if (knob.name != "columns") return usual_values(so_far, knob);
    const int64_t width = modelled_extent(grouped_output(group), view_width);
    const int64_t channels = group_channels(group.stage(0));
    const int64_t vectors = *so_far.schedule.knob("vectors");
    if (!has_pixel_vectors(so_far.schedule)) return good_columns(vectors, knob, channels, width, so_far.target);
    // Vectors of pixels and single channels: the two change places.
    std::vector<int64_t> values;
    for (int64_t columns = knob.low; columns <= knob.high; columns++) {
        const std::vector<int64_t> good =
            good_columns(columns, {"", "", vectors, vectors}, width, channels, so_far.target);
        if (!good.empty()) values.push_back(columns);
    }
    return values;
}

double cycles(const KernelRequest &whole) {
    const KernelRequest request = convolution_of(whole);
    return cycles_of_sums(request) * share_of_slowest_thread(request);
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    return with_stages_knob(group,
                            default_of_convolution(convolution_of(group), stored_groups_share_lines(group), target));
}

}  // namespace convc::direct
