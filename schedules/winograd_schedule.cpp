#include "schedules/winograd_schedule.h"

#include <algorithm>
#include <limits>

#include "schedules/knob_values.h"
#include "schedules/machine_model.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"
#include "schedules/winograd_cost.h"

namespace convc::winograd {
namespace {

constexpr int64_t most_tiles = 30;  // in a register tile
constexpr int64_t most_outputs = 6;
constexpr int64_t most_l2 = 3;  // a block takes no more times L2 than that

// Points along an axis that round no more than the precision allows, if both axes have more than one or one alone.
// Measured against a sequential sum (tests/kernels/winograd_test.cpp): 6 x 6 points have up to 1.8 times its error, 7 x
// 7 of F(2, 6) 3.1 times, 8 x 8 of F(6, 3) 7 times. 9 points need two sums over channels, and depth taps lengthen them.
int64_t most_points(const Stage &stage, const Tiling &tiles) {
    if (tiles.x.taps == 1 || tiles.y.taps == 1) return stage_axis(stage, view_depth).kernel > 1 ? 8 : 9;
    return stage.precision == Precision::fast ? 8 : 6;
}

bool is_transposed(const Stage &stage) {
    return stage.kind == StageKind::transposed;
}

// Taps of a phase along an axis.
int64_t taps_of(const Stage &stage, ViewAxis along) {
    const Axis axis = stage_axis(stage, along);
    return is_transposed(stage) ? ceil_divided(axis.kernel, axis.stride) : axis.kernel;
}

// Whether a row of so many outputs reads as many inputs, and zeros around them, through a tap for each pair of the two.
bool is_whole_row(const StageGroup &group, ViewAxis along, int64_t outputs) {
    const Stage &stage = group.stage(0);
    const Axis axis = stage_axis(stage, along);
    const View output = grouped_output(group), input = activation_view(group.input(), stage.groups, false);
    return !is_transposed(stage) && pads_with_zeros(stage) && outputs > 1 && axis.kernel == 2 * outputs - 1 &&
           axis.pad_before == (outputs - 1) * axis.dilation && output[along].extent == input[along].extent &&
           ceil_divided(output[along].extent, axis.dilation) == outputs;
}

class Search {
public:
    Search(const StageGroup &group, const Target &target) : group_(group), stage_(group.stage(0)), target_(target) {}

    Shape best() {
        for (int64_t outputs = 2; outputs <= most_outputs; outputs++) {
            if (!transform_conflict(group_, outputs))
                try_register_tiles({.outputs = outputs}, {group_, target_, outputs});
        }
        return best_;
    }

    // The same, of as many parts as cost nothing.
    Shape best_in_fine_parts() {
        best();
        const CostModel model(group_, target_, best_.outputs, CostModel::Unit::cycles);
        const auto threads = static_cast<double>(planned_threads(target_));
        // Parts of less than a block read the weights as often as whole blocks.
        const auto cycles_in = [&](int64_t parts) {
            Shape shape = best_;
            shape.parts = parts;
            return model.cycles(shape) * threads;
        };
        best_.parts = fine_parts(blocks_along_parts(best_, model), others(best_, model), cycles_in(best_.parts),
                                 target_, cycles_in);
        return best_;
    }

    double cycles() const { return best_cycles_; }

private:
    void try_register_tiles(Shape shape, const CostModel &model) {
        const Tiling &tiles = model.tiles();
        const int64_t vectors = ceil_divided(group_channels(stage_), target_.vector_lanes());
        for (shape.vectors = 1; shape.vectors <= std::min<int64_t>(vectors, 4); shape.vectors++) {
            // Wide before high: of what costs the same, the first is taken, and neighbours along a row lie together.
            for (shape.columns = std::min(tiles.x.tiles(), most_tiles); shape.columns > 0; shape.columns--) {
                for (shape.rows = 1; shape.rows <= tiles.y.tiles(); shape.rows++) {
                    if (!fits_registers({shape.vectors, shape.columns * shape.rows}, target_)) break;
                    try_blocks(shape, model);
                }
            }
        }
    }

