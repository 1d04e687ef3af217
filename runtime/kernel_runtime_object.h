// The kernel runtime (runtime/kernel_runtime) as the bytes of a relocatable object file for this machine's
// architecture: what `convc compile` puts beside the kernels into an archive.
#pragma once

#include <string_view>

namespace convc {

std::string_view kernel_runtime_object();

}  // namespace convc
