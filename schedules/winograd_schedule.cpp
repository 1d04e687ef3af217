#include "schedules/winograd_schedule.h"

#include <algorithm>
#include <limits>

#include "schedules/knob_values.h"
#include "schedules/machine_model.h"
#include "schedules/single_stage.h"
#include "schedules/stride_phases.h"

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

// The knobs as numbers.
struct Shape {
    int64_t outputs = 2, vectors = 1, columns = 1, rows = 1, across = 1, down = 1, parts = 1, channel_parts = 1;

    int64_t block() const { return across * down; }

    Schedule schedule(int64_t unroll) const {
        return {"winograd",
                {{"outputs", outputs},
                 {"vectors", vectors},
                 {"columns", columns},
                 {"rows", rows},
                 {"across", across},
                 {"down", down},
                 {"parts", parts},
                 {"channel_parts", channel_parts},
                 {"unroll", unroll}}};
    }
};

// Modelled cycles of kernels whose tiles have so many outputs, for one set of the other knobs after another.
class CostModel {
public:
    // What counts: steps of a vector, whatever its width; or cycles.
    enum class Unit { steps, cycles };

    CostModel(const StageGroup &group, const Target &target, int64_t outputs, Unit unit = Unit::steps)
        : stage_(group.stage(0)), target_(target), tiles_(group, outputs), output_(grouped_output(group)) {
        if (unit == Unit::cycles) {
            Target whole = target;
            whole.half_vectors = false;
            vector_step_ = target.splits_vectors() ? 2 : 1;
            memory_step_ = whole.splits_vectors() ? 2 : 1;  // of which the waits for memory were fitted
        }
        // Both axes' transforms, what they load and what they store.
        const WinogradTransform wx = tiles_.x.transform(), wy = tiles_.y.transform();
        const auto points = static_cast<double>(tiles_.points() * tiles_.partial_sums());
        input_operations_ = wx.input_operations() * wy.inputs() + wy.input_operations() * wx.points() +
                            2 * static_cast<double>(tiles_.points());
        output_operations_ = wx.output_operations() * wy.points() +
                             wy.output_operations() * static_cast<double>(tiles_.x.outputs) + points +
                             static_cast<double>(tiles_.x.outputs * tiles_.y.outputs);
    }

    const Tiling &tiles() const { return tiles_; }
    const View &output() const { return output_; }

    double cycles(const Shape &shape) const {
        const ViewAxis cut = parallel_axis(output_);
        const int64_t blocks_x = tiles_.x.blocks_of_part(shape.across, cut == view_width ? shape.parts : 1);
        const int64_t blocks_y = tiles_.y.blocks_of_part(shape.down, cut == view_height ? shape.parts : 1);
        const int64_t planes = ceil_divided(output_[view_depth].extent, cut == view_depth ? shape.parts : 1);
        const int64_t tasks = shape.parts * shape.channel_parts * stage_.groups * output_[view_batch].extent;
        const auto rounds = static_cast<double>(ceil_divided(tasks, planned_threads(target_)));
        const auto blocks = static_cast<double>(blocks_x * blocks_y * planes * tiles_.phases());
        return rounds * (blocks * block_cycles(shape) + scattering_cycles(shape)) + storing_cycles();
    }

    int64_t block_bytes(const Shape &shape) const {
        const int64_t sums = tiles_.partial_sums() * channels_of(shape);
        return tiles_.points() * shape.block() * (input_channels(stage_) * depth_taps() + sums) * 4;
    }

    // Then small blocks pay: 3x3 of 3 channels to 64 at 224 x 224 takes 0.54 ms in blocks of 6 tiles, 0.64 of 56 (Zen
    // 4).
    bool weights_stay_in_l1(const Shape &shape) const {
        return tiles_.points() * input_bytes() * passes(shape) * channels_of(shape) <= target_.l1_bytes;
    }

private:
    int64_t depth_taps() const { return stage_axis(stage_, view_depth).kernel; }
    int64_t channels_of(const Shape &shape) const { return shape.vectors * target_.vector_lanes(); }
    // Over the points of a block, for as many output channels at a time.
    int64_t passes(const Shape &shape) const {
        return ceil_divided(group_channels(stage_), channels_of(shape)) / shape.channel_parts;
    }

    // What a block waits for memory, in cycles a byte. Fitted to 3x3 of 512 channels at 7 x 7 with tiles of 2, 3 and 4
    // outputs, whose transformed weights take 17, 26 and 38 MB of 32 MB of L3, and to its blocks at 38 x 57, d3.
    double memory_cycles(const Shape &shape) const {
        constexpr double from_l2 = 0.003, from_l3 = 0.009, from_memory = 0.05;
        const int64_t inputs = input_bytes();
        const int64_t part = weight_bytes_of_part(shape);
        double cycles = 0;
        if (reads_weights_again(shape)) {
            const auto all = static_cast<double>(part * shape.channel_parts * stage_.groups * tiles_.phases());
            const double beyond = std::clamp(2 * all / static_cast<double>(target_.l3_bytes) - 1, 0.0, 1.0);
            cycles += (from_l3 + beyond * (from_memory - from_l3)) * static_cast<double>(part);
        }
        if (inputs * channels_of(shape) > target_.l1_bytes / 2) {
            const int64_t again = shape.block() / (shape.columns * shape.rows) - 1;
            cycles += from_l2 * static_cast<double>(again * part);
        }
        if (block_bytes(shape) > target_.l2_bytes) cycles += from_l3 * bytes_of_passes(shape);
        return cycles + l1_cycles(shape);
    }

