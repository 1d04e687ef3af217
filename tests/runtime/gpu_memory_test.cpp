// The scratch memory of a GPU call: blocks lie where they should, never overlap, and come back as documented; and the
// layouts that code generation mirrors.
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "convc/convc.h"
#include "runtime/gpu_runtime/gpu_runtime.h"

namespace {

constexpr uint64_t base = uint64_t{1} << 40;

convc_gpu_context context_of(uint64_t capacity, uint64_t used = 0) {
    convc_gpu_context context = {};
    context.device_base = base;
    context.device_capacity = capacity;
    context.device_used = used;
    return context;
}

// A buffer of f32 in one dimension, as Halide makes one for an intermediate.
struct Intermediate {
    explicit Intermediate(int32_t elements) : dimension{0, elements, 1, 0} {
        buffer.type_code = 2;
        buffer.type_bits = 32;
        buffer.type_lanes = 1;
        buffer.dimensions = 1;
        buffer.dim = &dimension;
    }
    Intermediate(const Intermediate &) = delete;
    Intermediate &operator=(const Intermediate &) = delete;

    convc_gpu_dimension dimension;
    convc_gpu_buffer buffer = {};
};

int take(convc_gpu_context &context, Intermediate &block) {
    return convc_cuda_malloc_v1(&context, &block.buffer, convc_cuda_device_interface_v1());
}

int give(convc_gpu_context &context, Intermediate &block) {
    return convc_cuda_free_v1(&context, &block.buffer);
}

TEST(GpuLayout, IsWhatCodeGenerationWrites) {
    EXPECT_EQ(offsetof(convc_gpu_context, device_base), 32u);
    EXPECT_EQ(offsetof(convc_gpu_context, stream), 56u);
    EXPECT_EQ(offsetof(convc_gpu_context, error), 64u);
    EXPECT_EQ(offsetof(convc_gpu_context, module), 72u);
    EXPECT_EQ(offsetof(convc_gpu_context, block_count), 80u);
    EXPECT_EQ(sizeof(convc_gpu_context), 216u);
    EXPECT_EQ(offsetof(convc_gpu_buffer, flags), 24u);
    EXPECT_EQ(offsetof(convc_gpu_buffer, dimensions), 36u);
    EXPECT_EQ(offsetof(convc_gpu_buffer, dim), 40u);
    EXPECT_EQ(sizeof(convc_gpu_buffer), 56u);
}

TEST(GpuBlockBytes, AreMultiplesOfTheAlignmentAndNeverNone) {
    EXPECT_EQ(convc_gpu_block_bytes(0), 512u);
    EXPECT_EQ(convc_gpu_block_bytes(1), 512u);
    EXPECT_EQ(convc_gpu_block_bytes(512), 512u);
    EXPECT_EQ(convc_gpu_block_bytes(513), 1024u);
    EXPECT_EQ(convc_gpu_block_bytes(uint64_t{1} << 40), uint64_t{1} << 40);
}

TEST(GpuScratch, FillsTheWorkspaceExactlyAndThenFails) {
    convc_gpu_context context = context_of(1000 + 24 + 512 + 1024, 1000);
    Intermediate first(100);
    Intermediate second(200);
    Intermediate third(1);
    ASSERT_EQ(take(context, first), CONVC_OK);
    ASSERT_EQ(take(context, second), CONVC_OK);
    EXPECT_EQ(first.buffer.device, base + 1024);
    EXPECT_EQ(second.buffer.device, base + 1536);
    EXPECT_EQ(first.buffer.device_interface, convc_cuda_device_interface_v1());
    EXPECT_EQ(context.device_used, context.device_capacity);
    EXPECT_EQ(take(context, third), CONVC_ERROR_INTERNAL);
    EXPECT_EQ(third.buffer.device, 0u);
    EXPECT_EQ(context.error, uint64_t{CONVC_ERROR_INTERNAL});
    EXPECT_NE(std::string(convc_gpu_error()).find("4 bytes"), std::string::npos) << convc_gpu_error();
}

TEST(GpuScratch, AWorkspaceThatEndsBeforeTheAlignmentHasNoRoom) {
    for (const uint64_t used : {uint64_t{0}, uint64_t{1}, uint64_t{300}}) {
        convc_gpu_context context = context_of(300, used);
        Intermediate block(1);
        EXPECT_EQ(take(context, block), CONVC_ERROR_INTERNAL) << used;
    }
}

TEST(GpuScratch, CountsTheBytesBetweenTheFirstElementAndTheLast) {
    const convc_gpu_dimension dimensions[] = {{-3, 8, 1, 0}, {0, 5, -16, 0}, {7, 3, 100, 0}};
    Intermediate block(1);
    block.buffer.dim = dimensions;
    block.buffer.dimensions = 3;
    convc_gpu_context context = context_of(1 << 20);
    ASSERT_EQ(take(context, block), CONVC_OK);
    EXPECT_EQ(context.device_used, convc_gpu_block_bytes(4 * (1 + 7 + 4 * 16 + 2 * 100)));
}

TEST(GpuScratch, AnExtentOfZeroTakesTheSmallestBlock) {
    convc_gpu_context context = context_of(1 << 20);
    Intermediate block(0);
    ASSERT_EQ(take(context, block), CONVC_OK);
    EXPECT_EQ(context.device_used, 512u);
}

TEST(GpuScratch, LeavesABufferThatHasMemoryAlone) {
    convc_gpu_context context = context_of(1 << 20);
    Intermediate output(10);
    output.buffer.device = 12345;
    EXPECT_EQ(take(context, output), CONVC_OK);
    EXPECT_EQ(convc_cuda_copy_to_device_v1(&context, &output.buffer, nullptr), CONVC_OK);
    EXPECT_EQ(output.buffer.device, 12345u);
    EXPECT_EQ(context.device_used, 0u);
}

TEST(GpuScratch, CopyToDeviceGivesMemoryAndRefusesWhatIsOnTheHost) {
    convc_gpu_context context = context_of(1 << 20);
    Intermediate intermediate(10);
    EXPECT_EQ(convc_cuda_copy_to_device_v1(&context, &intermediate.buffer, nullptr), CONVC_OK);
    EXPECT_EQ(intermediate.buffer.device, base);
    Intermediate table(10);
    table.buffer.flags = 1;
    EXPECT_EQ(convc_cuda_copy_to_device_v1(&context, &table.buffer, nullptr), CONVC_ERROR_INTERNAL);
    EXPECT_EQ(context.error, uint64_t{CONVC_ERROR_INTERNAL});
}

TEST(GpuScratch, ABlockFreedBelowALiveOneIsTakenBackWithIt) {
    convc_gpu_context context = context_of(1 << 20);
    Intermediate low(10);
    Intermediate middle(10);
    Intermediate top(10);
    ASSERT_EQ(take(context, low), CONVC_OK);
    ASSERT_EQ(take(context, middle), CONVC_OK);
    ASSERT_EQ(take(context, top), CONVC_OK);
    give(context, middle);
    give(context, middle);
    EXPECT_EQ(context.device_used, 3 * 512u);
    give(context, top);
    EXPECT_EQ(context.device_used, 512u);
    convc_cuda_free_as_destructor_v1(&context, &top.buffer);
    EXPECT_EQ(context.device_used, 512u);
    convc_cuda_free_as_destructor_v1(&context, &low.buffer);
    EXPECT_EQ(context.device_used, 0u);
    EXPECT_EQ(context.block_count, 0u);
}

TEST(GpuScratch, HoldsAsManyBlocksAsDocumentedForAnyNumberOfRounds) {
    convc_gpu_context context = context_of(1 << 20);
    for (int round = 0; round < 100; ++round) {
        std::vector<std::unique_ptr<Intermediate>> blocks;
        for (int i = 0; i < CONVC_GPU_BLOCKS; ++i) {
            blocks.push_back(std::make_unique<Intermediate>(i));
            ASSERT_EQ(take(context, *blocks.back()), CONVC_OK) << i;
        }
        for (const auto &block : blocks) give(context, *block);
        ASSERT_EQ(context.device_used, 0u);
    }
    std::vector<std::unique_ptr<Intermediate>> blocks;
    for (int i = 0; i < CONVC_GPU_BLOCKS; ++i) {
        blocks.push_back(std::make_unique<Intermediate>(i));
        ASSERT_EQ(take(context, *blocks.back()), CONVC_OK);
    }
    Intermediate one_more(1);
    EXPECT_EQ(take(context, one_more), CONVC_ERROR_INTERNAL);
}

// The model: what is alive, and the end of the highest block alive. Memory below that may not be given out again.
TEST(GpuScratch, NeverOverlapsUnderRandomTakesAndGives) {
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        convc_gpu_context context = context_of(1 << 16, random() % 2000);
        std::vector<std::unique_ptr<Intermediate>> alive;
        for (int step = 0; step < 200; ++step) {
            if (!alive.empty() && (random() % 2 == 0 || alive.size() == 5)) {
                const size_t which = random() % alive.size();
                give(context, *alive[which]);
                alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(which));
                continue;
            }
            auto block = std::make_unique<Intermediate>(static_cast<int32_t>(random() % 300));
            if (take(context, *block) != CONVC_OK) break;  // the workspace or the table is full of blocks given back
            const uint64_t begin = block->buffer.device;
            const uint64_t end = begin + 4 * static_cast<uint64_t>(block->dimension.extent);
            ASSERT_EQ(begin % CONVC_GPU_ALIGNMENT, 0u);
            ASSERT_LE(end, base + context.device_capacity);
            for (const auto &other : alive) {
                const uint64_t other_begin = other->buffer.device;
                const uint64_t other_end = other_begin + 4 * static_cast<uint64_t>(other->dimension.extent);
                ASSERT_TRUE(end <= other_begin || other_end <= begin);
            }
            alive.push_back(std::move(block));
        }
        for (const auto &block : alive) give(context, *block);
        ASSERT_EQ(context.block_count, 0u);
    }
}

