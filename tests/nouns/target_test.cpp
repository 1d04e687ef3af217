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
                             "x86-64-linux-avx2-fma znver3", "x86-64-linux-avx2-fma znver3 2t", "arm-64-linux 64t"}) {
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

TEST(Targets, ComplainOfWhatIsWrong) {
    const std::string known = "known are x86-64-linux-sse41, x86-64-linux-avx2-fma, x86-64-linux-avx512, arm-64-linux";
    EXPECT_EQ(complaint("x86-64-linux-avx3"), "unknown target 'x86-64-linux-avx3'; " + known);
    EXPECT_EQ(complaint(""), "unknown target ''; " + known);
    EXPECT_EQ(complaint("arm-64-linux 2t apple-m1"),
              "target 'arm-64-linux 2t apple-m1': unexpected 'apple-m1' after 'arm-64-linux 2t'");
    EXPECT_EQ(complaint("arm-64-linux 2t 3t"), "target 'arm-64-linux 2t 3t': unexpected '3t' after 'arm-64-linux 2t'");
}

}  // namespace
}  // namespace convc
