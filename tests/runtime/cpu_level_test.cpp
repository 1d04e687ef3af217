// The CPU's level against the compiler's own detection.
#include <gtest/gtest.h>

#include "runtime/kernel_runtime/kernel_runtime.h"

TEST(CpuLevel, AgreesWithTheCompiler) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const int expected = __builtin_cpu_supports("x86-64-v4")   ? 3
                         : __builtin_cpu_supports("x86-64-v3") ? 2
                         : __builtin_cpu_supports("sse4.1")    ? 1
                                                               : 0;
    EXPECT_EQ(convc_kernel_cpu_level_v1(), expected);
    EXPECT_EQ(convc_kernel_cpu_level_v1(), expected) << "asked again";
#elif defined(__aarch64__)
    EXPECT_EQ(convc_kernel_cpu_level_v1(), 1);
#endif
}
