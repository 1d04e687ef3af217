// The machine model of Winograd kernels: what one set of knobs costs. Part of winograd.cpp.
#pragma once

#include "schedules/single_stage.h"
#include "schedules/winograd_schedule.h"

namespace convc::winograd {

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

    CostModel(const StageGroup &group, const Target &target, int64_t outputs, Unit unit = Unit::steps);

    const Tiling &tiles() const { return tiles_; }
    const View &output() const { return output_; }

    double cycles(const Shape &shape) const;        // until the last thread is done
    int64_t block_bytes(const Shape &shape) const;  // of transformed inputs and of products
    bool weights_stay_in_l1(const Shape &shape) const;

private:
    int64_t depth_taps() const { return stage_axis(stage_, view_depth).kernel; }
    int64_t tasks(const Shape &shape) const;
    int64_t channels_of(const Shape &shape) const { return shape.vectors * target_.vector_lanes(); }
    int64_t passes(const Shape &shape) const;
    double memory_cycles(const Shape &shape) const;

    // Of a point and output channel, or of a point and tile.
    int64_t input_bytes() const { return input_channels(stage_) * depth_taps() * 4; }
    int64_t weight_bytes_of_part(const Shape &shape) const;
    double bytes_of_passes(const Shape &shape) const;
    bool reads_weights_again(const Shape &shape) const;
    double l3_cycles(const Shape &shape, double products) const;
    double l1_cycles(const Shape &shape) const;
    double storing_cycles() const;
    double scattering_cycles(const Shape &shape) const;
    double gathering_cycles(const Shape &shape) const;
    double block_cycles(const Shape &shape) const;

    const Stage &stage_;
    const Target &target_;
    Tiling tiles_;
    View output_;
    double input_operations_ = 0, output_operations_ = 0;  // of a tile, a vector of channels
    double vector_step_ = 1, memory_step_ = 1;             // cycles
};

}  // namespace convc::winograd
