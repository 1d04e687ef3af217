// The CPU's level against the compiler's own detection, and the choice among variants.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

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

namespace {

// For no CPU, for those of level 1, for every one.
constexpr std::array<convc_kernel_variant, 4> variants{
    {{"best", 1000, 0}, {"good znver3 2t", 1, 0}, {"goodness", 1, 0}, {"poor", 0, 0}}};

// What is chosen in a process of its own, where CONVC_TARGET is this: it is read once.
int chosen(const char *forced, int count = variants.size()) {
    const pid_t child = fork();
    if (child == 0) {
        unsetenv("CONVC_TARGET");
        if (forced != nullptr) setenv("CONVC_TARGET", forced, 1);
        const int first = convc_kernel_choose_v1(variants.data(), count);
        setenv("CONVC_TARGET", "poor", 1);
        const int second = convc_kernel_choose_v1(variants.data(), count);
        _exit(first == second ? first + 1 : 100);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << status;
    return WEXITSTATUS(status) - 1;
}

}  // namespace

TEST(Variant, IsTheFirstThatTheCpuRuns) {
    EXPECT_EQ(chosen(nullptr), 1);
    EXPECT_EQ(chosen(""), 1);
    EXPECT_EQ(chosen(nullptr, 1), -1);
    EXPECT_EQ(chosen(nullptr, 0), -1);
}

TEST(Variant, IsTheOneThatIsForced) {
    EXPECT_EQ(chosen("poor"), 3);
    EXPECT_EQ(chosen("good"), 1);
    EXPECT_EQ(chosen("good znver3"), 1);
    EXPECT_EQ(chosen("good znver3 2t"), 1);
    EXPECT_EQ(chosen("goodness"), 2);
    for (const char *wrong : {"best", "none", "goo", "good ", "good znver", "good znver3 2t 2t", "GOOD"}) {
        EXPECT_EQ(chosen(wrong), -1) << wrong;
    }
    EXPECT_EQ(chosen(std::string(1000, 'g').c_str()), -1);
}
