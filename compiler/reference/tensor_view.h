// A tensor as batch, channel, depth, height, width, whatever its layout and rank.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "convc/layer.h"

namespace convc {

struct TensorView {
    using Index = std::array<int64_t, 5>;
    Index extent{1, 1, 1, 1, 1};  // a spatial axis that the layout lacks has extent 1
    Index stride{};               // in elements; 0 where the extent is 1, so that such an axis broadcasts

    explicit TensorView(const TensorType &type) {
        std::vector<size_t> order{0};  // outermost first
        if (!channels_last(type.layout)) order.push_back(1);
        for (size_t axis = 5 - type.space.size(); axis < 5; axis++) order.push_back(axis);
        if (channels_last(type.layout)) order.push_back(1);
        const std::vector<int64_t> extents = type.extents();
        int64_t step = 1;
        for (size_t i = order.size(); i-- > 0;) {
            extent[order[i]] = extents[i];
            stride[order[i]] = extents[i] == 1 ? 0 : step;
            step *= extents[i];
        }
    }

    size_t offset(const Index &at) const {
        int64_t sum = 0;
        for (size_t axis = 0; axis < 5; axis++) sum += at[axis] * stride[axis];
        return static_cast<size_t>(sum);
    }

    Index index(size_t offset) const {
        Index at{};
        for (size_t axis = 0; axis < 5; axis++) {
            if (stride[axis] != 0) at[axis] = static_cast<int64_t>(offset) / stride[axis] % extent[axis];
        }
        return at;
    }
};

}  // namespace convc
