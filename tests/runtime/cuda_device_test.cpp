// The CUDA runtime with NVIDIA's driver on a device; skipped where there is none. What stub_cuda.c takes for granted
// about the driver is held against it here: argument passing, captures, identities of contexts, faults, the compiler's
// log.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "convc/convc.h"
#include "tests/runtime/gpu_fixture.h"

namespace convc::test {
namespace {

// y[i] = a * x[i] for i < n; y reversed within a block of 1024, by way of shared memory; a store to nowhere.
const char *const ptx = R"(
.version 7.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 shared[];
.visible .entry scale(.param .u64 x, .param .u64 y, .param .f32 a, .param .u32 n) {
    .reg .pred %p; .reg .f32 %f<3>; .reg .b32 %r<5>; .reg .b64 %d<5>;
    ld.param.u64 %d0, [x]; ld.param.u64 %d1, [y]; ld.param.f32 %f0, [a]; ld.param.u32 %r0, [n];
    mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x; mad.lo.s32 %r4, %r1, %r2, %r3;
    setp.ge.s32 %p, %r4, %r0;
    @%p ret;
    mul.wide.s32 %d2, %r4, 4; add.s64 %d3, %d0, %d2; add.s64 %d4, %d1, %d2;
    ld.global.f32 %f1, [%d3]; mul.f32 %f2, %f0, %f1; st.global.f32 [%d4], %f2;
    ret;
}
.visible .entry reverse(.param .u64 x, .param .u64 y) {
    .reg .f32 %f<2>; .reg .b32 %r<5>; .reg .b64 %d<5>;
    ld.param.u64 %d0, [x]; ld.param.u64 %d1, [y]; mov.u32 %r0, %tid.x;
    mul.wide.s32 %d2, %r0, 4; add.s64 %d3, %d0, %d2; add.s64 %d4, %d1, %d2; ld.global.f32 %f0, [%d3];
    mov.u32 %r1, shared; mad.lo.s32 %r2, %r0, 64, %r1; st.shared.f32 [%r2], %f0; bar.sync 0;
    sub.s32 %r3, 1023, %r0; mad.lo.s32 %r4, %r3, 64, %r1; ld.shared.f32 %f1, [%r4]; st.global.f32 [%d4], %f1;
    ret;
}
.visible .entry fault() {
    .reg .b64 %d; .reg .b32 %r;
    mov.u64 %d, 16; mov.u32 %r, 1; st.global.u32 [%d], %r;
    ret;
}
)";

constexpr int count = 1024;
constexpr size_t bytes = count * sizeof(float);

// A function of the driver that programs call and the runtime does not.
template <class... Arguments>
int driver(const char *name, Arguments... arguments) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name));
    return function == nullptr ? -1 : function(arguments...);
}

struct Kernel {
    explicit Kernel(std::string code = ptx) : text(std::move(code)) {}
    uint64_t call(void *stream, const char *function, Arguments &arguments, int blocks, int threads, int shared = 0) {
        convc_gpu_context context = {};
        context.stream = stream;
        convc_cuda_initialize_kernels_v1(&context, &state, text.c_str(), static_cast<int>(text.size()) + 1);
        convc_cuda_run_v1(&context, state, function, blocks, 1, 1, threads, 1, 1, shared, arguments.sizes(),
                          arguments.pointers(), arguments.is_buffer());
        if (state != nullptr) convc_cuda_finalize_kernels_v1(&context, state);
        return context.error;
    }
    uint64_t scale(void *stream, void *x, void *y, float a) {
        Arguments arguments;
        arguments.buffer(reinterpret_cast<uint64_t>(x)).buffer(reinterpret_cast<uint64_t>(y)).value(a).value(count);
        return call(stream, "scale", arguments, count / 64, 64);
    }
    void *state = nullptr;
    std::string text;
};

std::vector<float> ramp(float a = 1) {
    std::vector<float> values(count);
    for (int i = 0; i < count; ++i) values[static_cast<size_t>(i)] = a * static_cast<float>(i);
    return values;
}

class CudaDevice : public testing::Test {
protected:
    void SetUp() override {
        if (convc_cuda_begin_v1(80) != CONVC_OK) GTEST_SKIP() << convc_gpu_error();
        allocate();
    }
    void TearDown() override {
        EXPECT_EQ(convc_cuda_free(x_), CONVC_OK);
        EXPECT_EQ(convc_cuda_free(y_), CONVC_OK);
        EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    }
    void allocate() {
        ASSERT_EQ(convc_cuda_allocate(bytes, &x_), CONVC_OK);
        ASSERT_EQ(convc_cuda_allocate(bytes, &y_), CONVC_OK);
        ASSERT_EQ(convc_cuda_upload(x_, ramp().data(), bytes), CONVC_OK);
    }
    std::vector<float> result(void *stream = nullptr) {
        std::vector<float> values(count, -1);
        EXPECT_EQ(convc_cuda_synchronize(stream), CONVC_OK) << convc_gpu_error();
        EXPECT_EQ(convc_cuda_download(values.data(), y_, bytes), CONVC_OK) << convc_gpu_error();
        return values;
    }