    // Pieces of rows that stay in L1 where weights do, too; whole rows of tiles where they stay in L2 or do not exceed
    // it by much, else equal pieces of them; then as many rows as pay. Where there is one row, under dilation, small
    // pieces of it leave room in L2 for the outputs that wait for their places, if L3 is slow.
    void try_blocks(Shape shape, const CostModel &model) {
        const Tiling &tiles = model.tiles();
        const int64_t columns = ceil_divided(tiles.x.tiles(), shape.columns);
        int64_t last = 0;
        const int64_t smallest = model.weights_stay_in_l1(shape) ? target_.l1_bytes : target_.l2_bytes / 2;
        const bool gathers_a_line = tiles.x.interleaved > 1 && tiles.y.tiles() == 1 && target_.l3_is_mesh();
        const int64_t beside_outputs = gathers_a_line ? std::min(smallest, target_.l2_bytes / 16) : smallest;
        for (const int64_t most_bytes : {beside_outputs, smallest, target_.l2_bytes / 2, most_l2 * target_.l2_bytes}) {
            for (int64_t pieces = 1; pieces <= columns; pieces++) {
                shape.across = ceil_divided(columns, pieces) * shape.columns;
                shape.down = shape.rows;
                if (model.block_bytes(shape) <= most_bytes) break;
            }
            if (shape.across != last) try_rows(shape, model);
            last = shape.across;
        }
    }

    void try_rows(Shape shape, const CostModel &model) {
        const int64_t most_down = model.tiles().y.tiles() + shape.rows - 1;
        for (; shape.down <= most_down; shape.down += shape.rows) {
            if (shape.down > shape.rows && model.block_bytes(shape) > most_l2 * target_.l2_bytes) break;
            try_parts(shape, model);
        }
    }

    static int64_t blocks_along_parts(const Shape &shape, const CostModel &model) {
        const Tiling &tiles = model.tiles();
        const ViewAxis cut = parallel_axis(model.output());
        const auto pieces = [&](const TiledAxis &axis, int64_t block) {
            return axis.interleaved > 1 ? axis.tiles() / axis.interleaved : ceil_divided(axis.tiles(), block);
        };
        if (cut == view_width) return pieces(tiles.x, shape.across);
        return cut == view_height ? pieces(tiles.y, shape.down) : int64_t{model.output()[cut].extent};
    }

    int64_t others(const Shape &shape, const CostModel &model) const {
        return model.output()[view_batch].extent * groups_for_threads(group_) * shape.channel_parts;
    }

    void try_parts(Shape shape, const CostModel &model) {
        const int64_t blocks = blocks_along_parts(shape, model);
        const int64_t channel_tiles = ceil_divided(group_channels(stage_), shape.vectors * target_.vector_lanes());
        const int64_t most_parts = std::min(channel_tiles, planned_threads(target_));
        for (shape.channel_parts = 1; shape.channel_parts <= most_parts; shape.channel_parts++) {
            if (channel_tiles % shape.channel_parts != 0) continue;
            shape.parts = balanced_parts(blocks, others(shape, model), target_);
            const double cycles = model.cycles(shape);
            if (cycles < best_cycles_) best_ = shape, best_cycles_ = cycles;
        }
    }

