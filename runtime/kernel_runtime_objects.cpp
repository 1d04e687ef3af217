// The table of architectures: one row for each call of kernel_runtime_for() in kernel_runtime_objects.cmake.
#include "runtime/kernel_runtime_objects.h"

#include <fmt/format.h>

namespace convc {

std::string_view kernel_runtime_x86_64();
std::string_view kernel_runtime_arm_64();
std::string_view gpu_runtime_x86_64();
std::string_view gpu_runtime_arm_64();

std::vector<KernelRuntimeObject> kernel_runtime_objects() {
    return {
        {"x86-64", "gcc-x86-64-linux-gnu and libc6-dev-amd64-cross", kernel_runtime_x86_64(), gpu_runtime_x86_64()},
        {"arm-64", "gcc-aarch64-linux-gnu and libc6-dev-arm64-cross", kernel_runtime_arm_64(), gpu_runtime_arm_64()},
    };
}

Result<KernelRuntimeObject> find_kernel_runtime(const std::vector<KernelRuntimeObject> &objects, const Target &target) {
    std::string_view cross_compiler;
    for (const KernelRuntimeObject &object : objects) {
        if (object.architecture != target.architecture()) continue;
        if (!object.bytes.empty()) return object;
        cross_compiler = object.cross_compiler;
    }
    return Error{Failure::environment,
                 fmt::format("cannot write a library for {}: there was no C compiler for {} when this convc was built; "
                             "install {} and build it again",
                             target.name(), target.architecture(), cross_compiler)};
}

}  // namespace convc
