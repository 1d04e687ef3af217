// What the tests of the CUDA runtime share: kernels as Halide makes them, and the driver of stub_cuda.c.
#pragma once

#include "convc/convc.h"
#include "tests/runtime/gpu_fixture.h"
#include "tests/runtime/stub_cuda.h"

namespace convc::test {

// CUDA's numbers.
enum : int { out_of_memory = 2, no_device = 100, no_binary = 209, unsupported_ptx = 222, illegal_address = 700 };

inline bool driver_gives_ids() {
#ifdef STUB_CUDA_OLD
    return false;
#else
    return true;
#endif
}

// A kernel as Halide makes it without asserts: what the runtime returns is not looked at.
struct Kernel {
    explicit Kernel(std::string code = "entry work 8 4\nentry more 8 4\n") : ptx(std::move(code)) {}

    uint64_t call(void *stream = nullptr, const std::vector<const char *> &functions = {"work"}) {
        convc_gpu_context context = {};
        context.stream = stream;
        begin(context);
        for (const char *function : functions) run(context, function, Arguments().buffer(4096).value(7));
        end(context);
        return context.error;
    }
    void begin(convc_gpu_context &context) {
        convc_cuda_initialize_kernels_v1(&context, &state, ptx.c_str(), static_cast<int>(ptx.size()) + 1);
    }
    int run(convc_gpu_context &context, const char *function, Arguments &arguments, int blocks = 2, int shared = 0) {
        return convc_cuda_run_v1(&context, state, function, blocks, 3, 4, 32, 2, 1, shared, arguments.sizes(),
                                 arguments.pointers(), arguments.is_buffer());
    }
    void end(convc_gpu_context &context) {
        if (state != nullptr) convc_cuda_finalize_kernels_v1(&context, state);
    }

    void *state = nullptr;
    std::string ptx;
};

inline void *make_context(int device = 0) {
    void *context = nullptr;
    EXPECT_EQ(cuCtxCreate_v2(&context, 0, device), 0);
    return context;
}

inline void *make_stream() {
    void *stream = nullptr;
    EXPECT_EQ(cuStreamCreate(&stream, 0), 0);
    return stream;
}

// Every test finds the driver as after a restart; the runtime keeps what a process keeps.
class Cuda : public testing::Test {
protected:
    void SetUp() override {
        stub_cuda_reset();
        ASSERT_EQ(cuInit(0), 0);
    }
    void TearDown() override {
        EXPECT_EQ(stub_cuda_live_memory(), 0);
        stub_cuda_reset();
    }
};

}  // namespace convc::test