    const StageGroup &group_;
    const Stage &stage_;
    const Target &target_;
    Shape best_;
    double best_cycles_ = std::numeric_limits<double>::max();
};

// Of the direct sum on all threads, which leaves out taps in padding (direct.cpp, transposed.cpp).
double direct_cycles(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const int64_t pixels =
        output[view_width].extent * output[view_height].extent * output[view_depth].extent * output[view_batch].extent;
    int64_t columns = output[view_width].extent;
    double taps = static_cast<double>(stage.kernel_volume());
    if (is_transposed(stage)) {
        const Axis ax = stage_axis(stage, view_width), ay = stage_axis(stage, view_height);
        columns = ceil_divided(columns, ax.stride);
        taps *= share_of_transposed_taps(group, view_height) / static_cast<double>(ax.stride * ay.stride);
    } else {
        taps *= share_of_tile_taps(group, 1, 1);
    }
    // Vectors of groups (grouped.cpp) are full where those of a group's channels are not: 3x3 of 32 groups of 8
    // channels at 28 x 28, with 16 lanes, 0.71 of Winograd's time. Winograd's halves of vectors, where those are as
    // fast, are full as well.
    const bool of_groups = prefers_vectors_of_groups(stage, target) && !target.splits_vectors();
    const int64_t channels = of_groups ? target.vector_lanes() : group_channels(stage);
    double cycles = tile_cycles(best_register_tile(channels, columns, target), channels, columns, 1, target);
    if (is_transposed(stage) && columns >= target.vector_lanes()) {
        // In vectors of pixels; as transposed.cpp prefers them.
        const RegisterTile tile = best_register_tile(columns, std::min<int64_t>(channels, 6), target);
        cycles = std::min(cycles, 2 * tile_cycles(tile, columns, channels, 1, target));
    }
    const double products =
        taps * static_cast<double>(pixels) * static_cast<double>(stage.out_channels * input_channels(stage));
    const auto threads = static_cast<double>(planned_threads(target));
    cycles *= products / static_cast<double>(target.vector_lanes()) / threads;
    const auto weights = static_cast<double>(weight_bytes(stage));
    return cycles +
           waiting_for_l3(weights > static_cast<double>(target.l2_bytes) ? weights / threads : 0, cycles, target);
}

// Transposed layers that have better schedules as written than the model thinks: where phases have unequal taps, which
// tiles fill with zeros (3x3 stride 2 of 128 channels to 64 at 32 x 32, channels last, on Sapphire Rapids: 1.16 is
// promised, and there is 0.82; 64 to 32 at 64 x 64, channels first: 1.05 and 0.74), and where channels leave most of a
// vector empty (64 to 3 with 8 lanes: 0.55).
bool promises_more_than_it_gives(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    if (!is_transposed(stage)) return false;
    const auto unequal = [&](ViewAxis along) {
        const Axis axis = stage_axis(stage, along);
        return axis.kernel % axis.stride != 0;
    };
    return unequal(view_width) || unequal(view_height) || group_channels(stage) < target.vector_lanes();
}

}  // namespace

std::optional<Conflict> transform_conflict(const StageGroup &group, int64_t outputs) {
    const Tiling tiles(group, outputs);
    for (const TiledAxis &axis : {tiles.x, tiles.y}) {
        if (!WinogradTransform::exists(axis.outputs, axis.whole_row ? axis.outputs : axis.taps)) {
            return Conflict{ConflictKind::shape, "there is no transform of so many outputs"};
        }
    }
    const int64_t most = most_points(group.stage(0), tiles);
    if (tiles.x.points() > most || tiles.y.points() > most) {
        return Conflict{ConflictKind::rounding, "so many outputs round more than the layer's precision allows"};
    }
    return std::nullopt;
}

TiledAxis::TiledAxis(const StageGroup &group, ViewAxis along, int64_t tile_outputs)
    : taps(taps_of(group.stage(0), along)), transposed(is_transposed(group.stage(0))) {
    const Axis axis = stage_axis(group.stage(0), along);
    kernel = axis.kernel;
    phases = transposed ? axis.stride : 1;
    interleaved = taps > 1 ? axis.dilation : 1;
    extent = ceil_divided(grouped_output(group)[along].extent, phases * interleaved);
    outputs = taps > 1 ? tile_outputs : 1;
    pad = axis.pad_before;
    whole_row = is_whole_row(group, along, outputs);
}

WinogradTransform TiledAxis::transform() const {
    return whole_row ? WinogradTransform::of_whole_row(outputs) : WinogradTransform(outputs, taps);
}

int64_t TiledAxis::blocks_of_part(int64_t block, int64_t parts) const {
    if (interleaved == 1) return ceil_divided(ceil_divided(tiles(), block), parts);
    return ceil_divided(tiles_of_part(block, parts), block);
}

int64_t TiledAxis::tiles_of_part(int64_t block, int64_t parts) const {
    if (interleaved == 1) return blocks_of_part(block, parts) * block;
    return ceil_divided(tiles() / interleaved, parts) * interleaved;
}

int64_t TiledAxis::span(int64_t tiles) const {
    const int64_t rows = ceil_divided(tiles, interleaved);
    const int64_t phase_shift = transposed ? (phases - 1 + pad) / phases - pad / phases : 0;
    return (rows * outputs + (whole_row ? 0 : taps - 1)) * interleaved + phase_shift;
}

int64_t channel_tile(const KernelRequest &request) {
    return *request.schedule.knob("vectors") * request.target.vector_lanes();
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind == StageKind::shuffle || is_depthwise(stage)) return "computes dense and grouped convolutions";
    if (stage.weights) return "takes no constant weights";
    if (stage.precision == Precision::strict) return "rounds otherwise than precision=strict allows";
    if (group.input().has_runtime_extent()) return "needs every extent when it is compiled";
    bool transforms = false;
    for (const ViewAxis along : {view_width, view_height}) {
        const Axis axis = stage_axis(stage, along);
        if (axis.stride != 1 && !is_transposed(stage)) return "needs stride 1 along width and height";
        if (axis.dilation != 1 && is_transposed(stage)) return "takes no dilation of a transposed convolution";
        if (is_transposed(stage) && !is_indexable(group, along)) return "indexes no more than 2^29 positions";
        transforms = transforms || taps_of(stage, along) > 1;
    }
    const Axis depth = stage_axis(stage, view_depth);
    if (is_transposed(stage) &&
        (depth.kernel > 1 || depth.stride > 1 || depth.output_padding > 0 || is_padded(depth))) {
        return "computes transposed convolutions of no more than two axes";
    }
    if (Tiling(group, 2).scatters() && grouped_output(group)[view_depth].extent > 1) {
        return "takes dilation along no more than two axes in all";
    }
    if (!transforms) return "needs more than one tap along width or height";
    for (int64_t outputs = 2; outputs <= most_outputs; outputs++) {
        if (!transform_conflict(group, outputs)) return std::nullopt;
    }
    return "knows no transform of so many taps";
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    if (saved_work(group, target) > 0) return std::nullopt;
    return "its transforms would cost more than the multiplications that it saves";
}

