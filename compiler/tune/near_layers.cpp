#include "compiler/tune/near_layers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/tune/schedule_space.h"
#include "convc/convc.hpp"

namespace convc {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double farthest = 6;        // six doublings in all
constexpr size_t most_schedules = 3;  // each costs a trial
constexpr double other_isa = 3, other_threads = 1;

double ratio(int64_t a, int64_t b) {
    if (a == b) return 0;
    if (a <= 0 || b <= 0) return infinity;
    return std::abs(std::log2(static_cast<double>(a) / static_cast<double>(b)));
}

double axis_distance(const Axis &a, const Axis &b) {
    if (a.stride != b.stride) return infinity;
    return ratio(a.kernel, b.kernel) + ratio(a.dilation, b.dilation);
}

double stage_distance(const Stage &a, const Stage &b) {
    const bool same_kind = a.kind == b.kind && a.axes.size() == b.axes.size() && (a.groups == 1) == (b.groups == 1) &&
                           a.weights.has_value() == b.weights.has_value();
    if (!same_kind) return infinity;
    double distance = ratio(a.in_channels, b.in_channels) + ratio(a.out_channels, b.out_channels);
    // Of a depthwise stage the groups are the channels, which have been counted.
    if (a.kind != StageKind::depthwise) distance += ratio(a.groups, b.groups);
    for (size_t i = 0; i < a.axes.size(); i++) distance += axis_distance(a.axes[i], b.axes[i]);
    return distance;
}

double target_distance(const Target &a, const Target &b) {
    return (a.name() == b.name() ? 0 : other_isa) + (a.threads == b.threads ? 0 : other_threads);
}

struct Neighbour {
    double distance = infinity;
    Schedule schedule;
};

}  // namespace

double layer_distance(const Layer &a, const Layer &b) {
    if (a.stages.size() != b.stages.size() || a.inputs[0].type.layout != b.inputs[0].type.layout) return infinity;
    double distance = 0;
    for (size_t i = 0; i < a.stages.size(); i++) distance += stage_distance(a.stages[i], b.stages[i]);
    const TensorType &from = a.inputs[0].type, &to = b.inputs[0].type;
    for (size_t i = 0; i < from.space.size(); i++) distance += ratio(from.space[i], to.space[i]);
    return distance + ratio(from.batch, to.batch);
}

std::vector<Schedule> schedules_of_near_layers(const Layer &layer, const Target &target,
                                               const std::vector<Trial> &best) {
    const StageGroup group{&layer, 0, static_cast<int>(layer.stages.size())};
    std::vector<Neighbour> near;
    for (const Trial &trial : best) {
        const Result<Layer> other = parse_layer(trial.key.layer);
        const Result<Target> on = parse_target(trial.key.target);
        const Result<Schedule> schedule = parse_schedule(trial.key.schedule);
        if (!other || !on || !schedule) continue;  // of a newer convc, or of several kernels
        const double distance = layer_distance(layer, *other) + target_distance(target, *on);
        if (distance > farthest) continue;
        if (auto fitted = fitted_schedule(group, target, *schedule)) near.push_back({distance, std::move(*fitted)});
    }
    std::stable_sort(near.begin(), near.end(),
                     [](const Neighbour &a, const Neighbour &b) { return a.distance < b.distance; });
    std::vector<Schedule> schedules;
    for (Neighbour &each : near) {
        if (schedules.size() == most_schedules) break;
        if (std::find(schedules.begin(), schedules.end(), each.schedule) == schedules.end()) {
            schedules.push_back(std::move(each.schedule));
        }
    }
    return schedules;
}

}  // namespace convc
