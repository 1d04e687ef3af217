// What ptxas says, read; and how many blocks fit on a multiprocessor by NVIDIA's rules.
#include "compiler/inspect/ptxas.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "schedules/gpu_model.h"

namespace convc {
namespace {

constexpr const char *report =
    "ptxas info    : 0 bytes gmem\n"
    "ptxas info    : Compiling entry function 'first' for 'sm_80'\n"
    "ptxas info    : Function properties for first\n"
    "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    "ptxas info    : Used 56 registers, used 1 barriers, 384 bytes cmem[0], 16 bytes cmem[2]\n"
    "ptxas info    : Compiling entry function 'second' for 'sm_80'\n"
    "ptxas info    : Function properties for second\n"
    "    24 bytes stack frame, 20 bytes spill stores, 16 bytes spill loads\n"
    "ptxas info    : Used 255 registers, 4096 bytes smem, 384 bytes cmem[0]\n";

TEST(Ptxas, ItsReportIsRead) {
    const std::vector<AssembledFunction> functions = read_ptxas_report(report);
    ASSERT_EQ(functions.size(), 2U);
    EXPECT_EQ(functions[0].name, "first");
    EXPECT_EQ(functions[0].registers, 56);
    EXPECT_EQ(functions[0].shared_bytes, 0);
    EXPECT_EQ(functions[0].spilled_bytes, 0);
    EXPECT_EQ(functions[1].name, "second");
    EXPECT_EQ(functions[1].registers, 255);
    EXPECT_EQ(functions[1].shared_bytes, 4096);
    EXPECT_EQ(functions[1].spilled_bytes, 20);
    EXPECT_TRUE(read_ptxas_report("").empty());
}

TEST(Ptxas, AProgramThatFailsOrIsNotThereIsAnError) {
    const auto failed = assemble_ptx("/bin/false", ".version 7.0\n", 80);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().failure, Failure::environment);
    EXPECT_FALSE(assemble_ptx("/nowhere/ptxas", "", 80));
}

TEST(Ptxas, AssemblesWhereItIsInstalled) {
    const auto ptxas = find_ptxas();
    if (!ptxas) GTEST_SKIP() << "no ptxas is installed";
    const std::string empty =
        ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry nothing()\n{\n    ret;\n}\n";
    const auto functions = assemble_ptx(*ptxas, empty, 80);
    ASSERT_TRUE(functions) << functions.error().message;
    ASSERT_EQ(functions->size(), 1U);
    EXPECT_EQ((*functions)[0].name, "nothing");
    EXPECT_GT((*functions)[0].registers, 0);
    EXPECT_FALSE(assemble_ptx(*ptxas, "no PTX\n", 80));
}

// As NVIDIA's occupancy calculator has them.
TEST(ResidentBlocks, AreLimitedByWhateverRunsOutFirst) {
    const GpuFacts a100 = gpu_facts(*parse_target("cuda-sm_80")), t4 = gpu_facts(*parse_target("cuda-sm_75"));
    EXPECT_EQ(resident_blocks(a100, 256, 32, 0), 8);         // threads
    EXPECT_EQ(resident_blocks(a100, 256, 64, 0), 4);         // registers
    EXPECT_EQ(resident_blocks(a100, 256, 65, 0), 3);         // of which a warp takes 2304
    EXPECT_EQ(resident_blocks(a100, 32, 16, 0), 32);         // blocks
    EXPECT_EQ(resident_blocks(a100, 128, 32, 48 << 10), 3);  // shared memory: 49 KB with what is reserved
    EXPECT_EQ(resident_blocks(t4, 32, 16, 0), 16);
    EXPECT_EQ(resident_blocks(t4, 128, 32, 32 << 10), 2);
}

}  // namespace
}  // namespace convc
