// The kernel runtime (runtime/kernel_runtime) and the GPU runtime (runtime/gpu_runtime) as the bytes of a relocatable
// object file each for each architecture: what `convc compile` puts beside the kernels into an archive.
#pragma once

#include <string_view>
#include <vector>

#include "convc/status.h"
#include "convc/target.h"

namespace convc {

struct KernelRuntimeObject {
    std::string_view architecture;    // Target::architecture()
    std::string_view cross_compiler;  // the Debian packages with which another architecture's machine makes it
    std::string_view bytes;           // empty: this build of convc had no compiler for the architecture
    std::string_view gpu_bytes = {};  // of the GPU runtime
};

std::vector<KernelRuntimeObject> kernel_runtime_objects();

// Those of this target's architecture; where they are missing, an error that says what has to be installed.
Result<KernelRuntimeObject> find_kernel_runtime(const std::vector<KernelRuntimeObject> &objects, const Target &target);

}  // namespace convc
