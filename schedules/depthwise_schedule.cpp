// The knobs of `depthwise`, what limits them, and what the machine model chooses.
#include "schedules/depthwise_schedule.h"

#include <algorithm>
#include <limits>

#include "schedules/knob_values.h"
#include "schedules/machine_model.h"
#include "schedules/padding.h"
#include "schedules/single_stage.h"

namespace convc::depthwise {
namespace {

constexpr int64_t line_bytes = 64;      // of the cache
constexpr int64_t most_literals = 512;  // as most_unrolled_taps, of a constant kernel, whose taps are all in one body

// Whether the register tile may hold several rows.
bool tiles_rows(const StageGroup &group, const Target &target) {
    if (vectors_of_channels(group, target)) return false;
    return uses_strip(group, target) || reads_rows_in_place(group, target) ||
           !is_padded(stage_axis(group.stage(0), view_height));
}

// Whether parts overlap, the last one shifted inwards, so that two tasks may compute a pixel in two places of a
// register tile of so many pixels along the axis that is cut. They would race: at the border a select stands between
// product and sum, and LLVM orders the sums of a constant kernel by what neighbours share, so the two may be rounded
// differently.
bool parts_overlap(const View &output, int64_t parts, int64_t tile) {
    const int64_t extent = output[parallel_axis(output)].extent;
    const int64_t unit = parallel_axis(output) == view_width ? tile : 1;
    const int64_t piece = std::min(ceil_divided(ceil_divided(extent, unit), parts) * unit, extent);
    return tile > 1 && extent % piece != 0;
}

int64_t rows_of_part(const StageGroup &group, int64_t parts) {
    return outputs_of_part(output_view(group), parts)[view_height - view_width];
}

// A strip's size is constant only while each task needs the same channels of it, which a multiplier above 1 spoils.
bool cuts_channels(const StageGroup &group, const Target &target) {
    return !uses_strip(group, target) || group.stage(0).multiplier() == 1;
}

// Whether the pair takes fewer multiplications than the taps that are not zero.
bool pays_apart(const Stage &stage, const SeparableKernel &factors) {
    return nonzero_taps(factors.row) + nonzero_taps(factors.column) < nonzero_taps(*stage.weights);
}

void choose_separable(Schedule &schedule, const Stage &stage) {
    const auto factors = factors_of(stage);
    if (!factors) return;
    const bool always = stage.kernel_volume() > most_literal_taps;
    schedule.knobs.emplace_back("separable", always || pays_apart(stage, *factors) ? 1 : 0);
}

// Pixels of a row in the register tile.
int64_t tile_pixels(const StageGroup &group, const Target &target, int64_t columns) {
    return vectors_of_channels(group, target) ? columns : columns * lanes_of_sums(group, target);
}

// Pixels or rows of the register tile along the axis that is cut into parts.
int64_t tile_along_parts(const StageGroup &group, int64_t pixels, int64_t rows) {
    const ViewAxis axis = parallel_axis(output_view(group));
    return axis == view_width ? pixels : axis == view_height ? rows : 1;
}

// Register tiles that cover the output.
double tiles_of_layer(const KernelRequest &request) {
    const View output = output_view(request.group);
    const auto count = [&](ViewAxis axis, int64_t tile) {
        return static_cast<double>(ceil_divided(modelled_extent(output, axis), tile));
    };
    const int64_t lanes = vector_extent(request.group, request.target);
    const int64_t rows = request.schedule.knob("register_rows").value_or(1);
    const int64_t pixels = tile_pixels(request.group, request.target, *request.schedule.knob("columns"));
    return count(view_width, pixels) * count(view_height, rows) * count(view_depth, 1) * count(view_batch, 1) *
           count(view_channel, vectors_of_channels(request.group, request.target) ? lanes : 1);
}

double vectors_of_input(const KernelRequest &request) {
    const View input = activation_view(request.group.input(), 1, false);
    return modelled_outputs(input) / static_cast<double>(vector_extent(request.group, request.target));
}

// Modelled cycles of a register tile: its multiply-adds, what it loads (of neighbouring outputs, a row or a column of
// the input once), or the four cycles that each multiply-add of one output waits for the one before.
double tile_cycles_of(const KernelRequest &request) {
    constexpr double latency = 4, a_cycle = 2;
    const Stage &stage = request.group.stage(0);
    const int64_t columns = *request.schedule.knob("columns"),
                  rows = request.schedule.knob("register_rows").value_or(1);
    const bool of_channels = vectors_of_channels(request.group, request.target);
    const Axis x = stage_axis(stage, view_width), y = stage_axis(stage, view_height);
    const double turns = request.target.splits_vectors() ? 2 : 1;
    const auto sums = static_cast<double>(columns * rows);
    const double taps = static_cast<double>(stage.kernel_volume()) *
                        share_of_tile_taps(request.group, tile_pixels(request.group, request.target, columns), rows);
    double loads = sums * taps;
    const auto at_most = [&](int64_t of_taps, int64_t kernel) {
        loads = std::min(loads, static_cast<double>(of_taps) * taps / static_cast<double>(kernel));
    };
    if (of_channels) at_most(input_span(x, columns), x.kernel);
    if (shares_rows(stage, rows, columns * rows)) at_most(input_span(y, rows) * columns, y.kernel);
    const double load = of_channels ? 1 : unaligned_load(x.stride, request.target);
    const double weights = taps / (of_channels ? 1 : turns);  // of pixels, a broadcast
    const double work =
        std::max({sums * taps * turns / a_cycle, (loads * load + weights) * turns / a_cycle, taps * latency});
    return work + sums * output_cycles(request.target) * request.target.vector_lanes();
}

// Tasks of 8 rows of some 64 outputs, and of so many channels that their strip stays in half of L2.
Schedule default_tiles(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const std::vector<Knob> ranges = knobs(group, target);
    // Of vectors of pixels, fewer: a row may be short, and the tile has several rows.
    const bool several_rows = tiles_rows(group, target);
    const int64_t columns =
        std::min<int64_t>({ranges[0].high, several_rows ? 2 : 8,
                           std::max<int64_t>(most_unrolled_taps / stage_axis(stage, view_width).kernel, 1)});
    const int64_t pixels = tile_pixels(group, target, columns);
    const int64_t row_tiles = (64 + pixels - 1) / pixels;
    const auto span = [&](ViewAxis axis, int64_t outputs) { return input_span(stage_axis(stage, axis), outputs); };
    const int64_t plane = span(view_width, row_tiles * pixels) * span(view_height, 8) * span(view_depth, 1) * 4;
    const int64_t strips = (plane * stage.in_channels * 2 + target.l2_bytes - 1) / target.l2_bytes;
    Schedule schedule{"depthwise",
                      {{"columns", columns},
                       {"row_tiles", row_tiles},
                       {"rows", 8},
                       {"channel_parts", std::clamp<int64_t>(strips, 1, ranges[3].high)},
                       {"channels_outside", 0}}};
    if (several_rows) schedule.knobs.emplace_back("register_rows", output_view(group)[view_height].extent == 1 ? 1 : 4);
    return schedule;
}

// The whole row where it fits beside a row of the kernel, for then no pixel asks whether it lies at an end (3x3 at 14 x
// 14, 512 channels: 0.0125 ms for 0.0130, and 0.0165 for 0.0181 where inputs and outputs fall into the same sets of
// L1); else some 8. The row's last tile is shifted inwards: prefer a tile that wastes nothing, and whose taps in
// padding can be left out for that (33 columns under dilation 12: 11 take half the time that 8 take). Under a stride or
// a long dilation, where neighbours share few loads, 4: more of them wait for L2 at a time (3x3 stride 2 at 112 x 112
// on Sapphire Rapids: 64 channels 0.94, 96 channels 0.92 of the time of 8, 128 at 56 x 56 0.91 of that of 7; dilation
// 12 at 33 x 33 with 3 columns 0.82 of that of 11, dilation 4 at 28 x 28 with 4 columns 0.87 of that of 14).
int64_t default_columns(int64_t row, const Axis &axis, int64_t most, const Target &target) {
    if (row <= most && row + axis.kernel + 1 <= target.vector_registers()) return row;
    const int64_t usual = std::min<int64_t>(most, axis.stride > 1 || axis.dilation >= 4 ? 4 : 8);
    for (int64_t columns = usual; columns > usual / 2; columns--) {
        if (row % columns == 0) return columns;
    }
    for (int64_t columns = usual + 1; columns <= most; columns++) {
        if (row % columns == 0 && fits_registers({1, columns}, target)) return columns;
    }
    return usual;
}

struct PixelTile {
    int64_t vectors = 1;
    int64_t rows = 1;
};

// The tile of vectors x rows of a plane with the fewest cycles: those that fewer than 8 accumulators wait for one
// another, and what the last tiles compute twice. Of equals one vector of the most rows, which share inputs (3x3 at 112
// x 112: 0.052 ms with 1 x 7, 0.10 with 7 x 4); under a stride, where an input takes two loads and a shuffle, the
// fewest, of at most 8 rows (3x3 stride 2 at 112 x 112: 0.079 ms with 1 x 4, 0.12 with 3 x 4; 128 channels at 56 x 56
// with 7 rows 0.74 of the time of 14). Half of the registers are left to a column of weights and inputs that rows share
// (with 16 of them 3x3 at 28 x 28 takes with 7 rows 0.58 of the time of 14, 5x5 0.76). In place, where the tiles at the
// ends of a row and of a plane take longer, one vector, and 4 rows of a small kernel (3x3 stride 2 at 112 x 112: 0.051
// ms with 1 x 4, 0.071 with 2 x 4, 0.065 with 1 x 8; 5x5: 0.24 with 1 x 4, 0.18 with 1 x 8).
PixelTile default_pixel_tile(const StageGroup &group, int64_t rows, int64_t most_vectors, const Target &target) {
    constexpr int64_t independent_sums = 8;  // two FMAs a cycle, each done after 4
    const Stage &stage = group.stage(0);
    const Axis axis = stage_axis(stage, view_width);
    const int64_t width = output_view(group)[view_width].extent, lanes = lanes_of_sums(group, target);
    const int64_t taps = is_literal(stage) ? nonzero_taps(*stage.weights) : axis.kernel;  // in one body
    const int64_t most_taps = is_literal(stage) ? most_literals : most_unrolled_taps;
    const bool in_place = reads_rows_in_place(group, target);
    const bool low = in_place && stage_axis(stage, view_height).kernel <= 3;
    const int64_t most_rows = std::min<int64_t>(rows, low ? 4 : axis.stride > 1 ? 8 : 16);
    if (in_place) most_vectors = 1;
    PixelTile best;
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int64_t vectors = 1; vectors <= most_vectors; vectors++) {
        for (int64_t tile_rows = 1; tile_rows <= most_rows; tile_rows++) {
            const int64_t sums = vectors * tile_rows;
            const bool shared = shares_rows(stage, tile_rows, sums), one_body = sums * taps <= most_taps || shared;
            const bool fits = fits_registers({1, sums}, target) && (!shared || sums <= target.vector_registers() / 2);
            if (sums > 1 && (!fits || !one_body)) break;
            const int64_t tiles = ceil_divided(width, vectors * lanes) * ceil_divided(rows, tile_rows);
            const int64_t cycles = tiles * std::max(sums, independent_sums);
            if (cycles > least || (cycles == least && (axis.stride > 1 || vectors > best.vectors))) continue;
            least = cycles;
            best = {vectors, tile_rows};
        }
    }
    return best;
}

// Of a wide kernel most taps meet the border somewhere, which the copy has (96 channels at 56 x 56: 31x31 3.3 ms in
// place, 1.5 copied; 192 channels at 28 x 28: 13x13 0.18 and 0.14). Else where rows far apart drive each other out,
// because L2 does not hold what lies between them (3x3 dilation 12 of 256 channels at 33 x 33, on Sapphire Rapids with
// 2 MB of it: 0.042 ms in place, 0.087 copied).
bool prefers(const Schedule &copied, const StageGroup &group, const Target &target) {
    constexpr int64_t many_taps = 100;
    const Stage &stage = group.stage(0);
    const View input = activation_view(group.input(), 1, false);
    const int64_t span = input_span(stage_axis(stage, view_height), 1) * input[view_height].stride * 4;
    if (gathers_channels(group, target)) return true;
    if (stage.kernel_volume() >= many_taps && copies_border({group, copied, target})) return true;
    return shares_sets(group) && (stage.kernel_volume() >= many_taps || span > target.l2_bytes / 2);
}

// All outputs, on one thread.
double cycles_of_sums(const KernelRequest &request) {
    // A vector of the input is loaded and stored.
    constexpr double copied = 2;
    const double copies = request.schedule.knob("copies") == 1 ? copied * vectors_of_input(request) : 0;
    return tiles_of_layer(request) * tile_cycles_of(request) + copies;
}

// As fine as costs nothing; or fewer, where those would overlap.
int64_t parts_of_rows(const StageGroup &group, int64_t others, int64_t unit, double cycles, const Target &target) {
    const View output = output_view(group);
    const int64_t rows = output[parallel_axis(output)].extent;
    int64_t parts = fine_parts(rows, others, cycles, target);
    if (parts_overlap(output, parts, unit)) parts = balanced_parts(rows, others, target);
    while (parts_overlap(output, parts, unit)) parts--;
    return parts;
}

// Whether a vector of channels is best computed at all pixels before the next: where the lines of its plane stay in L1,
// or nearly, so that each row is loaded once for all taps of a column. Lines that fall into few sets leave less room,
// and many taps make up for what is loaded again. On Sapphire Rapids: 3x3 at 7 x 7, 14 x 14 and 28 x 28 0.51, 0.76 and
// 0.88 of the time, 5x5 0.57, 0.74 and 0.76, 7x7 at 14 x 14 0.8, 7x7 at 56 x 56 0.87; but 3x3 at 56 x 56 1.6, of 256
// channels at 28 x 28 1.15, and 7x7 of 128 channels at 56 x 56 1.3. Vectors of half a line load every line twice: with
// 8 lanes 3x3 at 7 x 7 takes 0.75, at 14 x 14 1.2.
bool prefers_planes(const StageGroup &group, const Target &target) {
    constexpr int64_t many_taps = 49;
    const Stage &stage = group.stage(0);
    if (!vectors_of_channels(group, target) || uses_strip(group, target) || stage.multiplier() > 1) return false;
    const View input = activation_view(group.input(), 1, false);
    const int64_t lines = input[view_width].extent * input[view_height].extent * input[view_depth].extent;
    double most = 1.25 * static_cast<double>(target.l1_bytes);
    if (stage.kernel_volume() >= many_taps) most *= 4;
    if (shares_sets(group)) most /= 4;
    if (int64_t{target.vector_lanes()} * 4 < line_bytes) most /= 10;
    return static_cast<double>(lines * line_bytes) <= most;
}

// Of a row of a plane, where a row is loaded once: as many as waste least, and of those the most (11x11 to 31x31 at 14
// x 14 to 56 x 56, copied, on Sapphire Rapids: 14 columns take 0.75 to 0.95 of the time of 7 or 8; 5x5 and 7x7 at 28 x
// 28, in place, 0.75). Half of the registers are left to inputs that taps share: with 16 of them 14 columns take 1.1
// to 1.3 of the time of 7.
int64_t columns_of_plane(int64_t row, const Axis &axis, int64_t most_taps, const Target &target) {
    constexpr int64_t fewest = 7;  // sums, or they would wait for one another
    int64_t best = std::min(row, fewest);
    for (int64_t columns = best; columns <= std::min<int64_t>(row, target.vector_registers() / 2); columns++) {
        if (columns * axis.kernel > most_taps) break;
        if (ceil_divided(row, columns) * columns <= ceil_divided(row, best) * best) best = columns;
    }
    return best;
}

// A vector of channels at all pixels before the next; of a copy, each task has its own. Parts are of channels, and of
// rows too where there are few of those. In place they are of rows alone where these fall into equal parts and channels
// do not (240 channels in vectors of 16 at 14 x 14: 15 by two), or where channels are no whole lines, for tasks would
// write to the same ones (200 channels at 14 x 14 in vectors of 8: 3 times the time).
Schedule by_planes(Schedule schedule, const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const int64_t line = std::max<int64_t>(vector_extent(group, target), line_bytes / 4);
    const int64_t channels = output[view_channel].extent, batch = modelled_extent(output, view_batch);
    const int64_t rows = output[parallel_axis(output)].extent;
    const int64_t unit = tile_along_parts(group, *schedule.knob("columns"), 1);
    for (const char *name : {"parts", "channel_parts", "channels_outside"}) set_knob(schedule, name, 1);
    const double cycles = cycles_of_sums({group, schedule, target});
    const bool whole_lines = channels % line == 0;
    const int64_t channel_parts = whole_lines ? fine_parts(channels / line, batch, cycles, target) : 1;
    const double by_rows = share_of_slowest(rows, balanced_parts(rows, batch, target), batch, target);
    const double by_channels = whole_lines ? share_of_slowest(channels / line, channel_parts, batch, target) : 1;
    if (schedule.knob("copies") != 1 && (!whole_lines || by_rows < by_channels)) {
        set_knob(schedule, "parts", parts_of_rows(group, batch, unit, cycles, target));
        return schedule;
    }
    set_knob(schedule, "channel_parts", channel_parts);
    int64_t parts = balanced_parts(rows, channel_parts * batch, target);
    while (parts_overlap(output, parts, unit)) parts--;
    set_knob(schedule, "parts", parts);
    return schedule;
}

// The same in place.
Schedule in_planes(Schedule schedule, const StageGroup &group, const Target &target) {
    const Axis axis = stage_axis(group.stage(0), view_width);
    const int64_t row = output_view(group)[view_width].extent;
    const bool whole_rows = *schedule.knob("columns") == row;
    if (!whole_rows && axis.stride == 1 && axis.dilation == 1) {
        set_knob(schedule, "columns", columns_of_plane(row, axis, most_unrolled_taps, target));
    }
    return by_planes(schedule, group, target);
}

// The same of a copy.
Schedule with_copies(Schedule schedule, const StageGroup &group, const Target &target) {
    set_knob(schedule, "copies", 1);
    Schedule bordered = schedule;
    const int64_t row = output_view(group)[view_width].extent;
    const Axis axis = stage_axis(group.stage(0), view_width);
    set_knob(bordered, "columns", columns_of_plane(row, axis, most_copied_taps, target));
    if (copies_border({group, bordered, target})) schedule = bordered;
    return by_planes(schedule, group, target);
}

Schedule default_parts(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const std::vector<Knob> ranges = knobs(group, target);
    const Axis axis = stage_axis(group.stage(0), view_width);
    const int64_t most_columns = std::min(ranges[0].high, std::max<int64_t>(most_unrolled_taps / axis.kernel, 1));
    const int64_t row = vectors_of_channels(group, target) ? int64_t{output[view_width].extent} : ranges[0].high;
    const int64_t columns = default_columns(row, axis, most_columns, target);
    Schedule schedule{"depthwise", {{"columns", columns}, {"parts", 1}, {"channel_parts", 1}, {"channels_outside", 0}}};
    if (may_copy_vectors(group, target)) schedule.knobs.emplace_back("copies", 0);
    const int64_t parts = parts_of_rows(group, modelled_extent(output, view_batch),
                                        tile_along_parts(group, tile_pixels(group, target, columns), 1),
                                        cycles_of_sums({group, schedule, target}), target);
    const int64_t wanted = (planned_threads(target) + parts - 1) / parts;
    const int64_t channel_parts = std::min(wanted, ranges[2].high);
    set_knob(schedule, "parts", parts);
    set_knob(schedule, "channel_parts", channel_parts);
    if (may_copy_vectors(group, target)) {
        const Schedule copied = with_copies(schedule, group, target);
        if (prefers(copied, group, target)) return copied;
    }
    return prefers_planes(group, target) ? in_planes(schedule, group, target) : schedule;
}

// Vectors of pixels: parts are of channels, whose planes share nothing, as far as there are enough of them.
Schedule default_planes(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const std::vector<Knob> ranges = knobs(group, target);
    const int64_t batch = modelled_extent(output, view_batch);
    const int64_t channel_parts = std::min(balanced_parts(output[view_channel].extent, batch, target), ranges[2].high);
    int64_t parts = balanced_parts(output[parallel_axis(output)].extent, batch * channel_parts, target);
    const PixelTile tile = default_pixel_tile(group, rows_of_part(group, parts), ranges[0].high, target);
    const int64_t pixels = tile_pixels(group, target, tile.vectors);
    while (parts_overlap(output, parts, tile_along_parts(group, pixels, tile.rows))) parts--;
    Schedule schedule{"depthwise",
                      {{"columns", tile.vectors},
                       {"parts", parts},
                       {"channel_parts", channel_parts},
                       {"channels_outside", 0},
                       {"register_rows", tile.rows}}};
    if (parts > 1) return schedule;
    const double cycles = cycles_of_sums({group, schedule, target});
    const int64_t fine = fine_parts(output[view_channel].extent, batch, cycles, target);
    set_knob(schedule, "channel_parts", std::min(fine, ranges[2].high));
    return schedule;
}

}  // namespace

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    const View output = output_view(group);
    const int64_t lanes = lanes_of_sums(group, target);
    const bool channels = vectors_of_channels(group, target);
    const int64_t columns = channels ? width_of(output) : width_of(output) / lanes;
    std::vector<Knob> all{{"columns", "outputs of a row (pixels, or vectors of pixels) in the register tile", 1,
                           std::min<int64_t>(std::max<int64_t>(columns, 1), 16)}};
    if (in_tiles(group)) {
        all.push_back({"row_tiles", "register tiles in a row of a task", 1, 64});
        all.push_back({"rows", "rows of a task", 1, 64});
    } else {
        all.push_back(
            {"parts", "parallel parts of the outermost spatial axis", 1, output[parallel_axis(output)].extent});
    }
    const int64_t vectors = output[view_channel].extent / (channels ? lanes : 1);
    all.push_back({"channel_parts", "parallel parts of the channels", 1,
                   cuts_channels(group, target) ? std::max<int64_t>(vectors, 1) : 1});
    all.push_back({"channels_outside", "1: a vector of channels at all pixels before the next", 0, 1});
    if (may_copy_vectors(group, target)) {
        all.push_back({"copies", "1: a vector of channels of the input is copied, so that its pixels lie together",
                       gathers_channels(group, target) ? 1 : 0, 1});
    }
    if (tiles_rows(group, target)) {
        const Size &height = output[view_height].extent;
        const bool limited = height.known() && !in_tiles(group);
        all.push_back(
            {"register_rows", "rows of outputs in the register tile", 1, limited ? std::min<int64_t>(height, 16) : 16});
    }
    if (factors_of(group.stage(0))) {
        const bool always = group.stage(0).kernel_volume() > most_literal_taps;
        all.push_back({"separable", "1: the constant kernel as a row, then a column", always ? 1 : 0, 1});
    }
    return all;
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Schedule &schedule = request.schedule;
    const StageGroup &group = request.group;
    const Stage &stage = group.stage(0);
    const int64_t columns = *schedule.knob("columns");
    const int64_t register_rows = schedule.knob("register_rows").value_or(1);
    if (!fits_registers({1, columns * register_rows}, request.target)) {
        return Conflict{ConflictKind::registers, tiles_rows(group, request.target)
                                                     ? "columns * register_rows + 2 exceed the vector registers"
                                                     : "columns + 2 exceed the vector registers"};
    }
    if (schedule.knob("copies") == 1 && schedule.knob("channels_outside") == 0) {
        return Conflict{ConflictKind::knobs,
                        "copies needs channels_outside, for the copy is of one vector of channels"};
    }
    if (in_tiles(group) && *schedule.knob("rows") % register_rows != 0)
        return Conflict{ConflictKind::division, "register_rows does not divide rows"};
    const int64_t pixels = tile_pixels(group, request.target, columns);
    if (!in_tiles(group)) {
        const int64_t parts = *schedule.knob("parts");
        if (register_rows > rows_of_part(group, parts))
            return Conflict{ConflictKind::shape, "register_rows exceeds the rows of a part"};
        if (parts_overlap(output_view(group), parts, tile_along_parts(group, pixels, register_rows))) {
            return Conflict{ConflictKind::rounding,
                            "parts overlap, and a sum may be rounded otherwise elsewhere in a tile"};
        }
    }
    if (!uses_strip(group, request.target)) return std::nullopt;
    const int64_t channels =
        copies_planes(group, request.target) ? 1 : ceil_divided(stage.in_channels, *schedule.knob("channel_parts"));
    if (!in_tiles(group)) {
        return conflict_of(
            ConflictKind::memory,
            strip_refusal(stage, outputs_of_part(output_view(group), *schedule.knob("parts")), channels));
    }
    return conflict_of(
        ConflictKind::memory,
        strip_refusal(stage, {*schedule.knob("row_tiles") * pixels, *schedule.knob("rows"), 1}, channels));
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    Schedule schedule = in_tiles(group)             ? default_tiles(group, target)
                        : tiles_rows(group, target) ? default_planes(group, target)
                                                    : default_parts(group, target);
    choose_separable(schedule, group.stage(0));
    return schedule;
}

double cycles(const KernelRequest &request) {
    const StageGroup &group = request.group;
    const Schedule &schedule = request.schedule;
    const View output = output_view(group);
    double share = 1.0 / static_cast<double>(planned_threads(request.target));
    if (!in_tiles(group)) {
        const int64_t rows = schedule.knob("register_rows").value_or(1);
        const int64_t pixels = tile_pixels(group, request.target, *schedule.knob("columns"));
        const int64_t items =
            ceil_divided(modelled_extent(output, parallel_axis(output)), tile_along_parts(group, pixels, rows));
        share = share_of_slowest(items, *schedule.knob("parts"),
                                 modelled_extent(output, view_batch) * *schedule.knob("channel_parts"), request.target);
    }
    return share * cycles_of_sums(request);
}

}  // namespace convc::depthwise
