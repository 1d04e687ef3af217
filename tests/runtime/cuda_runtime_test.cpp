// The CUDA runtime against a driver of ours (stub_cuda.c): the device, contexts, modules, launches, captures, and each
// way in which the driver can fail there. cuda_memory_test.cpp has the rest.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/runtime/cuda_fixture.h"

namespace convc::test {
namespace {

// ---- the driver and the device ----

void start_that_fails_and_then_works() {
    const Kernel kernel;
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    EXPECT_EQ(stub_cuda_calls("cuInit"), 0);
    EXPECT_STREQ(convc_gpu_error(), "");
    stub_cuda_fail("cuInit", no_device, 1);
    EXPECT_EQ(convc_cuda_begin_v1(0), CONVC_ERROR_DEVICE);
    EXPECT_TRUE(error_says("(cuInit)"));
    stub_cuda_fail("cuInit", 999, 1);
    EXPECT_EQ(convc_cuda_begin_v1(0), CONVC_ERROR_DRIVER);
    stub_cuda_fail("cuInit", 1234, 1);
    EXPECT_EQ(Kernel().call(), uint64_t{CONVC_ERROR_DRIVER});
    EXPECT_TRUE(error_says("CUDA_ERROR_UNKNOWN: no description (cuInit)"));
    stub_cuda_fail("cuInit", out_of_memory, 1);
    EXPECT_EQ(convc_cuda_begin_v1(0), CONVC_ERROR_MEMORY);
    EXPECT_TRUE(error_says("CUDA_ERROR_OUT_OF_MEMORY: out of memory (cuInit)"));
    EXPECT_EQ(stub_cuda_launches(), 0);
    EXPECT_EQ(convc_cuda_begin_v1(0), CONVC_OK);
    EXPECT_EQ(Kernel().call(), 0u);
    EXPECT_EQ(stub_cuda_calls("cuInit"), 5);
}

// In a process of its own: in this one the driver may have started.
TEST(CudaStart, AsksADriverThatDoesNotStartAgain) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(
        {
            start_that_fails_and_then_works();
            std::exit(testing::Test::HasFailure() ? 1 : 0);
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Cuda, FailsWithoutADevice) {
    stub_cuda_set_devices(0);
    EXPECT_EQ(convc_cuda_begin_v1(0), CONVC_ERROR_DEVICE);
    EXPECT_TRUE(error_says("(cuDeviceGet)"));
    EXPECT_EQ(Kernel().call(), uint64_t{CONVC_ERROR_DEVICE});
}

TEST_F(Cuda, FailsWhereTheDeviceIsOlderThanTheKernel) {
    stub_cuda_set_capability(0, 75);
    EXPECT_EQ(convc_cuda_begin_v1(75), CONVC_OK);
    EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_ERROR_DEVICE);
    EXPECT_TRUE(error_says("7.5"));
    EXPECT_TRUE(error_says("8.0"));
    stub_cuda_set_capability(0, 120);
    EXPECT_EQ(convc_cuda_begin_v1(90), CONVC_OK);
}

TEST_F(Cuda, ChecksTheDeviceOfTheCurrentContext) {
    stub_cuda_set_capability(1, 90);
    make_context(1);
    EXPECT_EQ(convc_cuda_begin_v1(90), CONVC_OK);
    convc_gpu_device info;
    ASSERT_EQ(convc_cuda_device(&info), CONVC_OK);
    EXPECT_STREQ(info.name, "Stub 1");
    EXPECT_STREQ(info.driver, "12.4");
    EXPECT_EQ(info.capability, 90);
    EXPECT_EQ(info.multiprocessors, 16000);
    EXPECT_EQ(info.threads_per_block, 1000);
    EXPECT_EQ(info.clock_khz, 13000);
    EXPECT_EQ(info.cache_bytes, 38000u);
    EXPECT_EQ(info.shared_bytes, 97000u);
    EXPECT_EQ(info.memory_bytes, uint64_t{1} << 30);
    EXPECT_EQ(convc_cuda_device(nullptr), CONVC_ERROR_NULL);
}

// ---- contexts ----

TEST_F(Cuda, RetainsThePrimaryContextOnceForAllThreads) {
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([] {
            EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_OK);
            EXPECT_EQ(Kernel().call(), 0u);
        });
    }
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(stub_cuda_primary_retained(0), 1);
    EXPECT_EQ(stub_cuda_launches(), 8);
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    EXPECT_EQ(stub_cuda_live_modules(), 0);
}

