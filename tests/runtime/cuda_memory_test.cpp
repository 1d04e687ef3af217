// The CUDA runtime against a driver of ours (stub_cuda.c): device memory, copies, waiting, threads, and fork().
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/runtime/cuda_fixture.h"

namespace convc::test {
namespace {

// ---- memory ----

TEST_F(Cuda, CopiesToTheDeviceAndBack) {
    void *memory = nullptr;
    ASSERT_EQ(convc_cuda_allocate(1000, &memory), CONVC_OK);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 256, 0u);
    const std::string sent(1000, 'a');
    std::string received(1000, 'b');
    ASSERT_EQ(convc_cuda_upload(memory, sent.data(), 1000), CONVC_OK);
    EXPECT_EQ(stub_cuda_calls("cuStreamSynchronize"), 1);
    ASSERT_EQ(convc_cuda_download(received.data(), memory, 1000), CONVC_OK);
    EXPECT_EQ(received, sent);
    EXPECT_EQ(convc_cuda_free(memory), CONVC_OK);
    EXPECT_EQ(stub_cuda_live_memory(), 0);
}

TEST_F(Cuda, NoBytesAreNoMemory) {
    char anything = 0;
    void *memory = &anything;
    EXPECT_EQ(convc_cuda_allocate(0, &memory), CONVC_OK);
    EXPECT_EQ(memory, nullptr);
    EXPECT_EQ(convc_cuda_free(nullptr), CONVC_OK);
    EXPECT_EQ(convc_cuda_upload(nullptr, nullptr, 0), CONVC_OK);
    EXPECT_EQ(convc_cuda_download(nullptr, nullptr, 0), CONVC_OK);
    EXPECT_EQ(convc_cuda_copy_in_v1(nullptr, 0, nullptr, 0), CONVC_OK);
    EXPECT_EQ(convc_cuda_copy_out_v1(nullptr, nullptr, 0, 0), CONVC_OK);
    EXPECT_EQ(stub_cuda_calls("cuMemcpyHtoD_v2"), 0);
}

TEST_F(Cuda, RefusesNull) {
    char byte = 0;
    EXPECT_EQ(convc_cuda_allocate(1, nullptr), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_cuda_upload(nullptr, &byte, 1), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_cuda_upload(&byte, nullptr, 1), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_cuda_download(nullptr, &byte, 1), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_cuda_download(&byte, nullptr, 1), CONVC_ERROR_NULL);
}

TEST_F(Cuda, RunsOutOfMemory) {
    stub_cuda_set_memory(1000);
    char anything = 0;
    void *memory = &anything;
    EXPECT_EQ(convc_cuda_allocate(1001, &memory), CONVC_ERROR_MEMORY);
    EXPECT_EQ(memory, nullptr);
    EXPECT_STREQ(convc_gpu_error(), "CUDA_ERROR_OUT_OF_MEMORY: out of memory (cuMemAlloc)");
    EXPECT_EQ(convc_cuda_allocate(1000, &memory), CONVC_OK);
    EXPECT_EQ(convc_cuda_free(memory), CONVC_OK);
}

TEST_F(Cuda, RefusesWhatIsNotMemoryOfTheContext) {
    char bytes[16] = {};
    void *memory = nullptr;
    make_context();
    ASSERT_EQ(convc_cuda_allocate(16, &memory), CONVC_OK);
    EXPECT_EQ(convc_cuda_upload(memory, bytes, 17), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(convc_cuda_download(bytes, static_cast<char *>(memory) + 1, 16), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(convc_cuda_free(bytes), CONVC_ERROR_LAUNCH);
    void *first = nullptr;
    cuCtxGetCurrent(&first);
    make_context();
    EXPECT_EQ(convc_cuda_free(memory), CONVC_ERROR_LAUNCH);
    cuCtxSetCurrent(first);
    EXPECT_EQ(convc_cuda_free(memory), CONVC_OK);
}

TEST_F(Cuda, EntryPointsCopyInTheStreamsOrder) {
    make_context();
    void *stream = make_stream();
    void *memory = nullptr;
    ASSERT_EQ(convc_cuda_allocate(8, &memory), CONVC_OK);
    const auto device = reinterpret_cast<uint64_t>(memory);
    const std::string sent = "8 bytes.";
    std::string received(8, ' ');
    EXPECT_EQ(convc_cuda_copy_in_v1(stream, device, sent.data(), 8), CONVC_OK);
    EXPECT_EQ(convc_cuda_copy_out_v1(stream, received.data(), device, 8), CONVC_OK);
    EXPECT_EQ(convc_cuda_synchronize_v1(stream), CONVC_OK);
    EXPECT_EQ(received, sent);
    EXPECT_EQ(stub_cuda_calls("cuMemcpyHtoDAsync_v2"), 1);
    EXPECT_EQ(stub_cuda_calls("cuMemcpyDtoHAsync_v2"), 1);
    EXPECT_EQ(convc_cuda_copy_in_v1(stream, 4096, sent.data(), 8), CONVC_ERROR_LAUNCH);
    EXPECT_EQ(convc_cuda_free(memory), CONVC_OK);
}

TEST_F(Cuda, FindsAKernelsFaultWhenWaiting) {
    EXPECT_EQ(Kernel().call(), 0u);
    stub_cuda_fail("cuStreamSynchronize", illegal_address, 1);
    EXPECT_EQ(convc_cuda_synchronize(nullptr), CONVC_ERROR_LAUNCH);
    EXPECT_TRUE(error_says("(cuStreamSynchronize)"));
    EXPECT_EQ(convc_cuda_synchronize(nullptr), CONVC_OK);
}

// Every function of the driver that a call or a public function needs, failing in turn: nothing crashes, nothing leaks,
// and afterwards everything works.
TEST_F(Cuda, ReportsWhicheverFunctionFails) {
    const std::map<std::string, int> codes = {{"cuCtxGetCurrent", CONVC_ERROR_LAUNCH},
                                              {"cuDeviceGet", CONVC_ERROR_DEVICE},
                                              {"cuDevicePrimaryCtxRetain", CONVC_ERROR_MEMORY},
                                              {"cuCtxSetCurrent", CONVC_ERROR_LAUNCH},
                                              {"cuCtxGetDevice", CONVC_ERROR_LAUNCH},
                                              {"cuDeviceGetAttribute", CONVC_ERROR_LAUNCH},
                                              {"cuModuleLoadDataEx", CONVC_ERROR_MEMORY},
                                              {"cuModuleGetFunction", CONVC_ERROR_MEMORY},
                                              {"cuLaunchKernel", CONVC_ERROR_MEMORY}};
    const std::map<int, int> results = {{CONVC_ERROR_LAUNCH, 999}, {CONVC_ERROR_DEVICE, 101}, {CONVC_ERROR_MEMORY, 2}};
    for (const auto &[function, code] : codes) {
        stub_cuda_reset();
        Kernel kernel;
        stub_cuda_fail(function.c_str(), results.at(code), 1);
        const int begun = convc_cuda_begin_v1(80);
        const uint64_t called = begun != CONVC_OK ? static_cast<uint64_t>(begun) : kernel.call();
        EXPECT_EQ(called, static_cast<uint64_t>(code)) << function;
        EXPECT_TRUE(error_says(function));
        EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_OK) << function;
        EXPECT_EQ(kernel.call(), 0u) << function;
        EXPECT_EQ(convc_cuda_release(), CONVC_OK) << function;
        EXPECT_EQ(stub_cuda_live_modules(), 0) << function;
    }
    for (const char *function : {"cuMemAlloc_v2", "cuMemFree_v2", "cuMemcpyHtoD_v2", "cuMemcpyDtoH_v2",
                                 "cuDeviceTotalMem_v2", "cuDeviceGetName", "cuStreamSynchronize"}) {
        char byte = 0;
        void *memory = nullptr;
        convc_gpu_device info;
        ASSERT_EQ(convc_cuda_allocate(1, &memory), CONVC_OK);
        stub_cuda_fail(function, 999, 1);
        void *more = nullptr;
        int failures = convc_cuda_allocate(1, &more) != CONVC_OK;
        failures += convc_cuda_upload(memory, &byte, 1) != CONVC_OK;
        failures += convc_cuda_download(&byte, memory, 1) != CONVC_OK;
        failures += convc_cuda_device(&info) != CONVC_OK;
        const bool freed = convc_cuda_free(memory) == CONVC_OK;
        failures += freed ? 0 : 1;
        EXPECT_EQ(failures, 1) << function;
        EXPECT_EQ(convc_cuda_free(more), CONVC_OK);
        if (!freed) {
            EXPECT_EQ(convc_cuda_free(memory), CONVC_OK);
        }
    }
}

// ---- threads ----

TEST_F(Cuda, EachThreadHasItsOwnError) {
    EXPECT_EQ(convc_cuda_allocate(uint64_t{1} << 40, nullptr), CONVC_ERROR_NULL);
    const std::string mine = convc_gpu_error();
    std::thread([] {
        EXPECT_STREQ(convc_gpu_error(), "");
        void *memory = nullptr;
        EXPECT_EQ(convc_cuda_allocate(uint64_t{1} << 40, &memory), CONVC_ERROR_MEMORY);
        EXPECT_TRUE(error_says("OUT_OF_MEMORY"));
    }).join();
    EXPECT_EQ(convc_gpu_error(), mine);
}

// All threads meet at the first call, whose module takes a while to load, and then launch as fast as they can.
TEST_F(Cuda, ManyThreadsLaunchTheSameKernelsInStreamsOfTheirOwn) {
    constexpr int thread_count = 8;
    constexpr int rounds = 100;
    stub_cuda_set_load_time(2000);
    void *shared = make_context();
    std::vector<Kernel> kernels(3);
    std::vector<void *> streams;
    streams.reserve(thread_count);
    for (int i = 0; i < thread_count; ++i) streams.push_back(make_stream());
    std::atomic<int> arrived = 0;
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    threads.reserve(thread_count);
    for (void *stream : streams) {
        threads.emplace_back([&, stream] {
            cuCtxSetCurrent(shared);
            ++arrived;
            while (arrived < thread_count) std::this_thread::yield();
            for (int round = 0; round < rounds; ++round) {
                Kernel &kernel = kernels[static_cast<size_t>(round) % kernels.size()];
                if (convc_cuda_begin_v1(80) != CONVC_OK || kernel.call(stream, {"work", "more"}) != 0) ++failures;
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(stub_cuda_calls("cuModuleLoadDataEx"), 3);
    EXPECT_EQ(stub_cuda_calls("cuModuleGetFunction"), 6);
    ASSERT_EQ(stub_cuda_launches(), thread_count * rounds * 2);
    std::map<const void *, int> per_stream;
    for (int i = 0; i < stub_cuda_launches(); ++i) ++per_stream[stub_cuda_get_launch(i)->stream];
    for (void *stream : streams) EXPECT_EQ(per_stream[stream], rounds * 2);
}

TEST_F(Cuda, ThreadsThatWaitForALoadThatFailsLoadThemselves) {
    stub_cuda_set_load_time(2000);
    stub_cuda_fail("cuModuleLoadDataEx", out_of_memory, 3);
    void *shared = make_context();
    Kernel kernel;
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            cuCtxSetCurrent(shared);
            const uint64_t result = kernel.call();
            if (result == 0) return;
            ++failures;
            EXPECT_EQ(result, uint64_t{CONVC_ERROR_MEMORY});
            EXPECT_TRUE(error_says("OUT_OF_MEMORY"));
        });
    }
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(failures, 3);
    EXPECT_EQ(stub_cuda_launches(), 5);
    EXPECT_EQ(stub_cuda_calls("cuModuleLoadDataEx"), 4);
}

// Each thread has a context of its own, and releases it while the others call.
TEST_F(Cuda, ThreadsReleaseTheirContextsIndependently) {
    Kernel kernel;
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            make_context();
            for (int round = 0; round < 50; ++round) {
                if (kernel.call() != 0) ++failures;
                if (round % 5 == 0 && convc_cuda_release() != CONVC_OK) ++failures;
            }
            if (convc_cuda_release() != CONVC_OK) ++failures;
        });
    }
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(stub_cuda_live_modules(), 0);
}

