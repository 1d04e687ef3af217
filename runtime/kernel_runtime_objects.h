// The kernel runtime (runtime/kernel_runtime) as the bytes of a relocatable object file for each architecture: what
// `convc compile` puts beside the kernels into an archive.
#pragma once

#include <string_view>
#include <vector>

namespace convc {

struct KernelRuntimeObject {
    std::string_view architecture;    // Target::architecture()
    std::string_view cross_compiler;  // the Debian package with which another architecture's machine makes it
    std::string_view bytes;           // empty: this build of convc had no compiler for the architecture
};

std::vector<KernelRuntimeObject> kernel_runtime_objects();

}  // namespace convc
