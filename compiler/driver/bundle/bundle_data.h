// What a bundle knows of a layer beside its kernels: the numbers for it, and what they shall give.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "compiler/driver/bundle/bundle_table.h"
#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

struct BundleSpecimen {
    bool integers = false;
    bool exact = false;
    uint64_t checksum = 0;
    std::array<double, BUNDLE_ALLOWANCES> most_allowed{};
    std::vector<bundle_sample> samples;
};

struct BundleData {
    std::vector<int64_t> extents;
    std::vector<bundle_tensor> tensors;  // inputs, then parameters
    int64_t output_elements = 0;
    std::array<BundleSpecimen, BUNDLE_SPECIMENS> specimens;
};

// By the reference: slow.
Result<BundleData> make_bundle_data(const Layer &layer);

}  // namespace convc
