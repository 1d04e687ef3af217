// The CUDA runtime where there is no driver, or one that lacks a function: every call says so, and nothing else
// happens.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "convc/convc.h"
#include "tests/runtime/gpu_fixture.h"

namespace convc::test {
namespace {

TEST(CudaAbsent, EveryCallFails) {
    if (convc_cuda_begin_v1(0) == CONVC_OK) GTEST_SKIP() << "this machine has a driver";
    char byte = 0;
    char anything = 0;
    void *memory = &anything;
    convc_gpu_device info;
    EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_ERROR_DRIVER);
    EXPECT_TRUE(error_says(MISSING));
    EXPECT_EQ(convc_cuda_allocate(1, &memory), CONVC_ERROR_DRIVER);
    EXPECT_EQ(memory, nullptr);
    EXPECT_EQ(convc_cuda_free(&byte), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_upload(&byte, &byte, 1), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_download(&byte, &byte, 1), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_synchronize(nullptr), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_device(&info), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_copy_in_v1(nullptr, 1, &byte, 1), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_copy_out_v1(nullptr, &byte, 1, 1), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
}

TEST(CudaAbsent, AKernelFailsAndItsLaunchesDoNothing) {
    if (convc_cuda_begin_v1(0) == CONVC_OK) GTEST_SKIP() << "this machine has a driver";
    void *state = nullptr;
    convc_gpu_context context = {};
    Arguments arguments;
    arguments.buffer(8);
    EXPECT_EQ(convc_cuda_initialize_kernels_v1(&context, &state, "", 1), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_cuda_run_v1(&context, state, "f", 1, 1, 1, 1, 1, 1, 0, arguments.sizes(), arguments.pointers(),
                                arguments.is_buffer()),
              CONVC_ERROR_DRIVER);
    convc_cuda_finalize_kernels_v1(&context, state);
    EXPECT_EQ(context.error, uint64_t{CONVC_ERROR_DRIVER});
}

TEST(CudaAbsent, EveryThreadIsTold) {
    if (convc_cuda_begin_v1(0) == CONVC_OK) GTEST_SKIP() << "this machine has a driver";
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_ERROR_DRIVER);
            EXPECT_TRUE(error_says(MISSING));
        });
    }
    for (std::thread &thread : threads) thread.join();
}

}  // namespace
}  // namespace convc::test
