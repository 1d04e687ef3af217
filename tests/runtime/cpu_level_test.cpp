// The CPU's level against the compiler's own detection.
#include <gtest/gtest.h>

#include "runtime/kernel_runtime/kernel_runtime.h"

TEST(CpuLevel, AgreesWithTheCompiler) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    const int expected = avx2 && avx512 ? 3 : avx2 ? 2 : __builtin_cpu_supports("sse4.1") ? 1 : 0;
    EXPECT_EQ(convc_kernel_cpu_level_v1(), expected);
#elif defined(__aarch64__)
    EXPECT_EQ(convc_kernel_cpu_level_v1(), 1);
#endif
}
