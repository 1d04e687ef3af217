#include "schedules/winograd_cost.h"

#include <algorithm>

#include "schedules/machine_model.h"
#include "schedules/single_stage.h"

namespace convc::winograd {

CostModel::CostModel(const StageGroup &group, const Target &target, int64_t outputs, Unit unit)
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

double CostModel::cycles(const Shape &shape) const {
    const ViewAxis cut = parallel_axis(output_);
    const int64_t blocks_x = tiles_.x.blocks_of_part(shape.across, cut == view_width ? shape.parts : 1);
    const int64_t blocks_y = tiles_.y.blocks_of_part(shape.down, cut == view_height ? shape.parts : 1);
    const int64_t planes = ceil_divided(output_[view_depth].extent, cut == view_depth ? shape.parts : 1);
    const auto rounds = static_cast<double>(ceil_divided(tasks(shape), planned_threads(target_)));
    const auto blocks = static_cast<double>(blocks_x * blocks_y * planes * tiles_.phases());
    return rounds * (blocks * block_cycles(shape) + scattering_cycles(shape)) + storing_cycles();
}

int64_t CostModel::tasks(const Shape &shape) const {
    return shape.parts * shape.channel_parts * stage_.groups * output_[view_batch].extent;
}

int64_t CostModel::block_bytes(const Shape &shape) const {
    const int64_t sums = tiles_.partial_sums() * channels_of(shape);
    return tiles_.points() * shape.block() * (input_channels(stage_) * depth_taps() + sums) * 4;
}

// Then small blocks pay: 3x3 of 3 channels to 64 at 224 x 224 takes 0.54 ms in blocks of 6 tiles, 0.64 of 56 (Zen 4).
bool CostModel::weights_stay_in_l1(const Shape &shape) const {
    return tiles_.points() * input_bytes() * passes(shape) * channels_of(shape) <= target_.l1_bytes;
}

// Over the points of a block, for as many output channels at a time.
int64_t CostModel::passes(const Shape &shape) const {
    return ceil_divided(group_channels(stage_), channels_of(shape)) / shape.channel_parts;
}

// What a block waits for memory, in cycles a byte. Fitted to 3x3 of 512 channels at 7 x 7 with tiles of 2, 3 and 4
// outputs, whose transformed weights take 17, 26 and 38 MB of 32 MB of L3, and to its blocks at 38 x 57, d3.
double CostModel::memory_cycles(const Shape &shape) const {
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

int64_t CostModel::weight_bytes_of_part(const Shape &shape) const {
    return tiles_.points() * input_bytes() * group_channels(stage_) / shape.channel_parts;
}

double CostModel::bytes_of_passes(const Shape &shape) const {
    return static_cast<double>(passes(shape) * tiles_.points() * shape.block() * input_bytes());
}

bool CostModel::reads_weights_again(const Shape &shape) const {
    return weight_bytes_of_part(shape) * tiles_.phases() + block_bytes(shape) > target_.l2_bytes;
}

// What a block waits for an L3 that delivers less than its products ask for. On Sapphire Rapids tiles of 2 outputs
// for 4 take 0.68 of the time where 512 channels at 7 x 7 have depth taps too, and blocks of 4 rows for 1 0.54 of
// it with 1024 channels at 30 x 30.
double CostModel::l3_cycles(const Shape &shape, double products) const {
    double bytes = reads_weights_again(shape) ? static_cast<double>(weight_bytes_of_part(shape)) : 0;
    if (block_bytes(shape) > target_.l2_bytes) bytes += bytes_of_passes(shape);
    return waiting_for_l3(bytes, products, target_);
}

// What a block waits for L2 while it transforms its products, as far as L1 does not hold them. Of kernels whose
// weights leave L1 nothing is counted: small blocks would wait for those, and ones of 7 to 28 tiles take the same
// time within what can be told apart.
double CostModel::l1_cycles(const Shape &shape) const {
    constexpr double a_line = 1, line = 64;
    if (!weights_stay_in_l1(shape)) return 0;
    const auto products = static_cast<double>(tiles_.points() * shape.block() * channels_of(shape) * 4);
    const double outside = std::clamp(products / static_cast<double>(target_.l1_bytes) - 1, 0.0, 1.0);
    return 2 * a_line / line * static_cast<double>(passes(shape)) * products * outside;
}

// Of outputs that leave L2: the transforms that store them do not hide it, as the sums of `direct` do. 3x3 of 3
// channels to 64 at 224 x 224 on Sapphire Rapids: 9 cycles a line, 0.79 ms where `direct` takes 0.58; on Zen 4,
// which computes with whole vectors in two turns, it is still faster.
double CostModel::storing_cycles() const {
    constexpr double cycles_a_line = 5, line = 64;
    const double bytes = modelled_outputs(output_) * 4 / static_cast<double>(planned_threads(target_));
    if (bytes < static_cast<double>(target_.l2_bytes)) return 0;
    return vector_step_ * cycles_a_line / (target_.splits_vectors() ? 2 : 1) * bytes / line;
}

// Of a task's pass over its outputs where they lie apart.
double CostModel::scattering_cycles(const Shape &shape) const {
    // Copied once more; or turned from channels into pixels (3x3 of 3 and of 4 channels to 64, channels first).
    constexpr double copied = 2, turned = 5;
    const bool planes = output_[view_channel].stride != 1;
    if (!tiles_.scatters() && !planes) return 0;
    const int64_t pixels = output_[view_width].extent * output_[view_height].extent / shape.parts;
    const int64_t vectors = ceil_divided(group_channels(stage_), target_.vector_lanes()) / shape.channel_parts;
    return vector_step_ * (tiles_.scatters() ? copied : turned) * static_cast<double>(pixels * vectors) +
           gathering_cycles(shape);
}

// What a task under dilation waits for an L3 behind which its outputs lie while they are put into their places: all
// of them, since those of a row of tiles lie apart. 2 taps of 64 channels to 128 along 4096 in 2, 4, 8 and 16 parts
// on Sapphire Rapids: 0.68, 0.62, 0.53 and 0.52 ms.
double CostModel::gathering_cycles(const Shape &shape) const {
    if (!tiles_.interleaves()) return 0;
    constexpr double share_of_l2 = 0.75;  // beyond which some of it is driven out
    const double outputs = modelled_outputs(output_) * 4;
    const double gathered = outputs / static_cast<double>(tasks(shape));
    const double inputs = outputs * static_cast<double>(stage_.in_channels) / static_cast<double>(stage_.out_channels);
    const double of_thread = (inputs + outputs) / static_cast<double>(planned_threads(target_));
    const double held = of_thread + gathered + static_cast<double>(block_bytes(shape));
    const double beyond = std::clamp(held / (share_of_l2 * static_cast<double>(target_.l2_bytes)) - 1, 0.0, 1.0);
    return waiting_for_l3(2 * gathered * beyond, 0, target_);
}

double CostModel::block_cycles(const Shape &shape) const {
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
    return vector_step_ * (products + block * cycles_an_operation * transforms) + memory_step_ * memory_cycles(shape) +
           l3_cycles(shape, products);
}

}  // namespace convc::winograd
