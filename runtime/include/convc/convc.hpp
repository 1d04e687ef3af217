// convc as a library: from a line of the language to a kernel that runs, in one process.
//
//     const std::string line = "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu";
//     convc::Result<convc::Layer> layer = convc::parse_layer(line);
//     if (!layer) return fail(layer.error().message);            // diagnostics with carets, ready to print
//     convc::Result<convc::LoadedKernel> kernel = convc::load_layer(*layer);
//     if (!kernel) return fail(kernel.error().message);
//     const convc_kernel_info &k = kernel->info();
//     k.pack(parameters, packed);                                 // once; packed: k.packed_bytes, 64-byte aligned
//     int rc = k.run(nullptr, inputs, packed, y, workspace);      // any number of times, from any thread
//
// Nothing here prints, throws or aborts. A kernel is compiled once (some 200 ms) and then found in the kernel cache
// (under 1 ms); see docs/kernel-cache.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "convc/convc.h"
#include "convc/layer.h"
#include "convc/loaded_kernel.h"
#include "convc/schedule.h"
#include "convc/status.h"
#include "convc/target.h"

namespace convc {

// One layer from its canonical line, or from the text of a file that declares exactly one. The error's message holds
// the rendered diagnostics.
Result<Layer> parse_layer(std::string_view text);

struct LoadOptions {
    std::vector<Schedule> schedules;  // one a group of fused stages; empty: the default
    bool use_cache = true;
    std::string cache_directory;  // empty: $CONVC_CACHE_DIR, else convc under the XDG cache directory
};

// Plans, compiles for the machine at hand or takes from the cache, and loads. A cache that cannot be used is passed
// over.
Result<LoadedKernel> load_layer(const Layer &layer, const LoadOptions &options = {});

}  // namespace convc