double saved_work(const StageGroup &group, const Target &target) {
    // The model does not see everything: a gain has to be more than its error.
    constexpr double multiply_adds_a_cycle = 2;
    const double least_gain = promises_more_than_it_gives(group, target) ? 1.25 : 1.05;
    if (refusal(group, target)) return 0;
    Search search(group, target);
    search.best();
    const double direct = direct_cycles(group, target);
    if (search.cycles() * least_gain > direct) return 0;
    return (direct - search.cycles()) * multiply_adds_a_cycle * static_cast<double>(target.vector_lanes());
}

double time(const StageGroup &group, const Target &target) {
    const bool in_one = group_channels(group.stage(0)) <= target.vector_lanes();
    return target.half_vectors && in_one ? 1 : 2;
}

std::vector<Knob> knobs(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const int64_t vectors = ceil_divided(group_channels(stage), target.vector_lanes());
    const Tiling finest(group, 2);
    const View output = grouped_output(group);
    return {
        {"outputs", "outputs of a tile along an axis", 2, most_outputs},
        {"vectors", "vectors of output channels in the register tile", 1, std::min<int64_t>(vectors, 6)},
        {"columns", "tiles in the register tile along the width", 1, most_tiles},
        {"rows", "tiles in the register tile along the height", 1, most_tiles},
        {"across", "tiles of a block along the width", 1, finest.x.tiles() + most_tiles - 1},
        {"down", "tiles of a block along the height", 1, finest.y.tiles() + most_tiles - 1},
        {"parts", "parallel parts of the outermost spatial axis", 1, int64_t{output[parallel_axis(output)].extent}},
        {"channel_parts", "parallel parts of the output channels of a group", 1, vectors},
        {"unroll", "input channels in one turn of the inner loop", 1, 16},
    };
}

