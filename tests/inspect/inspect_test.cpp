#include "compiler/inspect/inspect.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/inspect/assemble.h"

namespace convc {
namespace {

using test::assemble;
using test::assemble_function;

Target target_of(const char *name) {
    return *parse_target(name);
}

const char *const avx512 = "x86-64-linux-avx512 znver4";
const char *const avx2 = "x86-64-linux-avx2-fma";

std::vector<GroupCode> groups_of(const Kernel &kernel) {
    Result<std::vector<GroupCode>> groups = inspect_kernel(kernel);
    if (groups) return *groups;
    ADD_FAILURE() << groups.error().message;
    return {};
}

InnerLoop hottest_of(const std::string &body, const Target &target) {
    const std::vector<GroupCode> groups = groups_of(assemble_function(body, target));
    const InnerLoop *hottest = groups.empty() ? nullptr : groups[0].hottest();
    if (hottest) return *hottest;
    ADD_FAILURE() << "no loop";
    return {};
}

// A loop of independent multiply-adds from registers, then `more`.
std::string loop_of(int fmas, const std::string &more = "") {
    std::string text = "mov $100, %rcx\n1:\n";
    for (int i = 0; i < fmas; i++) text += fmt::format("vfmadd231ps %zmm30, %zmm31, %zmm{}\n", i);
    return text + more + "dec %rcx\njne 1b\nret\n";
}

TEST(InspectKernel, CountsWhatALoopDoes) {
    const InnerLoop loop = hottest_of(
        "mov $100, %rcx\n"
        "1: vmovups (%rsi), %zmm2\n"
        "vfmadd231ps (%rdi){1to16}, %zmm2, %zmm0\n"
        "vfmadd231ps 64(%rsi), %zmm2, %zmm1\n"
        "vmovups %zmm0, (%rdx)\n"
        "add $64, %rsi\n"
        "dec %rcx\n"
        "jne 1b\n"
        "ret\n",
        target_of(avx512));
    EXPECT_EQ(loop.function, "convc_layer_run0");
    EXPECT_EQ(loop.offset, 7U);
    EXPECT_EQ(loop.instructions, 7);
    EXPECT_EQ(loop.fmas, 2);
    EXPECT_EQ(loop.multiply_adds, 32);
    EXPECT_EQ(loop.loads, 3);
    EXPECT_EQ(loop.stores, 1);
    EXPECT_EQ(loop.bytes_loaded, 64 + 4 + 64);
    EXPECT_EQ(loop.spill_loads + loop.spill_stores + loop.calls + loop.selects, 0);
    EXPECT_EQ(loop.depth, 1);
}

TEST(InspectKernel, LanesFollowTheRegisters) {
    const auto lanes = [](const std::string &instruction, const char *target) {
        return hottest_of("1: " + instruction + "\ndec %rcx\njne 1b\nret\n", target_of(target)).multiply_adds;
    };
    EXPECT_EQ(lanes("vfmadd231ps %zmm1, %zmm2, %zmm3", avx512), 16);
    EXPECT_EQ(lanes("vfmadd231ps %ymm17, %ymm2, %ymm3", avx512), 8);
    EXPECT_EQ(lanes("vfnmadd213ps %ymm1, %ymm2, %ymm3", avx2), 8);
    EXPECT_EQ(lanes("vfmadd231ps %xmm1, %xmm2, %xmm3", avx2), 4);
    EXPECT_EQ(lanes("vfmadd231ss %xmm1, %xmm2, %xmm3", avx2), 0);
    EXPECT_EQ(lanes("vmulps %ymm1, %ymm2, %ymm3", avx2), 0);
    EXPECT_EQ(lanes("mulps %xmm1, %xmm2", "x86-64-linux-sse41"), 4);
}

TEST(InspectKernel, ASpillIsAVectorBesideTheStackPointer) {
    const auto spills = [](const std::string &instruction) {
        const InnerLoop loop = hottest_of(loop_of(4, instruction + "\n"), target_of(avx512));
        return std::pair(loop.spill_loads, loop.spill_stores);
    };
    EXPECT_EQ(spills("vmovups %zmm0, -64(%rsp)"), std::pair(0, 1));
    EXPECT_EQ(spills("vmovups 128(%rsp), %zmm0"), std::pair(1, 0));
    EXPECT_EQ(spills("vfmadd231ps 128(%rsp), %zmm1, %zmm2"), std::pair(1, 0));
    EXPECT_EQ(spills("vmovups %zmm0, (%rsp,%rax)"), std::pair(0, 0));  // an array
    EXPECT_EQ(spills("mov %rax, 8(%rsp)"), std::pair(0, 0));
    EXPECT_EQ(spills("vmovups %zmm0, 64(%rbp)"), std::pair(0, 0));  // a register like any
    const InnerLoop framed =
        hottest_of("push %rbp\nmov %rsp, %rbp\n" + loop_of(4, "vmovups %zmm0, -64(%rbp)\n"), target_of(avx512));
    EXPECT_EQ(framed.spill_stores, 1);
}

TEST(InspectKernel, FindsTheInnermostOfNestedLoops) {
    const std::vector<GroupCode> groups =
        groups_of(assemble_function("mov $3, %rax\n"
                                    "1: mov $4, %rbx\n"
                                    "2: vfmadd231ps %ymm1, %ymm2, %ymm3\n"
                                    "jp 4f\n"
                                    "3: dec %rbx\n"
                                    "jne 2b\n"
                                    "mov $4, %rbx\n"
                                    "5: vaddps %ymm1, %ymm2, %ymm3\n"
                                    "dec %rbx\n"
                                    "jne 5b\n"
                                    "dec %rax\n"
                                    "jne 1b\n"
                                    "ret\n"
                                    "4: inc %rdx\n"  // of the first inner loop, though it lies behind all of them
                                    "jmp 3b\n",
                                    target_of(avx2)));
    ASSERT_EQ(groups.size(), 1U);
    const std::vector<InnerLoop> &loops = groups[0].loops;
    ASSERT_EQ(loops.size(), 2U);
    EXPECT_EQ(loops[0].depth, 2);
    EXPECT_EQ(loops[0].instructions, 6);
    EXPECT_EQ(loops[1].depth, 2);
    EXPECT_EQ(loops[1].instructions, 3);
    EXPECT_EQ(groups[0].hottest(), &loops[0]);
}

TEST(InspectKernel, AGroupHasItsParallelPartsAndNoOthers) {
    const auto function = [](const std::string &name, const std::string &body) {
        return fmt::format(".section .text.{0},\"ax\",@progbits\n.type {0}, @function\n{0}:\n{1}\n.size {0}, .-{0}\n",
                           name, body);
    };
    const std::string turn = "vfmadd231ps %ymm1, %ymm2, %ymm3\ndec %rcx\njne 1b\nret\n";
    const std::vector<GroupCode> groups = groups_of(assemble(
        function("part.0", "1: nop\n" + turn) + function("part.1", "1: nop\nnop\n" + turn) +
            function("convc_layer_run0", "lea part.1(%rip), %rdi\njmp convc_kernel_parallel_for_v1") +
            function("convc_layer_run1", "1: " + turn) + function("convc_layer_pack0", "lea part.0(%rip), %rdi\nret"),
        target_of(avx2)));
    ASSERT_EQ(groups.size(), 2U);
    ASSERT_EQ(groups[0].loops.size(), 1U);
    EXPECT_EQ(groups[0].loops[0].function, "part.1");
    EXPECT_EQ(groups[0].loops[0].depth, 2);  // the parallel loop counts
    ASSERT_EQ(groups[1].loops.size(), 1U);
    EXPECT_EQ(groups[1].loops[0].function, "convc_layer_run1");
}

const std::string sum = "vfmadd231ps %zmm1, %zmm2, %zmm3\n";

// The hottest of a loop with a label 3 and one with a label 4.
InnerLoop hotter_of(const std::string &first, const std::string &second) {
    return hottest_of("1: nop\n3: " + first + "dec %rcx\njne 3b\n4: " + second + "dec %rcx\njne 4b\nret\n",
                      target_of(avx512));
}

TEST(InspectKernel, TheHottestLoopHasManyMultiplyAdds) {
    EXPECT_EQ(hotter_of(sum, sum + sum).fmas, 2);
    EXPECT_EQ(hotter_of(sum + sum, sum).fmas, 2);
}

TEST(InspectKernel, TheHottestLoopDoesLittleElse) {
    EXPECT_EQ(hotter_of(".rept 40\nnop\n.endr\n" + sum + sum + sum, sum + sum).fmas, 2);
}

TEST(InspectKernel, TheHottestLoopStoresNothingButSpills) {
    EXPECT_EQ(hotter_of("vmovups %zmm3, (%rdi)\n" + sum + sum, sum).stores, 0);
    EXPECT_EQ(hotter_of("vmovups %zmm3, (%rsp)\n" + sum + sum, sum).spill_stores, 1);
}

TEST(InspectKernel, TheHottestLoopSelectsNoLanes) {
    EXPECT_EQ(hotter_of("vmovaps %zmm4, %zmm2{%k1}\n" + sum + sum, sum).selects, 0);
    EXPECT_EQ(hotter_of("vfmadd231ps %zmm1, %zmm2, %zmm3{%k1}\n" + sum, sum).fmas, 2);
}

TEST(InspectKernel, TheHottestLoopLiesDeep) {
    const InnerLoop hottest =
        hottest_of("1: " + sum + "dec %rcx\njne 1b\n2: nop\n3: " + sum +
                       "dec %rcx\njne 3b\ndec %rdx\njne 2b\n4: " + sum + "dec %rcx\njne 4b\nret\n",
                   target_of(avx512));
    EXPECT_EQ(hottest.depth, 2);
}

TEST(InspectKernel, ReadsArm) {
    const Target arm = target_of("arm-64-linux");
    const InnerLoop loop = hottest_of(
        "1: ldp q1, q2, [x0], #32\n"
        "ld1r {v3.4s}, [x1]\n"
        "fmla v4.4s, v1.4s, v3.4s\n"
        "fmla v5.4s, v2.4s, v3.s[1]\n"
        "str q4, [sp, #16]\n"
        "subs x2, x2, #1\n"
        "b.ne 1b\n"
        "ret\n",
        arm);
    EXPECT_EQ(loop.instructions, 7);
    EXPECT_EQ(loop.fmas, 2);
    EXPECT_EQ(loop.multiply_adds, 8);
    EXPECT_EQ(loop.bytes_loaded, 32 + 4);
    EXPECT_EQ(loop.spill_stores, 1);
    const Result<LoopCycles> cycles = loop_cycles(loop, target_of("arm-64-linux neoverse-n1"));
    ASSERT_TRUE(cycles) << cycles.error().message;
    EXPECT_GE(cycles->cycles, 1);
}

TEST(InspectKernel, SaysWhatItCannotRead) {
    Kernel kernel = assemble_function(loop_of(1), target_of(avx512));
    kernel.symbol = "other";
    EXPECT_NE(inspect_kernel(kernel).error().message.find("'other'"), std::string::npos);
    kernel.objects[0].bytes = "nothing";
    EXPECT_NE(inspect_kernel(kernel).error().message.find("cannot read layer.o"), std::string::npos);
}

// Zen 4 begins one multiply-add of 64 bytes a cycle, and a sum is there after four.
TEST(LoopCycles, FollowTheModelOfTheCpu) {
    const Target target = target_of(avx512);
    const Result<LoopCycles> many = loop_cycles(hottest_of(loop_of(12), target), target);
    ASSERT_TRUE(many) << many.error().message;
    EXPECT_EQ(many->cpu, "znver4");
    EXPECT_NEAR(many->cycles, 12, 0.5);
    EXPECT_NEAR(many->fma_cycles, 12, 0.5);
    EXPECT_NEAR(many->instructions_per_cycle, 14 / many->cycles, 0.01);
    EXPECT_GE(many->uops, 14);
    ASSERT_FALSE(many->pressure.empty());
    EXPECT_NEAR(many->pressure[0].cycles, 12, 0.5);
    const Result<LoopCycles> few = loop_cycles(hottest_of(loop_of(1), target), target);
    EXPECT_NEAR(few->cycles, 4, 0.1);
    EXPECT_NEAR(few->fma_cycles, 1, 0.1);
}

TEST(LoopCycles, OfATargetWithoutACpuAreTheOldestOnes) {
    const InnerLoop loop = hottest_of("1: vfmadd231ps %ymm1, %ymm2, %ymm3\ndec %rcx\njne 1b\nret\n", target_of(avx2));
    const Result<LoopCycles> cycles = loop_cycles(loop, target_of(avx2));
    ASSERT_TRUE(cycles) << cycles.error().message;
    EXPECT_EQ(cycles->cpu, "x86-64-v3");
    EXPECT_NEAR(cycles->cycles, 5, 0.1);  // Haswell's latency
}

TEST(LoopCycles, ACallIsAnError) {
    const Target target = target_of(avx512);
    const InnerLoop loop = hottest_of(loop_of(4, "call elsewhere\n"), target);
    EXPECT_EQ(loop.calls, 1);
    EXPECT_FALSE(loop_cycles(loop, target));
}

std::string rejection_of(const std::string &body) {
    const Target target = target_of(avx2);
    return code_rejection(groups_of(assemble_function(body, target)), target).value_or("");
}

// A loop of twelve multiply-adds, with more than those.
std::string twelve_and(const std::string &more) {
    std::string text = "1:\n";
    for (int i = 0; i < 12; i++) text += fmt::format("vfmadd231ps %ymm13, %ymm14, %ymm{}\n", i);
    return text + more + "dec %rcx\njne 1b\nret\n";
}

std::string spills(int count) {
    std::string text;
    for (int i = 0; i < count; i++) text += fmt::format("vmovups %ymm{}, {}(%rsp)\n", i, 32 * i);
    return text;
}

// Haswell, whose model a target without a CPU has, begins two multiply-adds and one store a cycle.
TEST(CodeRejection, NamesWhatIsWrong) {
    EXPECT_EQ(rejection_of(twelve_and("")), "");
    EXPECT_EQ(rejection_of(twelve_and(spills(3))), "");
    EXPECT_EQ(rejection_of(twelve_and(spills(5))), "");  // beside the multiply-adds they cost nothing
    EXPECT_EQ(rejection_of(twelve_and(spills(12))),
              "its inner loop of 12 multiply-adds spills 12 vector registers, and takes 12 cycles, not 6");
    EXPECT_EQ(rejection_of(twelve_and("call expf\n")), "its inner loop of 12 multiply-adds calls a function");
    EXPECT_EQ(rejection_of(twelve_and(".rept 5000\nvaddps %ymm1, %ymm2, %ymm3\n.endr\n")),
              "its inner loop takes 20069 bytes of code, more than 16384");
    EXPECT_EQ(rejection_of("ret\n"), "");
}

}  // namespace
}  // namespace convc