// Threads share a context: a release takes what nobody is using at that moment, and calls go on.
TEST_F(Cuda, CallsGoOnWhileAnotherThreadReleases) {
    void *shared = make_context();
    std::vector<Kernel> kernels(2);
    std::atomic<bool> done = false;
    std::atomic<int> failures = 0;
    std::thread releaser([&] {
        cuCtxSetCurrent(shared);
        while (!done) failures += convc_cuda_release() != CONVC_OK;
    });
    std::vector<std::thread> threads;
    threads.reserve(3);
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            cuCtxSetCurrent(shared);
            for (size_t round = 0; round < 200; ++round) failures += kernels[round % 2].call() != 0;
        });
    }
    for (std::thread &thread : threads) thread.join();
    done = true;
    releaser.join();
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(stub_cuda_launches(), 600);
}

// ---- fork ----

TEST_F(Cuda, TheChildOfAForkIsRefusedAndTheParentGoesOn) {
    Kernel kernel;
    ASSERT_EQ(kernel.call(), 0u);
    const pid_t child = fork();
    ASSERT_NE(child, -1);
    if (child == 0) {
        void *memory = nullptr;
        bool right = convc_cuda_begin_v1(80) == CONVC_ERROR_DRIVER && error_says("fork()");
        right = right && kernel.call() == CONVC_ERROR_DRIVER;
        right = right && convc_cuda_allocate(1, &memory) == CONVC_ERROR_DRIVER;
        right = right && convc_cuda_synchronize(nullptr) == CONVC_ERROR_DRIVER;
        right = right && convc_cuda_release() == CONVC_ERROR_DRIVER;
        right = right && stub_cuda_launches() == 1;
        _exit(right ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(kernel.call(), 0u);
}

void child_that_starts_first() {
    const pid_t child = fork();
    if (child == 0) _exit(Kernel().call() == 0 && stub_cuda_launches() == 1 ? 0 : 1);
    int status = 1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// In a process of its own: here the driver has started.
TEST(CudaStart, AChildMayBeTheFirstToStartTheDriver) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(
        {
            child_that_starts_first();
            std::exit(testing::Test::HasFailure() ? 1 : 0);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace convc::test
