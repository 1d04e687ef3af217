// candidates.c of a bundle: the table that bundle_table.h declares.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/driver/bundle/bundle_data.h"
#include "compiler/tune/trial.h"
#include "convc/kernel.h"
#include "convc/target.h"

namespace convc {

struct BundleCandidate {
    std::string schedule;
    std::optional<Kernel> kernel;
    Trial failure;  // where there is no kernel
};

// A layer, or some stages of one.
struct BundlePart {
    std::string name;
    Layer layer;
    std::vector<BundleCandidate> candidates;  // the default first
    BundleData data;
};

std::string table_source(const std::vector<BundlePart> &parts, const Target &target, const std::string &build);

}  // namespace convc
