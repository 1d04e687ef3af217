// The knobs of `gpu_chain`, what limits them, and what a model of the GPU chooses. Part of gpu_chain.cpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"
#include "schedules/gpu_chunk_model.h"

namespace convc::gpu_chain {

// What the knobs say, in numbers. Axes are those of the depthwise stage.
struct Tile : ChunkedBlock {
    explicit Tile(const KernelRequest &request);

    int64_t depthwise_columns;  // outputs of a row that a thread stages at once
    Axis x, y, z;

    // Taps are written out as far as the body stays short: a row, a plane.
    bool unrolls_row() const;
    bool unrolls_plane() const;
    // Whether the inputs under a row of taps are loaded before it: those that several outputs share, once.
    bool loads_row() const;
    int64_t loaded_columns() const { return input_span(x, depthwise_columns); }
};

std::optional<std::string> refusal(const StageGroup &group, const Target &target);
std::optional<std::string> reluctance(const StageGroup &group, const Target &target);
std::vector<Knob> knobs(const StageGroup &group, const Target &target);
std::optional<Conflict> conflict(const KernelRequest &request);
std::vector<int64_t> worthwhile(const KernelRequest &so_far, const Knob &knob);
Schedule default_schedule(const StageGroup &group, const Target &target);

}  // namespace convc::gpu_chain
