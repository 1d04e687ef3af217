// The table of architectures: one row for each call of kernel_runtime_for() in kernel_runtime_objects.cmake.
#include "runtime/kernel_runtime_objects.h"

namespace convc {

std::string_view kernel_runtime_x86_64();
std::string_view kernel_runtime_arm_64();

std::vector<KernelRuntimeObject> kernel_runtime_objects() {
    return {
        {"x86-64", "gcc-x86-64-linux-gnu", kernel_runtime_x86_64()},
        {"arm-64", "gcc-aarch64-linux-gnu", kernel_runtime_arm_64()},
    };
}

}  // namespace convc