    void *x_ = nullptr;
    void *y_ = nullptr;
};

TEST_F(CudaDevice, DescribesItself) {
    convc_gpu_device info;
    ASSERT_EQ(convc_cuda_device(&info), CONVC_OK) << convc_gpu_error();
    EXPECT_NE(std::string(info.name), "");
    EXPECT_GE(info.capability, 80);
    EXPECT_GT(info.multiprocessors, 0);
    EXPECT_GE(info.threads_per_block, 1024);
    EXPECT_GE(info.shared_bytes, 48u * 1024);
    EXPECT_GT(info.cache_bytes, 0u);
    EXPECT_GT(info.memory_bytes, uint64_t{1} << 30);
    EXPECT_EQ(convc_cuda_begin_v1(990), CONVC_ERROR_DEVICE);
}

TEST_F(CudaDevice, RunsKernels) {
    Kernel kernel;
    for (const float a : {2.0f, 3.0f}) {
        ASSERT_EQ(kernel.scale(nullptr, x_, y_, a), 0u) << convc_gpu_error();
        EXPECT_EQ(result(), ramp(a));
    }
    EXPECT_EQ(convc_cuda_release(), CONVC_OK);
    ASSERT_EQ(kernel.scale(nullptr, x_, y_, 4), 0u) << convc_gpu_error();
    EXPECT_EQ(result(), ramp(4));
}

TEST_F(CudaDevice, GivesMoreSharedMemoryThanWithoutAsking) {
    Kernel kernel;
    Arguments arguments;
    arguments.buffer(reinterpret_cast<uint64_t>(x_)).buffer(reinterpret_cast<uint64_t>(y_));
    ASSERT_EQ(kernel.call(nullptr, "reverse", arguments, 1, count, 64 * count), 0u) << convc_gpu_error();
    std::vector<float> expected = ramp();
    EXPECT_EQ(result(), std::vector<float>(expected.rbegin(), expected.rend()));
    EXPECT_EQ(kernel.call(nullptr, "reverse", arguments, 1, count, 1 << 20), uint64_t{CONVC_ERROR_LAUNCH});
}

TEST_F(CudaDevice, IsCapturedInAGraph) {
    Kernel kernel;
    void *stream = nullptr;
    void *graph = nullptr;
    void *executable = nullptr;
    ASSERT_EQ(driver("cuStreamCreate", &stream, 1u), 0);
    ASSERT_EQ(kernel.scale(stream, x_, y_, 2), 0u) << convc_gpu_error();
    EXPECT_EQ(result(stream), ramp(2));
    ASSERT_EQ(driver("cuStreamBeginCapture_v2", stream, 0), 0);
    EXPECT_EQ(convc_cuda_begin_v1(80), CONVC_OK);
    EXPECT_EQ(kernel.scale(stream, x_, y_, 7), 0u) << convc_gpu_error();
    ASSERT_EQ(driver("cuStreamEndCapture", stream, &graph), 0);
    EXPECT_EQ(result(stream), ramp(2));
    ASSERT_EQ(driver("cuGraphInstantiateWithFlags", &executable, graph, 0ull), 0);
    ASSERT_EQ(driver("cuGraphLaunch", executable, stream), 0);
    EXPECT_EQ(result(stream), ramp(7));
    EXPECT_EQ(driver("cuGraphExecDestroy", executable), 0);
    EXPECT_EQ(driver("cuGraphDestroy", graph), 0);
    EXPECT_EQ(driver("cuStreamDestroy_v2", stream), 0);
}

TEST_F(CudaDevice, SaysWhyCodeDoesNotCompile) {
    Kernel nonsense(".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry scale() { nonsense; }\n");
    EXPECT_EQ(nonsense.scale(nullptr, x_, y_, 2), uint64_t{CONVC_ERROR_DEVICE});
    EXPECT_TRUE(error_says("CUDA_ERROR_INVALID_PTX"));
    EXPECT_TRUE(error_says("nonsense"));
    Kernel too_new(".version 99.0\n.target sm_80\n.address_size 64\n");
    EXPECT_EQ(too_new.scale(nullptr, x_, y_, 2), uint64_t{CONVC_ERROR_DEVICE}) << convc_gpu_error();
    Kernel other_device(".version 7.0\n.target sm_999\n.address_size 64\n");
    EXPECT_EQ(other_device.scale(nullptr, x_, y_, 2), uint64_t{CONVC_ERROR_DEVICE}) << convc_gpu_error();
    Arguments none;
    EXPECT_EQ(Kernel().call(nullptr, "absent", none, 1, 1), uint64_t{CONVC_ERROR_INTERNAL}) << convc_gpu_error();
}