// OpenCL's blocks are the same, at an offset in the cl_mem of the workspace.
TEST(GpuScratch, OpenClBlocksAreOffsets) {
    convc_gpu_context context = context_of(1 << 20, 700);
    Intermediate low(10);
    Intermediate top(10);
    low.buffer.padding = 99;
    ASSERT_EQ(convc_opencl_malloc_v1(&context, &low.buffer, convc_opencl_device_interface_v1()), CONVC_OK);
    ASSERT_EQ(convc_opencl_copy_to_device_v1(&context, &top.buffer, nullptr), CONVC_OK);
    EXPECT_EQ(low.buffer.device, base);
    EXPECT_EQ(low.buffer.padding, 1024u);
    EXPECT_EQ(top.buffer.padding, 1536u);
    convc_opencl_free_as_destructor_v1(&context, &low.buffer);
    EXPECT_EQ(convc_opencl_free_v1(&context, &top.buffer), CONVC_OK);
    EXPECT_EQ(context.device_used, 1024u);
    EXPECT_EQ(low.buffer.device, 0u);
}

TEST(GpuScratch, TakesNothingAfterAFailure) {
    convc_gpu_context context = context_of(1 << 20);
    context.error = CONVC_ERROR_LAUNCH;
    Intermediate block(10);
    EXPECT_EQ(take(context, block), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(convc_cuda_copy_to_device_v1(&context, &block.buffer, nullptr), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(convc_opencl_malloc_v1(&context, &block.buffer, nullptr), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(convc_opencl_copy_to_device_v1(&context, &block.buffer, nullptr), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(block.buffer.device, 0u);
    EXPECT_EQ(context.block_count, 0u);
}

}  // namespace
