#include "schedules/schedule_table.h"

#include <array>

#include "schedules/algorithms.h"

namespace convc {

std::span<const Algorithm> schedule_table() {
    static const std::array<Algorithm, 16> table{
        chain_algorithm(),     dilated_depthwise_algorithm(), depthwise_algorithm(),   dot_algorithm(),
        col2im_algorithm(),    winograd_algorithm(),          grouped_algorithm(),     direct_algorithm(),
        shuffle_algorithm(),   transposed_algorithm(),        gpu_chain_algorithm(),   gpu_winograd_algorithm(),
        gpu_tiled_algorithm(), gpu_direct_algorithm(),        gpu_shuffle_algorithm(), gpu_transposed_algorithm()};
    return table;
}

const Algorithm *algorithm_named(std::string_view name) {
    for (const Algorithm &algorithm : schedule_table()) {
        if (algorithm.name == name) return &algorithm;
    }
    return nullptr;
}

}  // namespace convc
