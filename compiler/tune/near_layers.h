// Schedules that were the best of layers like one: good seeds for its own search.
#pragma once

#include <vector>

#include "compiler/tune/trial.h"
#include "convc/layer.h"
#include "convc/schedule.h"
#include "convc/target.h"

namespace convc {

// How unlike two layers of the same kind are: the sum of the binary logarithms of the ratios of their extents,
// channels, groups and kernels. Infinity where they differ in what they do: the stages' kinds, strides or layouts.
double layer_distance(const Layer &a, const Layer &b);

// The schedules of the nearest few of these trials' layers, fitted to this one, the nearest first. `best` are the
// fastest trials of their layers, on whatever machine; of them only the keys count.
std::vector<Schedule> schedules_of_near_layers(const Layer &layer, const Target &target,
                                               const std::vector<Trial> &best);

}  // namespace convc