std::optional<Conflict> conflict(const KernelRequest &request) {
    const Schedule &schedule = request.schedule;
    const Stage &stage = request.group.stage(0);
    const int64_t outputs = *schedule.knob("outputs"), columns = *schedule.knob("columns"),
                  rows = *schedule.knob("rows"), across = *schedule.knob("across"), down = *schedule.knob("down");
    if (auto reason = transform_conflict(request.group, outputs)) return reason;
    if (!fits_registers({*schedule.knob("vectors"), columns * rows}, request.target)) {
        return Conflict{ConflictKind::registers, "the tile and its operands exceed the vector registers"};
    }
    // A block may exceed the output so that register tiles divide it.
    const Tiling tiles(request.group, outputs);
    if (across >= tiles.x.tiles() + columns || down >= tiles.y.tiles() + rows) {
        return Conflict{ConflictKind::shape, "a block exceeds the output by a register tile"};
    }
    if (across % columns != 0)
        return Conflict{ConflictKind::division, "columns does not divide the tiles across a block"};
    if (down % rows != 0) return Conflict{ConflictKind::division, "rows does not divide the tiles down a block"};
    const int64_t channel_tiles = ceil_divided(group_channels(stage), channel_tile(request));
    if (channel_tiles % *schedule.knob("channel_parts") != 0) {
        return Conflict{ConflictKind::division, "channel_parts does not divide the number of channel tiles"};
    }
    if (channel_block(stage, request.target) % *schedule.knob("unroll") != 0) {
        return Conflict{ConflictKind::division,
                        "unroll does not divide the input channels of a group that lie side by side"};
    }
    const int64_t most_bytes = std::numeric_limits<int32_t>::max();
    const int64_t block = tiles.points() * across * down * 4;
    if (block > most_bytes / std::max(input_channels(stage), channel_tile(request) * tiles.partial_sums())) {
        return Conflict{ConflictKind::memory, "a block takes more than 2^31 - 1 bytes"};
    }
    int64_t strip = input_channels(stage) * 4;
    for (const int64_t extent :
         {tiles.x.span(ceil_divided(tiles.x.tiles(), across) * across),
          tiles.y.span(ceil_divided(tiles.y.tiles(), down) * down),
          input_span(stage_axis(stage, view_depth), grouped_output(request.group)[view_depth].extent)}) {
        if (__builtin_mul_overflow(strip, extent, &strip) || strip > most_bytes) {
            return Conflict{ConflictKind::memory, "a task's input with its border takes more than 2^31 - 1 bytes"};
        }
    }
    return std::nullopt;
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    const Shape shape = Search(group, target).best_in_fine_parts();
    const RegisterTile tile{shape.vectors, shape.columns * shape.rows};
    return shape.schedule(default_unroll(channel_block(group.stage(0), target), tile));
}

std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob) {
    const auto value = [&](const char *name) { return *so_far.schedule.knob(name); };
    const auto tiles = [&] { return Tiling(so_far.group, value("outputs")); };
    std::vector<int64_t> values;
    if (knob.name == "outputs") {
        for (int64_t outputs = 2; outputs <= most_outputs; outputs++) {
            if (!transform_conflict(so_far.group, outputs)) values.push_back(outputs);
        }
    } else if (knob.name == "columns") {
        const int64_t channels = group_channels(so_far.group.stage(0));
        const int64_t most = std::min(knob.high, tiles().x.tiles());
        for (const int64_t columns : good_columns(value("vectors"), knob, channels, most_tiles, so_far.target)) {
            if (columns <= most) values.push_back(columns);
        }
        // Rows of tiles make up for few columns.
        for (int64_t columns = 1; columns <= most; columns *= 2) values.push_back(columns);
        if (most > 0) values.push_back(most);
    } else if (knob.name == "rows") {
        for (int64_t rows = 1; rows <= std::min<int64_t>(tiles().y.tiles(), 4); rows *= 2) {
            if (fits_registers({value("vectors"), value("columns") * rows}, so_far.target)) values.push_back(rows);
        }
        const int64_t all = tiles().y.tiles();
        if (fits_registers({value("vectors"), value("columns") * all}, so_far.target)) values.push_back(all);
    } else if (knob.name == "across") {
        const int64_t columns = ceil_divided(tiles().x.tiles(), value("columns"));
        for (const int64_t pieces : {columns, int64_t{2}, int64_t{1}}) {
            values.push_back(ceil_divided(columns, std::min(pieces, columns)) * value("columns"));
        }
    } else if (knob.name == "down") {
        const int64_t rows = ceil_divided(tiles().y.tiles(), value("rows"));
        for (const int64_t high : {1, 2, 4}) {
            values.push_back(std::min(high, rows) * value("rows"));
        }
    } else if (knob.name == "parts") {
        // Whole blocks.
        const ViewAxis cut = parallel_axis(grouped_output(so_far.group));
        const int64_t blocks = cut == view_width    ? tiles().x.blocks_of_part(value("across"), 1)
                               : cut == view_height ? tiles().y.blocks_of_part(value("down"), 1)
                                                    : knob.high;
        return usual_values(so_far, {knob.name, knob.meaning, knob.low, std::min(knob.high, blocks)});
    } else {
        return usual_values(so_far, knob);
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
}

double cycles(const KernelRequest &request) {
    const auto value = [&](const char *name) { return *request.schedule.knob(name); };
    const Shape shape{value("outputs"), value("vectors"), value("columns"), value("rows"),
                      value("across"),  value("down"),    value("parts"),   value("channel_parts")};
    return CostModel(request.group, request.target, shape.outputs, CostModel::Unit::cycles).cycles(shape);
}

}  // namespace convc::winograd
