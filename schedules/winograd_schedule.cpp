#include "schedules/winograd_schedule.h"

#include <algorithm>
#include <limits>

#include "schedules/machine_model.h"
#include "schedules/single_stage.h"
#include "schedules/winograd_transform.h"

namespace convc::winograd {
namespace {

constexpr int64_t most_tiles = 30;  // in a register tile
constexpr int64_t most_outputs = 6;

// Points that round no more than the precision allows: F(4, 3) along both axes has 1.8 times the error of a sequential
// sum, F(6, 3) 7 times.
int64_t most_points(Precision precision) {
    return precision == Precision::fast ? 8 : 6;
}

std::optional<std::string> transform_conflict(const Stage &stage, int64_t outputs) {
    for (const ViewAxis along : {view_width, view_height}) {
        const int64_t taps = stage_axis(stage, along).kernel;
        if (taps == 1) continue;
        if (!WinogradTransform::exists(outputs, taps)) return "there is no transform of so many outputs";
        if (outputs > 2 && outputs + taps - 1 > most_points(stage.precision)) {
            return "so many outputs round more than the layer's precision allows";
        }
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
    CostModel(const StageGroup &group, const Target &target, int64_t outputs)
        : stage_(group.stage(0)), target_(target), tiles_(group, outputs), output_(grouped_output(group)) {
        // Both axes' transforms, what they load and what they store.
        const WinogradTransform wx(tiles_.x.outputs, tiles_.x.taps), wy(tiles_.y.outputs, tiles_.y.taps);
        const auto points = static_cast<double>(tiles_.points());
        input_operations_ = wx.input_operations() * wy.points() + wy.input_operations() * wx.points() + 2 * points;
        output_operations_ = wx.output_operations() * wy.points() +
                             wy.output_operations() * static_cast<double>(tiles_.x.outputs) + points +
                             static_cast<double>(tiles_.x.outputs * tiles_.y.outputs);
    }

    const Tiling &tiles() const { return tiles_; }
    const View &output() const { return output_; }

    double cycles(const Shape &shape) const {
        int64_t blocks_x = ceil_divided(tiles_.x.tiles(), shape.across);
        int64_t blocks_y = ceil_divided(tiles_.y.tiles(), shape.down);
        int64_t planes = output_[view_depth].extent;
        const ViewAxis cut = parallel_axis(output_);
        int64_t &along = cut == view_width ? blocks_x : cut == view_height ? blocks_y : planes;
        along = ceil_divided(along, shape.parts);
        const int64_t tasks = shape.parts * shape.channel_parts * stage_.groups * output_[view_batch].extent;
        const auto rounds = static_cast<double>(ceil_divided(tasks, planned_threads(target_)));
        const auto blocks = static_cast<double>(blocks_x * blocks_y * planes * tiles_.phases());
        return rounds * (blocks * block_cycles(shape) + cycles_of_phases(shape));
    }

    int64_t block_bytes(const Shape &shape) const {
        return tiles_.points() * shape.block() * (input_channels(stage_) * depth_taps() + channels_of(shape)) * 4;
    }

private:
    int64_t depth_taps() const { return stage_axis(stage_, view_depth).kernel; }
    int64_t channels_of(const Shape &shape) const { return shape.vectors * target_.vector_lanes(); }

    // Of the transformed weights that a task reads for each block, beyond what a loop over a block hides: from L3, or
    // from memory.
    double streaming_cycles(const Shape &shape) const {
        const int64_t bytes = tiles_.points() * group_channels(stage_) * input_channels(stage_) * depth_taps() * 4;
        if (bytes / shape.channel_parts + block_bytes(shape) < target_.l2_bytes) return 0;
        const double cycles_a_byte = bytes * stage_.groups > target_.l3_bytes ? 0.3 : 0.02;
        return cycles_a_byte * static_cast<double>(bytes) / static_cast<double>(shape.channel_parts);
    }

    // Of a task's passes over its input and its output, where very many phases lie interleaved: so far apart that they
    // fall into few sets of the caches (k2 d64 of 64 channels at 4096: 0.52 ms or 0.79, by where the buffers happen to
    // lie; direct 0.57). With 36 phases (3x3 d6 at 33 x 33) these passes do not show.
    double cycles_of_phases(const Shape &shape) const {
        constexpr int64_t many_phases = 36;
        constexpr double cycles_a_vector = 8;
        if (tiles_.phases() <= many_phases) return 0;
        const int64_t channels = input_channels(stage_) + group_channels(stage_) / shape.channel_parts;
        const int64_t vectors = ceil_divided(channels, target_.vector_lanes());
        return cycles_a_vector * static_cast<double>(tiles_.phases() * tiles_.x.extent * tiles_.y.extent * vectors);
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
        return products + block * cycles_an_operation * transforms + streaming_cycles(shape);
    }

    const Stage &stage_;
    const Target &target_;
    Tiling tiles_;
    View output_;
    double input_operations_ = 0, output_operations_ = 0;  // of a tile, a vector of channels
};

class Search {
public:
    Search(const StageGroup &group, const Target &target) : group_(group), stage_(group.stage(0)), target_(target) {}

    Shape best() {
        for (int64_t outputs = 2; outputs <= most_outputs; outputs++) {
            if (!transform_conflict(stage_, outputs))
                try_register_tiles({.outputs = outputs}, {group_, target_, outputs});
        }
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

    // Whole rows of tiles where they stay in L2, else equal pieces of them; then as many rows as do.
    void try_blocks(Shape shape, const CostModel &model) {
        const Tiling &tiles = model.tiles();
        const int64_t columns = ceil_divided(tiles.x.tiles(), shape.columns);
        for (int64_t pieces = 1; pieces <= columns; pieces++) {
            shape.across = ceil_divided(columns, pieces) * shape.columns;
            shape.down = shape.rows;
            if (model.block_bytes(shape) <= target_.l2_bytes / 2) break;
        }
        const int64_t most_down = tiles.y.tiles() + shape.rows - 1;
        for (; shape.down <= most_down; shape.down += shape.rows) {
            if (shape.down > shape.rows && model.block_bytes(shape) > target_.l2_bytes) break;
            try_parts(shape, model);
        }
    }

    void try_parts(Shape shape, const CostModel &model) {
        const Tiling &tiles = model.tiles();
        const View &output = model.output();
        const ViewAxis cut = parallel_axis(output);
        const int64_t blocks = cut == view_width    ? ceil_divided(tiles.x.tiles(), shape.across)
                               : cut == view_height ? ceil_divided(tiles.y.tiles(), shape.down)
                                                    : int64_t{output[cut].extent};
        const int64_t channel_tiles = ceil_divided(group_channels(stage_), shape.vectors * target_.vector_lanes());
        const int64_t most_parts = std::min(channel_tiles, planned_threads(target_));
        for (shape.channel_parts = 1; shape.channel_parts <= most_parts; shape.channel_parts++) {
            if (channel_tiles % shape.channel_parts != 0) continue;
            const int64_t others = output[view_batch].extent * stage_.groups * shape.channel_parts;
            shape.parts = tiles.phases() > 1 ? 1 : balanced_parts(blocks, others, target_);
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

// Of the direct sum on all threads, which leaves out taps in padding (direct.cpp).
double direct_cycles(const StageGroup &group, const Target &target) {
    const Stage &stage = group.stage(0);
    const View output = grouped_output(group);
    const int64_t pixels =
        output[view_width].extent * output[view_height].extent * output[view_depth].extent * output[view_batch].extent;
    const RegisterTile tile = best_register_tile(group_channels(stage), output[view_width].extent, target);
    const double share = share_of_taps(group, view_width, 1) * share_of_taps(group, view_height, 1);
    const double products = share * static_cast<double>(pixels * stage.kernel_volume()) *
                            static_cast<double>(stage.out_channels * input_channels(stage));
    const double cycles = tile_cycles(tile, group_channels(stage), output[view_width].extent, 1, target);
    return products / static_cast<double>(target.vector_lanes()) * cycles /
           static_cast<double>(planned_threads(target));
}

}  // namespace

TiledAxis::TiledAxis(const StageGroup &group, ViewAxis along, int64_t tile_outputs)
    : taps(stage_axis(group.stage(0), along).kernel),
      phases(taps > 1 ? stage_axis(group.stage(0), along).dilation : 1),
      outputs(taps > 1 ? tile_outputs : 1),
      extent(ceil_divided(grouped_output(group)[along].extent, phases)) {}

int64_t channel_tile(const KernelRequest &request) {
    return *request.schedule.knob("vectors") * request.target.vector_lanes();
}

int64_t channel_block(const Stage &stage, const Target &target) {
    int64_t lanes = target.vector_lanes();
    while (input_channels(stage) % lanes != 0) lanes /= 2;
    return lanes;
}

std::optional<std::string> refusal(const StageGroup &group, const Target &) {
    if (auto reason = general_refusal(group)) return reason;
    const Stage &stage = group.stage(0);
    if (stage.kind != StageKind::convolution || is_depthwise(stage)) return "computes dense and grouped convolutions";
    if (stage.weights) return "takes no constant weights";
    if (stage.precision == Precision::strict) return "rounds otherwise than precision=strict allows";
    if (group.input().has_runtime_extent()) return "needs every extent when it is compiled";
    bool transforms = false;
    for (const ViewAxis along : {view_width, view_height}) {
        const Axis axis = stage_axis(stage, along);
        if (axis.stride != 1) return "needs stride 1 along width and height";
        transforms = transforms || axis.kernel > 1;
    }
    if (Tiling(group, 2).phases() > 1 && grouped_output(group)[view_depth].extent > 1) {
        return "takes dilation along no more than two axes in all";
    }
    if (!transforms) return "needs more than one tap along width or height";
    for (int64_t outputs = 2; outputs <= most_outputs; outputs++) {
        if (!transform_conflict(stage, outputs)) return std::nullopt;
    }
    return "knows no transform of so many taps";
}

std::optional<std::string> reluctance(const StageGroup &group, const Target &target) {
    if (saved_work(group, target) > 0) return std::nullopt;
    return "its transforms would cost more than the multiplications that it saves";
}

double saved_work(const StageGroup &group, const Target &target) {
    // The model does not see everything: a gain has to be more than its error.
    constexpr double least_gain = 1.1, multiply_adds_a_cycle = 2;
    if (refusal(group, target)) return 0;
    Search search(group, target);
    search.best();
    const double direct = direct_cycles(group, target);
    if (search.cycles() * least_gain > direct) return 0;
    return (direct - search.cycles()) * multiply_adds_a_cycle * static_cast<double>(target.vector_lanes());
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
        {"parts", "parallel parts of the outermost spatial axis; 1 under dilation", 1,
         finest.phases() > 1 ? 1 : int64_t{output[parallel_axis(output)].extent}},
        {"channel_parts", "parallel parts of the output channels of a group", 1, vectors},
        {"unroll", "input channels in one turn of the inner loop", 1, 16},
    };
}

std::optional<std::string> conflict(const KernelRequest &request) {
    const Schedule &schedule = request.schedule;
    const Stage &stage = request.group.stage(0);
    const int64_t outputs = *schedule.knob("outputs"), columns = *schedule.knob("columns"),
                  rows = *schedule.knob("rows"), across = *schedule.knob("across"), down = *schedule.knob("down");
    if (auto reason = transform_conflict(stage, outputs)) return reason;
    if (!fits_registers({*schedule.knob("vectors"), columns * rows}, request.target)) {
        return "the tile and its operands exceed the vector registers";
    }
    // A block may exceed the output so that register tiles divide it.
    const Tiling tiles(request.group, outputs);
    if (across >= tiles.x.tiles() + columns || down >= tiles.y.tiles() + rows) {
        return "a block exceeds the output by a register tile";
    }
    if (across % columns != 0) return "columns does not divide the tiles across a block";
    if (down % rows != 0) return "rows does not divide the tiles down a block";
    const int64_t channel_tiles = ceil_divided(group_channels(stage), channel_tile(request));
    if (channel_tiles % *schedule.knob("channel_parts") != 0) {
        return "channel_parts does not divide the number of channel tiles";
    }
    if (channel_block(stage, request.target) % *schedule.knob("unroll") != 0) {
        return "unroll does not divide the input channels of a group that lie side by side";
    }
    const int64_t most_bytes = std::numeric_limits<int32_t>::max();
    const int64_t block = tiles.points() * across * down * 4;
    if (block > most_bytes / std::max(input_channels(stage), channel_tile(request))) {
        return "a block takes more than 2^31 - 1 bytes";
    }
    const auto outputs_of = [&](const TiledAxis &axis, int64_t in_block) {
        return ceil_divided(axis.tiles(), in_block) * in_block * axis.outputs * axis.phases;
    };
    return strip_refusal(
        stage,
        {outputs_of(tiles.x, across), outputs_of(tiles.y, down), grouped_output(request.group)[view_depth].extent},
        input_channels(stage));
}

Schedule default_schedule(const StageGroup &group, const Target &target) {
    const Shape shape = Search(group, target).best();
    const RegisterTile tile{shape.vectors, shape.columns * shape.rows};
    return shape.schedule(default_unroll(channel_block(group.stage(0), target), tile));
}

}  // namespace convc::winograd