TEST_F(Cuda, WorksInTheCallersContext) {
    void *mine = make_context(1);
    Kernel kernel;
    EXPECT_EQ(kernel.call(), 0u);
    EXPECT_EQ(stub_cuda_get_launch(0)->context, mine);
    EXPECT_EQ(stub_cuda_primary_retained(0), 0);
    void *current = nullptr;
    cuCtxGetCurrent(&current);
    EXPECT_EQ(current, mine);
}

TEST_F(Cuda, APrimaryContextThatWasResetIsRetainedAgain) {
    if (!driver_gives_ids()) GTEST_SKIP() << "this driver gives contexts no ids";
    Kernel kernel;
    EXPECT_EQ(kernel.call(), 0u);
    ASSERT_EQ(cuDevicePrimaryCtxReset_v2(0), 0);
    std::thread([&] { EXPECT_EQ(kernel.call(), 0u); }).join();
    EXPECT_EQ(stub_cuda_live_modules(), 1);
}

TEST_F(Cuda, EachContextHasAModuleOfItsOwn) {
    Kernel kernel;
    void *first = make_context();
    EXPECT_EQ(kernel.call(), 0u);
    void *second = make_context(1);
    EXPECT_EQ(kernel.call(), 0u);
    cuCtxSetCurrent(first);
    EXPECT_EQ(kernel.call(), 0u);
    EXPECT_EQ(stub_cuda_live_modules(), 2);
    EXPECT_EQ(stub_cuda_calls("cuModuleLoadDataEx"), 2);
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    EXPECT_EQ(stub_cuda_live_modules(), 1);
    cuCtxSetCurrent(second);
    EXPECT_EQ(kernel.call(), 0u);
    EXPECT_EQ(stub_cuda_calls("cuModuleLoadDataEx"), 2);
}

TEST_F(Cuda, ANewContextAtTheAddressOfADestroyedOneIsNotTakenForIt) {
    if (!driver_gives_ids()) GTEST_SKIP() << "this driver gives contexts no ids";
    Kernel kernel;
    void *first = make_context();
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(kernel.call(), 0u) << i;
        ASSERT_EQ(cuCtxDestroy_v2(first), 0);
        ASSERT_EQ(make_context(), first);
    }
    EXPECT_EQ(stub_cuda_calls("cuModuleLoadDataEx"), 20);
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
}

// What is kept about a context that is gone goes with the next one at its address.
TEST_F(Cuda, DestroyedContextsTakeNoMemory) {
    if (!driver_gives_ids()) GTEST_SKIP() << "this driver gives contexts no ids";
    Kernel kernel;
    size_t before = 0;
    for (int i = 0; i < 500; ++i) {
        if (i == 10) before = mallinfo2().uordblks;
        void *context = make_context();
        ASSERT_EQ(kernel.call(nullptr, {"work", "more"}), 0u) << i;
        ASSERT_EQ(cuCtxDestroy_v2(context), 0);
    }
    EXPECT_LT(mallinfo2().uordblks, before + 10000);
}

TEST_F(Cuda, WithAnOlderDriverReleaseMakesContextsDestroyable) {
    Kernel kernel;
    void *first = make_context();
    ASSERT_EQ(kernel.call(), 0u);
    ASSERT_EQ(convc_cuda_release(), CONVC_OK);
    ASSERT_EQ(cuCtxDestroy_v2(first), 0);
    ASSERT_EQ(make_context(), first);
    EXPECT_EQ(kernel.call(), 0u);
}

