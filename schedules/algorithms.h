// One function an algorithm file: the row it contributes to the schedule table.
#pragma once

#include "schedules/algorithm.h"

namespace convc {

Algorithm chain_algorithm();
Algorithm col2im_algorithm();
Algorithm dilated_depthwise_algorithm();
Algorithm depthwise_algorithm();
Algorithm direct_algorithm();
Algorithm dot_algorithm();
Algorithm grouped_algorithm();
Algorithm shuffle_algorithm();
Algorithm transposed_algorithm();
Algorithm winograd_algorithm();
Algorithm gpu_chain_algorithm();
Algorithm gpu_direct_algorithm();
Algorithm gpu_shuffle_algorithm();
Algorithm gpu_tiled_algorithm();
Algorithm gpu_transposed_algorithm();
Algorithm gpu_winograd_algorithm();

}  // namespace convc
