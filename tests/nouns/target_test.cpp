// Targets as data: their names read back, and what is wrong with a name is said.
#include "convc/target.h"

#include <gtest/gtest.h>

namespace convc {
namespace {

std::string complaint(std::string_view text) {
    const Result<Target> target = parse_target(text);
    return target ? "" : target.error().message;
}

TEST(Targets, NamesReadBack) {
    for (const char *name : {"x86-64-linux-sse41", "x86-64-linux-avx2-fma", "x86-64-linux-avx512", "arm-64-linux",
                             "x86-64-linux-avx2-fma znver3", "x86-64-linux-avx2-fma znver3 2t", "arm-64-linux 64t",
                             "cuda-sm_70", "cuda-sm_90", "opencl"}) {
        const Result<Target> target = parse_target(name);
        ASSERT_TRUE(target) << target.error().message;
        EXPECT_EQ(target->full_name(), name);
    }
}

TEST(Targets, PartsAreTold) {
    const Result<Target> target = parse_target("x86-64-linux-avx512 znver5 16t");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->isa, Isa::avx512);
    EXPECT_EQ(target->cpu, "znver5");
    EXPECT_EQ(target->threads, 16);
    EXPECT_EQ(target->name(), "x86-64-linux-avx512");
    EXPECT_EQ(target->isa_word(), "avx512");
    EXPECT_EQ(target->architecture(), "x86-64");
}

TEST(Targets, AKnownCpuModelHasItsCaches) {
    const Target named = *parse_target("x86-64-linux-avx2-fma sapphirerapids 2t"),
                 unknown = *parse_target("x86-64-linux-avx2-fma somelake"),
                 any = *parse_target("x86-64-linux-avx2-fma");
    EXPECT_EQ(named.l1_bytes, 48 << 10);
    EXPECT_EQ(named.l2_bytes, 2 << 20);
    EXPECT_EQ(unknown.l2_bytes, any.l2_bytes);
    EXPECT_EQ(any.l2_bytes, 512 << 10);
}

TEST(Targets, RegistersOfEachInstructionSet) {
    Target target;
    EXPECT_EQ(target.vector_lanes(), 8);
    EXPECT_EQ(target.vector_registers(), 16);
    target.isa = Isa::avx512;
    EXPECT_EQ(target.vector_lanes(), 16);
    EXPECT_EQ(target.vector_registers(), 32);
    target.isa = Isa::sse41;
    EXPECT_EQ(target.vector_lanes(), 4);
    EXPECT_EQ(target.triple(), "x86_64-unknown-linux-gnu");
    target.isa = Isa::neon;
    EXPECT_EQ(target.triple(), "aarch64-unknown-linux-gnu");
    EXPECT_EQ(target.isa_word(), "neon");
    EXPECT_EQ(target.architecture(), "arm-64");
}

TEST(Targets, OfGpusHaveACapability) {
    const Result<Target> target = parse_target("cuda-sm_86");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->gpu, Gpu::cuda);
    EXPECT_EQ(target->capability, 86);
    EXPECT_EQ(target->gpu_word(), "cuda");
    EXPECT_EQ(cuda_target(89).name(), "cuda-sm_86");
    EXPECT_EQ(cuda_target(120).name(), "cuda-sm_90");
    EXPECT_EQ(cuda_target(61).name(), "cuda-sm_70");
    EXPECT_TRUE(opencl_target().on_gpu());
    EXPECT_FALSE(parse_target("arm-64-linux")->on_gpu());
}

TEST(Targets, ComplainOfWhatIsWrong) {
    const std::string known =
        "known are x86-64-linux-sse41, x86-64-linux-avx2-fma, x86-64-linux-avx512, arm-64-linux, cuda-sm_70, "
        "cuda-sm_75, "
        "cuda-sm_80, cuda-sm_86, cuda-sm_90, opencl";
    EXPECT_EQ(complaint("x86-64-linux-avx3"), "unknown target 'x86-64-linux-avx3'; " + known);
    EXPECT_EQ(complaint(""), "unknown target ''; " + known);
    EXPECT_EQ(complaint("arm-64-linux 2t apple-m1"),
              "target 'arm-64-linux 2t apple-m1': unexpected 'apple-m1' after 'arm-64-linux 2t'");
    EXPECT_EQ(complaint("cuda-sm_80 2t"),
              "target 'cuda-sm_80 2t': unexpected '2t' after 'cuda-sm_80'; a GPU's has one word");
    EXPECT_EQ(complaint("arm-64-linux 2t 3t"), "target 'arm-64-linux 2t 3t': unexpected '3t' after 'arm-64-linux 2t'");
}

}  // namespace
}  // namespace convc