TEST_F(Cuda, FailsInADestroyedContext) {
    void *mine = make_context();
    std::thread([&] { EXPECT_EQ(cuCtxDestroy_v2(mine), 0); }).join();
    EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(Kernel().call(), uint64_t{CONVC_ERROR_LAUNCH});
}

// ---- modules ----

// A JIT unmaps a kernel and puts another where it was.
TEST_F(Cuda, AKernelInTheMemoryOfAnUnloadedOneIsNotTakenForIt) {
    make_context();
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void *address = nullptr;
    for (int i = 0; i < 3; ++i) {
        void *memory = mmap(address, page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | (address != nullptr ? MAP_FIXED : 0), -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        address = memory;
        const std::string function = "kernel_" + std::to_string(i);
        auto *kernel = new (memory) Kernel("entry " + function + " 8 4\n");
        EXPECT_EQ(kernel->call(nullptr, {function.c_str()}), 0u);
        EXPECT_EQ(stub_cuda_get_launch(i)->function, function);
        kernel->~Kernel();
        ASSERT_EQ(munmap(memory, page), 0);
    }
    EXPECT_EQ(stub_cuda_live_modules(), 3);
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    EXPECT_EQ(stub_cuda_live_modules(), 0);
}

TEST_F(Cuda, ReleasedKernelsLoadAgain) {
    Kernel kernel;
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(kernel.call(), 0u);
        EXPECT_EQ(kernel.call(nullptr, {"more"}), 0u);
        EXPECT_EQ(convc_cuda_release(), CONVC_OK);
        EXPECT_EQ(stub_cuda_live_modules(), 0);
    }
    EXPECT_EQ(stub_cuda_calls("cuModuleLoadDataEx"), 3);
    EXPECT_EQ(stub_cuda_calls("cuModuleUnload"), 3);
}

TEST_F(Cuda, ReleaseLeavesWhatACallIsUsing) {
    Kernel kernel;
    convc_gpu_context context = {};
    kernel.begin(context);
    EXPECT_EQ(Kernel().call(), 0u);
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    EXPECT_EQ(stub_cuda_live_modules(), 1);
    EXPECT_EQ(kernel.run(context, "work", Arguments().buffer(1).value(2)), CONVC_OK);
    kernel.end(context);
    kernel.end(context);  // a second destructor has nothing left to give back
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    EXPECT_EQ(stub_cuda_live_modules(), 0);
}

