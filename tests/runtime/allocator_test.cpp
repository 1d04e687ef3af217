// The workspace allocator against a model: blocks never overlap, keep their contents, and room comes back as
// documented.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "runtime/kernel_runtime/kernel_runtime.h"

namespace {

struct Workspace {
    explicit Workspace(uint64_t capacity) : bytes(capacity + 64) {
        auto address = reinterpret_cast<uintptr_t>(bytes.data());
        context = {bytes.data() + (64 - address % 64) % 64, capacity, 0, 0};
    }
    std::vector<char> bytes;
    convc_kernel_context context{};
};

TEST(BlockBytes, HoldsHeaderBytesAndPaddingInCacheLines) {
    EXPECT_EQ(convc_kernel_block_bytes(0), 128u);
    EXPECT_EQ(convc_kernel_block_bytes(1), 192u);
    EXPECT_EQ(convc_kernel_block_bytes(64), 192u);
    EXPECT_EQ(convc_kernel_block_bytes(65), 256u);
    EXPECT_EQ(convc_kernel_block_bytes(UINT64_C(1) << 40), (UINT64_C(1) << 40) + 128);
}

TEST(Allocator, FillsTheWorkspaceExactlyAndThenRefuses) {
    Workspace workspace(convc_kernel_block_bytes(100) + convc_kernel_block_bytes(1000));
    void *first = convc_kernel_malloc_v1(&workspace.context, 100);
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(convc_kernel_malloc_v1(&workspace.context, 1025), nullptr);
    void *second = convc_kernel_malloc_v1(&workspace.context, 1000);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(workspace.context.used, workspace.context.capacity);
    EXPECT_EQ(convc_kernel_malloc_v1(&workspace.context, 0), nullptr);
    convc_kernel_free_v1(&workspace.context, second);
    convc_kernel_free_v1(&workspace.context, first);
    EXPECT_EQ(workspace.context.used, 0u);
}

TEST(Allocator, RefusesSizesNearTwoToThe64) {
    Workspace workspace(4096);
    for (const uint64_t bytes : {UINT64_MAX, UINT64_MAX - 64, UINT64_MAX - 191, UINT64_MAX / 2, UINT64_C(4097)}) {
        EXPECT_EQ(convc_kernel_malloc_v1(&workspace.context, bytes), nullptr) << bytes;
    }
    EXPECT_EQ(workspace.context.used, 0u);
}

TEST(Allocator, RefusesEverythingWithoutAWorkspace) {
    convc_kernel_context context = {nullptr, 0, 0, 0};
    EXPECT_EQ(convc_kernel_malloc_v1(&context, 0), nullptr);
    convc_kernel_free_v1(&context, nullptr);
}

TEST(Allocator, ABlockFreedBelowALiveOneIsTakenBackWithIt) {
    Workspace workspace(1 << 16);
    void *low = convc_kernel_malloc_v1(&workspace.context, 10);
    void *middle = convc_kernel_malloc_v1(&workspace.context, 20);
    const uint64_t before = workspace.context.used;
    void *top = convc_kernel_malloc_v1(&workspace.context, 30);
    convc_kernel_free_v1(&workspace.context, low);
    EXPECT_GT(workspace.context.used, before);
    convc_kernel_free_v1(&workspace.context, top);
    EXPECT_EQ(workspace.context.used, before);
    convc_kernel_free_v1(&workspace.context, middle);
    EXPECT_EQ(workspace.context.used, 0u);
}

struct Block {
    char *data;
    uint64_t bytes;
    uint64_t begin;  // in the workspace, header included
    char fill;
    bool live = true;
};

// The model: a vector of blocks from which freed ones are popped off the end.
class Model {
public:
    explicit Model(uint64_t capacity) : workspace_(capacity) {}

    void allocate(uint64_t bytes, char fill) {
        const uint64_t room = convc_kernel_block_bytes(bytes);
        auto *data = static_cast<char *>(convc_kernel_malloc_v1(&workspace_.context, bytes));
        ASSERT_EQ(data != nullptr, used_ + room <= workspace_.context.capacity);
        if (data == nullptr) return;
        ASSERT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
        ASSERT_EQ(data, workspace_.context.base + used_ + 64);
        std::memset(data, fill, bytes);
        blocks_.push_back({data, bytes, used_, fill});
        used_ += room;
    }

    void free(size_t which) {
        Block &block = blocks_[which];
        if (!block.live) return;
        ASSERT_EQ(std::string(block.data, block.bytes), std::string(block.bytes, block.fill));
        convc_kernel_free_v1(&workspace_.context, block.data);
        block.live = false;
        while (!blocks_.empty() && !blocks_.back().live) {
            used_ = blocks_.back().begin;
            blocks_.pop_back();
        }
        ASSERT_EQ(workspace_.context.used, used_);
    }

    size_t size() const { return blocks_.size(); }

private:
    Workspace workspace_;
    std::vector<Block> blocks_;
    uint64_t used_ = 0;
};

TEST(Allocator, FollowsTheModelUnderRandomAllocationsAndFrees) {
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        Model model(1 << 14);
        for (int step = 0; step < 300 && !testing::Test::HasFatalFailure(); ++step) {
            if (model.size() == 0 || random() % 2 == 0) {
                model.allocate(random() % 800, static_cast<char>('a' + random() % 26));
            } else {
                model.free(random() % model.size());
            }
        }
        while (model.size() > 0 && !testing::Test::HasFatalFailure()) model.free(random() % model.size());
    }
}

}  // namespace
