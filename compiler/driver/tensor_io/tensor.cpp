#include "compiler/driver/tensor_io/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace convc {

std::string print_shape(std::span<const int64_t> shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::optional<int64_t> element_count(std::span<const int64_t> shape) {
    int64_t product = 1;
    bool overflows = false;
    bool empty = false;
    for (const int64_t extent : shape) {
        if (extent < 0) return std::nullopt;
        empty = empty || extent == 0;
        overflows = overflows || __builtin_mul_overflow(product, extent, &product);
    }
    if (empty) return 0;
    if (overflows) return std::nullopt;
    return product;
}

}  // namespace convc