TEST_F(CudaDevice, RunsOutOfMemory) {
    void *memory = nullptr;
    EXPECT_EQ(convc_cuda_allocate(uint64_t{1} << 46, &memory), CONVC_ERROR_MEMORY);
    EXPECT_TRUE(error_says("CUDA_ERROR_OUT_OF_MEMORY: out of memory (cuMemAlloc)"));
}

TEST_F(CudaDevice, ThreadsLaunchInStreamsOfTheirOwn) {
    Kernel kernel;
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            void *stream = nullptr;
            void *y = nullptr;
            ASSERT_EQ(convc_cuda_begin_v1(80), CONVC_OK);
            ASSERT_EQ(driver("cuStreamCreate", &stream, 1u), 0);
            ASSERT_EQ(convc_cuda_allocate(bytes, &y), CONVC_OK);
            std::vector<float> values(count);
            for (int round = 0; round < 100; ++round) {
                const auto a = static_cast<float>(10 * t + round);
                ASSERT_EQ(kernel.scale(stream, x_, y, a), 0u) << convc_gpu_error();
                ASSERT_EQ(convc_cuda_copy_out_v1(stream, values.data(), reinterpret_cast<uint64_t>(y), bytes),
                          CONVC_OK);
                ASSERT_EQ(convc_cuda_synchronize(stream), CONVC_OK);
                ASSERT_EQ(values, ramp(a));
            }
            EXPECT_EQ(convc_cuda_free(y), CONVC_OK);
            EXPECT_EQ(driver("cuStreamDestroy_v2", stream), 0);
        });
    }
    for (std::thread &thread : threads) thread.join();
}

// In a thread of its own, whose contexts are not the one that the other tests work in.
template <class Body>
void in_new_contexts(int rounds, Body body) {
    std::thread([&] {
        for (int i = 0; i < rounds; ++i) {
            void *context = nullptr;
            ASSERT_EQ(driver("cuCtxCreate_v2", &context, 0u, 0), 0);
            body();
            ASSERT_EQ(driver("cuCtxDestroy_v2", context), 0);
        }
    }).join();
}

TEST_F(CudaDevice, ContextsComeAndGo) {
    Kernel kernel;
    in_new_contexts(10, [&] {
        void *memory = nullptr;
        std::vector<float> values(count);
        ASSERT_EQ(convc_cuda_allocate(bytes, &memory), CONVC_OK);
        ASSERT_EQ(convc_cuda_upload(memory, ramp().data(), bytes), CONVC_OK);
        ASSERT_EQ(kernel.scale(nullptr, memory, memory, 6), 0u) << convc_gpu_error();
        ASSERT_EQ(convc_cuda_download(values.data(), memory, bytes), CONVC_OK);
        EXPECT_EQ(values, ramp(6));
    });
    ASSERT_EQ(kernel.scale(nullptr, x_, y_, 5), 0u) << convc_gpu_error();
    EXPECT_EQ(result(), ramp(5));
}

TEST_F(CudaDevice, FindsAFaultWhenWaiting) {
    Kernel kernel;
    Arguments none;
    in_new_contexts(2, [&] {
        EXPECT_EQ(kernel.call(nullptr, "fault", none, 1, 1), 0u) << convc_gpu_error();
        EXPECT_EQ(convc_cuda_synchronize(nullptr), CONVC_ERROR_LAUNCH);
        EXPECT_TRUE(error_says("CUDA_ERROR_ILLEGAL_ADDRESS"));
        EXPECT_EQ(kernel.call(nullptr, "fault", none, 1, 1), uint64_t{CONVC_ERROR_LAUNCH});
    });
}

// cudaDeviceReset(): the primary context is another afterwards.
TEST_F(CudaDevice, TheFirstContextCanBeReset) {
    Kernel kernel;
    ASSERT_EQ(kernel.scale(nullptr, x_, y_, 2), 0u) << convc_gpu_error();
    ASSERT_EQ(driver("cuDevicePrimaryCtxReset_v2", 0), 0);
    ASSERT_EQ(driver("cuCtxSetCurrent", static_cast<void *>(nullptr)), 0);
    ASSERT_EQ(convc_cuda_begin_v1(80), CONVC_OK) << convc_gpu_error();
    allocate();
    ASSERT_EQ(kernel.scale(nullptr, x_, y_, 3), 0u) << convc_gpu_error();
    EXPECT_EQ(result(), ramp(3));
}

}  // namespace
}  // namespace convc::test