    // Of a point and output channel, or of a point and tile.
    int64_t input_bytes() const { return input_channels(stage_) * depth_taps() * 4; }
    int64_t weight_bytes_of_part(const Shape &shape) const {
        return tiles_.points() * input_bytes() * group_channels(stage_) / shape.channel_parts;
    }
    double bytes_of_passes(const Shape &shape) const {
        return static_cast<double>(passes(shape) * tiles_.points() * shape.block() * input_bytes());
    }
    bool reads_weights_again(const Shape &shape) const {
        return weight_bytes_of_part(shape) * tiles_.phases() + block_bytes(shape) > target_.l2_bytes;
    }

    // What a block waits for an L3 that delivers less than its products ask for. On Sapphire Rapids tiles of 2 outputs
    // for 4 take 0.68 of the time where 512 channels at 7 x 7 have depth taps too, and blocks of 4 rows for 1 0.54 of
    // it with 1024 channels at 30 x 30.
    double l3_cycles(const Shape &shape, double products) const {
        double bytes = reads_weights_again(shape) ? static_cast<double>(weight_bytes_of_part(shape)) : 0;
        if (block_bytes(shape) > target_.l2_bytes) bytes += bytes_of_passes(shape);
        return waiting_for_l3(bytes, products, target_);
    }

    // What a block waits for L2 while it transforms its products, as far as L1 does not hold them. Of kernels whose
    // weights leave L1 nothing is counted: small blocks would wait for those, and ones of 7 to 28 tiles take the same
    // time within what can be told apart.
    double l1_cycles(const Shape &shape) const {
        constexpr double a_line = 1, line = 64;
        if (!weights_stay_in_l1(shape)) return 0;
        const auto products = static_cast<double>(tiles_.points() * shape.block() * channels_of(shape) * 4);
        const double outside = std::clamp(products / static_cast<double>(target_.l1_bytes) - 1, 0.0, 1.0);
        return 2 * a_line / line * static_cast<double>(passes(shape)) * products * outside;
    }

    // Of outputs that leave L2: the transforms that store them do not hide it, as the sums of `direct` do. 3x3 of 3
    // channels to 64 at 224 x 224 on Sapphire Rapids: 9 cycles a line, 0.79 ms where `direct` takes 0.58; on Zen 4,
    // which computes with whole vectors in two turns, it is still faster.
    double storing_cycles() const {
        constexpr double cycles_a_line = 5, line = 64;
        const double bytes = modelled_outputs(output_) * 4 / static_cast<double>(planned_threads(target_));
        if (bytes < static_cast<double>(target_.l2_bytes)) return 0;
        return vector_step_ * cycles_a_line / (target_.splits_vectors() ? 2 : 1) * bytes / line;
    }

    // Of a task's pass over its outputs where they lie apart.
    double scattering_cycles(const Shape &shape) const {
        // Copied once more; or turned from channels into pixels (3x3 of 3 and of 4 channels to 64, channels first).
        constexpr double copied = 2, turned = 5;
        const bool planes = output_[view_channel].stride != 1;
        if (!tiles_.scatters() && !planes) return 0;
        const int64_t pixels = output_[view_width].extent * output_[view_height].extent / shape.parts;
        const int64_t vectors = ceil_divided(group_channels(stage_), target_.vector_lanes()) / shape.channel_parts;
        return vector_step_ * (tiles_.scatters() ? copied : turned) * static_cast<double>(pixels * vectors);
    }

    double block_cycles(const Shape &shape) const {
        const auto lanes = static_cast<double>(target_.vector_lanes());
        const auto block = static_cast<double>(shape.block());
        const int64_t channel_tiles = ceil_divided(group_channels(stage_), channels_of(shape));
        const int64_t channels_of_part = channel_tiles * channels_of(shape) / shape.channel_parts;
        const auto channels = static_cast<double>(channels_of_part);
        const double in_vectors = static_cast<double>(ceil_divided(input_channels(stage_), target_.vector_lanes()));
        const RegisterTile tile{shape.vectors, shape.columns * shape.rows};
        const double products = block * static_cast<double>(tiles_.points() * input_channels(stage_) * depth_taps()) *
                                channels / lanes * tile_cycles(tile, channels_of(shape), tile.columns, 1, target_);
        constexpr double cycles_an_operation = 0.6;
        const double transforms =
            static_cast<double>(depth_taps()) * in_vectors * input_operations_ + channels / lanes * output_operations_;
        return vector_step_ * (products + block * cycles_an_operation * transforms) +
               memory_step_ * memory_cycles(shape) + l3_cycles(shape, products);
    }

    const Stage &stage_;
    const Target &target_;
    Tiling tiles_;
    View output_;
    double input_operations_ = 0, output_operations_ = 0;  // of a tile, a vector of channels
    double vector_step_ = 1, memory_step_ = 1;             // cycles
};

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
    // it by much, else equal pieces of them; then as many rows as pay.
    void try_blocks(Shape shape, const CostModel &model) {
        const Tiling &tiles = model.tiles();
        const int64_t columns = ceil_divided(tiles.x.tiles(), shape.columns);
        int64_t last = 0;
        const int64_t smallest = model.weights_stay_in_l1(shape) ? target_.l1_bytes : target_.l2_bytes / 2;
        for (const int64_t most_bytes : {smallest, target_.l2_bytes / 2, most_l2 * target_.l2_bytes}) {
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
    const int64_t channels = group_channels(stage);
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

}  // namespace

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
    constexpr double least_gain = 1.05, multiply_adds_a_cycle = 2;
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