TEST_F(Cuda, ReleaseUnloadsAfterAFaultAndReportsIt) {
    EXPECT_EQ(Kernel().call(), 0u);
    stub_cuda_fail("cuCtxSynchronize", illegal_address, 1);
    EXPECT_EQ(convc_cuda_release(), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(stub_cuda_live_modules(), 0);
    EXPECT_EQ(Kernel().call(), 0u);
    stub_cuda_fail("cuModuleUnload", illegal_address, 1);
    EXPECT_EQ(convc_cuda_release(), CONVC_ERROR_LAUNCH);
}

TEST_F(Cuda, CodeThatTheDriverDoesNotCompileFailsWithItsLog) {
    Kernel kernel("error ptxas: too much shared data\n");
    EXPECT_EQ(kernel.call(nullptr, {"work", "more"}), uint64_t{CONVC_ERROR_DEVICE});
    EXPECT_TRUE(error_says("(cuModuleLoadDataEx)\nptxas: too much shared data"));
    EXPECT_EQ(stub_cuda_live_modules(), 0);
    EXPECT_EQ(stub_cuda_calls("cuLaunchKernel"), 0);
    Kernel long_log("error " + std::string(5000, 'x') + "\n");
    EXPECT_EQ(long_log.call(), uint64_t{CONVC_ERROR_DEVICE});
    EXPECT_TRUE(error_says("xxxx"));
}

TEST_F(Cuda, AModuleThatDoesNotLoadIsTriedAgain) {
    Kernel kernel;
    stub_cuda_fail("cuModuleLoadDataEx", unsupported_ptx, 1);
    EXPECT_EQ(kernel.call(), uint64_t{CONVC_ERROR_DEVICE});
    stub_cuda_fail("cuModuleLoadDataEx", no_binary, 1);
    EXPECT_EQ(kernel.call(), uint64_t{CONVC_ERROR_DEVICE});
    stub_cuda_fail("cuModuleLoadDataEx", out_of_memory, 1);
    EXPECT_EQ(kernel.call(), uint64_t{CONVC_ERROR_MEMORY});
    stub_cuda_fail("cuModuleLoadDataEx", illegal_address, 1);
    EXPECT_EQ(kernel.call(), uint64_t{CONVC_ERROR_LAUNCH});
    EXPECT_EQ(stub_cuda_launches(), 0);
    EXPECT_EQ(kernel.call(), 0u);
    EXPECT_EQ(stub_cuda_launches(), 1);
}

TEST_F(Cuda, AFunctionThatTheCodeLacksIsABug) {
    Kernel kernel;
    EXPECT_EQ(kernel.call(nullptr, {"absent", "work"}), uint64_t{CONVC_ERROR_INTERNAL});
    EXPECT_EQ(stub_cuda_launches(), 0);
    EXPECT_EQ(kernel.call(), 0u);
}

// ---- launches ----

TEST_F(Cuda, PassesArgumentsAndShape) {
    make_context();
    Kernel kernel("entry many 8 8 4 4 1\n");
    void *stream = make_stream();
    convc_gpu_context context = {};
    context.stream = stream;
    kernel.begin(context);
    Arguments arguments;
    arguments.buffer(0x123456789a00).buffer(512).value(1.5f).value(-3).value(static_cast<int8_t>(9));
    ASSERT_EQ(kernel.run(context, "many", arguments, 65536, 1000), CONVC_OK);
    kernel.end(context);
    ASSERT_EQ(stub_cuda_launches(), 1);
    const stub_cuda_launch &launch = *stub_cuda_get_launch(0);
    EXPECT_STREQ(launch.function, "many");
    EXPECT_EQ(launch.stream, stream);
    EXPECT_EQ(std::vector<unsigned>(launch.blocks, launch.blocks + 3), (std::vector<unsigned>{65536, 3, 4}));
    EXPECT_EQ(std::vector<unsigned>(launch.threads, launch.threads + 3), (std::vector<unsigned>{32, 2, 1}));
    EXPECT_EQ(launch.shared_bytes, 1000u);
    EXPECT_EQ(std::vector<uint64_t>(launch.arguments, launch.arguments + 5),
              (std::vector<uint64_t>{0x123456789a00, 512, 0x3fc00000, 0xfffffffd, 9}));
}

TEST_F(Cuda, TakesSixtyFourArgumentsAndNoMore) {
    std::string code = "entry wide";
    Arguments arguments;
    for (int i = 0; i < 64; ++i) {
        code += " 8";
        arguments.buffer(1000 + static_cast<uint64_t>(i));
    }
    Kernel kernel(code + "\n");
    convc_gpu_context context = {};
    kernel.begin(context);
    EXPECT_EQ(kernel.run(context, "wide", arguments), CONVC_OK);
    EXPECT_EQ(stub_cuda_get_launch(0)->arguments[63], 1063u);
    EXPECT_EQ(kernel.run(context, "wide", arguments.value(1)), CONVC_ERROR_INTERNAL);
    kernel.end(context);
    EXPECT_EQ(stub_cuda_launches(), 1);
}

TEST_F(Cuda, RefusesABufferWithoutMemoryAndARunWithoutAModule) {
    Kernel kernel;
    convc_gpu_context context = {};
    EXPECT_EQ(kernel.run(context, "work", Arguments().buffer(8).value(1)), CONVC_ERROR_INTERNAL);
    context.error = 0;
    kernel.begin(context);
    EXPECT_EQ(kernel.run(context, "work", Arguments().buffer(0).value(1)), CONVC_ERROR_INTERNAL);
    kernel.end(context);
    EXPECT_EQ(context.error, uint64_t{CONVC_ERROR_INTERNAL});
    EXPECT_EQ(stub_cuda_launches(), 0);
}

TEST_F(Cuda, ALoopOfNoBlocksLaunchesNothing) {
    Kernel kernel;
    convc_gpu_context context = {};
    kernel.begin(context);
    EXPECT_EQ(kernel.run(context, "work", Arguments().buffer(8).value(1), 0), CONVC_OK);
    kernel.end(context);
    EXPECT_EQ(context.error, 0u);
    EXPECT_EQ(stub_cuda_calls("cuLaunchKernel"), 0);
}

TEST_F(Cuda, AsksForMoreSharedMemoryOnceAFunction) {
    Kernel kernel;
    convc_gpu_context context = {};
    kernel.begin(context);
    for (const int bytes : {48 * 1024, 100 * 1024, 64 * 1024, 100 * 1024}) {
        EXPECT_EQ(kernel.run(context, "work", Arguments().buffer(8).value(1), 1, bytes), CONVC_OK) << bytes;
    }
    EXPECT_EQ(stub_cuda_calls("cuFuncSetAttribute"), 1);
    EXPECT_EQ(kernel.run(context, "work", Arguments().buffer(8).value(1), 1, 300 * 1024), CONVC_ERROR_LAUNCH);
    kernel.end(context);
    EXPECT_EQ(stub_cuda_launches(), 4);
}

TEST_F(Cuda, ALaunchThatFailsIsTheLast) {
    Kernel kernel;
    EXPECT_EQ(kernel.call(), 0u);
    stub_cuda_fail("cuLaunchKernel", 719, 1);
    EXPECT_EQ(kernel.call(nullptr, {"work", "more", "work"}), uint64_t{CONVC_ERROR_LAUNCH});
    EXPECT_TRUE(error_says("(cuLaunchKernel)"));
    EXPECT_EQ(stub_cuda_calls("cuLaunchKernel"), 2);
    EXPECT_EQ(kernel.call(), 0u);
}

TEST_F(Cuda, AStreamOfAnotherContextIsRefused) {
    Kernel kernel;
    make_context();
    void *other = make_stream();
    make_context();
    EXPECT_EQ(kernel.call(other), uint64_t{CONVC_ERROR_LAUNCH});
    EXPECT_EQ(convc_cuda_synchronize(other), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(kernel.call(make_stream()), 0u);
}

TEST_F(Cuda, ALaterCallCanBeCaptured) {
    Kernel kernel;
    make_context();
    void *stream = make_stream();
    ASSERT_EQ(kernel.call(stream, {"work", "more"}), 0u);
    stub_cuda_begin_capture();
    EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_OK);
    EXPECT_EQ(kernel.call(stream, {"work", "more"}), 0u);
    EXPECT_EQ(stub_cuda_end_capture(), 0);
    EXPECT_EQ(stub_cuda_launches(), 4);
    Kernel new_one;
    stub_cuda_begin_capture();
    EXPECT_EQ(new_one.call(stream), uint64_t{CONVC_ERROR_LAUNCH});
    EXPECT_EQ(stub_cuda_end_capture(), 1);
    EXPECT_EQ(new_one.call(stream), 0u);
}

TEST_F(Cuda, AContextWithAFailureIsLeftAlone) {
    Kernel kernel;
    convc_gpu_context context = {};
    context.error = CONVC_ERROR_MEMORY;
    kernel.begin(context);
    EXPECT_EQ(kernel.run(context, "work", Arguments().buffer(8).value(1)), CONVC_ERROR_MEMORY);
    kernel.end(context);
    EXPECT_EQ(stub_cuda_calls("cuModuleLoadDataEx"), 0);
}

}  // namespace
}  // namespace convc::test
