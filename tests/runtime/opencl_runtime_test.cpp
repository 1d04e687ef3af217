// The OpenCL runtime on a device, which on Debian's build machines is PoCL's: launches, offsets, programs, queues,
// memory, threads, and the ways in which the driver fails. Without a device the tests are skipped.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "convc/convc.h"
#include "runtime/gpu_runtime/opencl_driver.h"
#include "tests/runtime/gpu_fixture.h"

namespace convc::test {
namespace {

// Functions as Halide writes them, with shared memory behind the arguments.
const char *const source = R"(
__kernel void scale(__global const float *restrict x, __global float *restrict y, const float a, const int n,
                    __local int16 *shared) {
    int i = get_global_id(0);
    if (i < n) y[i] = a * x[i];
}
__kernel void reverse(__global const float *restrict x, __global float *restrict y, __local int16 *shared) {
    __local float *row = (__local float *)shared;
    int t = get_local_id(0);
    int n = get_local_size(0);
    row[t] = x[get_group_id(0) * n + t];
    barrier(CLK_LOCAL_MEM_FENCE);
    y[get_group_id(0) * n + t] = row[n - 1 - t];
}
__kernel void shape(__global float *restrict y, __local int16 *shared) {
    int group = get_group_id(0) + get_num_groups(0) * (get_group_id(1) + get_num_groups(1) * get_group_id(2));
    int local_index = get_local_id(0) + get_local_size(0) * (get_local_id(1) + get_local_size(1) * get_local_id(2));
    int size = get_local_size(0) * get_local_size(1) * get_local_size(2);
    y[group * size + local_index] = group * 100 + local_index;
}
)";

constexpr int count = 1024;
constexpr size_t bytes = count * sizeof(float);

template <class Function>
Function function_of_library(const char *name, Function) {
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW);
    return reinterpret_cast<Function>(dlsym(library, name));
}

int release_queue(void *queue) {
    static const auto function = function_of_library("clReleaseCommandQueue", static_cast<int (*)(void *)>(nullptr));
    return function(queue);
}

uint32_t references(void *context) {
    constexpr uint32_t reference_count = 0x1080;  // CL_CONTEXT_REFERENCE_COUNT
    using Question = int (*)(void *, uint32_t, size_t, void *, size_t *);
    static const auto function = function_of_library("clGetContextInfo", Question{});
    uint32_t answer = 0;
    EXPECT_EQ(function(context, reference_count, sizeof answer, &answer, nullptr), 0);
    return answer;
}

// A context and a queue that are not the default ones.
struct OwnQueue {
    explicit OwnQueue(uint64_t properties = 0) {
        EXPECT_EQ(convc_opencl_open_v1(&driver), CONVC_OK);
        std::vector<void *> platforms(16);
        uint32_t found = 0;
        EXPECT_EQ(driver->clGetPlatformIDs(16, platforms.data(), &found), 0);
        EXPECT_EQ(driver->clGetDeviceIDs(platforms[0], OPENCL_DEVICE_TYPE_ALL, 1, &device, &found), 0);
        int result = 0;
        context = driver->clCreateContext(nullptr, 1, &device, nullptr, nullptr, &result);
        queue = driver->clCreateCommandQueue(context, device, properties, &result);
    }
    OwnQueue(const OwnQueue &) = delete;
    OwnQueue &operator=(const OwnQueue &) = delete;
    ~OwnQueue() {
        EXPECT_EQ(release_queue(queue), 0);
        EXPECT_EQ(driver->clReleaseContext(context), 0);
    }
    void *memory(size_t size) const {
        int result = 0;
        void *made = driver->clCreateBuffer(context, opencl_mem_read_write, size, nullptr, &result);
        EXPECT_EQ(result, 0);
        return made;
    }

    const opencl_driver *driver = nullptr;
    void *device = nullptr;
    void *context = nullptr;
    void *queue = nullptr;
};

// A buffer argument of `count` floats.
struct Buffer {
    explicit Buffer(const void *memory, uint64_t offset = 0) {
        buffer.device = reinterpret_cast<uint64_t>(memory);
        buffer.padding = offset;
        buffer.type_code = 2;
        buffer.type_bits = 32;
        buffer.type_lanes = 1;
        buffer.dimensions = 1;
        buffer.dim = &dimension;
    }
    convc_gpu_dimension dimension = {0, count, 1, 0};
    convc_gpu_buffer buffer = {};
};

struct Kernel {
    explicit Kernel(std::string code = source) : text(std::move(code)) {}

    void begin(convc_gpu_context &context) {
        convc_opencl_initialize_kernels_v1(&context, &state, text.c_str(), static_cast<int>(text.size()) + 1);
    }
    int run(convc_gpu_context &context, const char *function, Arguments &arguments, std::vector<int> blocks,
            std::vector<int> threads, int shared = 0) {
        blocks.resize(3, 1);
        threads.resize(3, 1);
        return convc_opencl_run_v1(&context, state, function, blocks[0], blocks[1], blocks[2], threads[0], threads[1],
                                   threads[2], shared, arguments.sizes(), arguments.pointers(), arguments.is_buffer());
    }
    void end(convc_gpu_context &context) {
        if (state != nullptr) convc_opencl_finalize_kernels_v1(&context, state);
    }
    uint64_t scale(void *queue, const Buffer &x, const Buffer &y, float a) {
        convc_gpu_context context = {};
        context.stream = queue;
        Arguments arguments;
        begin(context);
        run(context, "scale", arguments.buffer_argument(x.buffer).buffer_argument(y.buffer).value(a).value(count),
            {count / 64}, {64});
        end(context);
        return context.error;
    }

    void *state = nullptr;
    std::string text;
};

std::vector<float> ramp() {
    std::vector<float> values(count);
    for (int i = 0; i < count; ++i) values[static_cast<size_t>(i)] = static_cast<float>(i);
    return values;
}

std::vector<float> scaled(float a) {
    std::vector<float> values = ramp();
    for (float &value : values) value *= a;
    return values;
}

class OpenCl : public testing::Test {
protected:
    void SetUp() override {
        if (convc_opencl_begin_v1(nullptr, 0) != CONVC_OK) GTEST_SKIP() << convc_gpu_error();
        ASSERT_EQ(convc_opencl_allocate(bytes, &x_), CONVC_OK);
        ASSERT_EQ(convc_opencl_allocate(bytes, &y_), CONVC_OK);
        ASSERT_EQ(convc_opencl_upload(x_, ramp().data(), bytes), CONVC_OK);
    }
    void TearDown() override {
        EXPECT_EQ(convc_opencl_free(x_), CONVC_OK);
        EXPECT_EQ(convc_opencl_free(y_), CONVC_OK);
        EXPECT_EQ(convc_opencl_release(), CONVC_OK);
    }
    static std::vector<float> values_of(const void *memory) {
        std::vector<float> values(count, -1);
        EXPECT_EQ(convc_opencl_download(values.data(), memory, bytes), CONVC_OK);
        return values;
    }

    void *x_ = nullptr;
    void *y_ = nullptr;
};

// ---- launches ----

TEST_F(OpenCl, RunsAKernelOnTheDefaultQueue) {
    Kernel kernel;
    for (const float a : {2.0f, 3.0f}) {
        EXPECT_EQ(kernel.scale(nullptr, Buffer(x_), Buffer(y_), a), 0u) << convc_gpu_error();
        EXPECT_EQ(convc_opencl_synchronize(nullptr), CONVC_OK);
        EXPECT_EQ(values_of(y_), scaled(a));
    }
}

TEST_F(OpenCl, RunsAKernelOnTheCallersQueue) {
    const OwnQueue own;
    void *x = own.memory(bytes);
    void *y = own.memory(bytes);
    Kernel kernel;
    EXPECT_EQ(convc_opencl_begin_v1(own.queue, CONVC_OPENCL_DOUBLES), CONVC_OK);
    EXPECT_EQ(convc_opencl_copy_in_v1(own.queue, x, 0, ramp().data(), bytes), CONVC_OK);
    EXPECT_EQ(kernel.scale(own.queue, Buffer(x), Buffer(y), 5), 0u) << convc_gpu_error();
    std::vector<float> values(count);
    EXPECT_EQ(convc_opencl_copy_out_v1(own.queue, values.data(), y, 0, bytes), CONVC_OK);
    EXPECT_EQ(values, scaled(5));
    EXPECT_EQ(convc_opencl_free(x), CONVC_OK);
    EXPECT_EQ(convc_opencl_free(y), CONVC_OK);
}

TEST_F(OpenCl, PassesTheShapeOfALaunch) {
    Kernel kernel;
    convc_gpu_context context = {};
    Arguments arguments;
    kernel.begin(context);
    const std::vector<int> blocks = {2, 4, 3};
    const std::vector<int> threads = {8, 2, 2};
    ASSERT_EQ(kernel.run(context, "shape", arguments.buffer_argument(Buffer(y_).buffer), blocks, threads), CONVC_OK);
    kernel.end(context);
    const std::vector<float> values = values_of(y_);
    for (int i = 0; i < 24 * 32; ++i) {
        const int group = i / 32;
        ASSERT_EQ(values[static_cast<size_t>(i)], static_cast<float>(group * 100 + i % 32)) << i;
    }
}

TEST_F(OpenCl, GivesSharedMemory) {
    Kernel kernel;
    convc_gpu_context context = {};
    Arguments arguments;
    kernel.begin(context);
    arguments.buffer_argument(Buffer(x_).buffer).buffer_argument(Buffer(y_).buffer);
    ASSERT_EQ(kernel.run(context, "reverse", arguments, {count / 128}, {128}, 128 * sizeof(float)), CONVC_OK);
    kernel.end(context);
    EXPECT_EQ(values_of(y_)[0], 127);
    EXPECT_EQ(values_of(y_)[count - 128], count - 1);
}

// Arguments that begin inside a cl_mem, and one that is itself a part of another.
TEST_F(OpenCl, TakesArgumentsAtOffsets) {
    const OwnQueue own;
    void *whole = own.memory(8 * bytes);
    opencl_region region = {4096, 6 * bytes};
    int result = 0;
    void *part =
        own.driver->clCreateSubBuffer(whole, opencl_mem_read_write, opencl_buffer_create_type_region, &region, &result);
    ASSERT_EQ(result, 0);
    ASSERT_EQ(convc_opencl_copy_in_v1(own.queue, whole, 4096 + 512, ramp().data(), bytes), CONVC_OK);
    Kernel kernel;
    ASSERT_EQ(kernel.scale(own.queue, Buffer(whole, 4096 + 512), Buffer(whole, 3 * bytes), 2), 0u) << convc_gpu_error();
    ASSERT_EQ(kernel.scale(own.queue, Buffer(part, 512), Buffer(part, 4 * bytes), 3), 0u) << convc_gpu_error();
    std::vector<float> values(count);
    EXPECT_EQ(convc_opencl_copy_out_v1(own.queue, values.data(), whole, 3 * bytes, bytes), CONVC_OK);
    EXPECT_EQ(values, scaled(2));
    EXPECT_EQ(convc_opencl_copy_out_v1(own.queue, values.data(), whole, 4096 + 4 * bytes, bytes), CONVC_OK);
    EXPECT_EQ(values, scaled(3));
    EXPECT_EQ(kernel.scale(own.queue, Buffer(whole, 4), Buffer(whole, 3 * bytes), 2), uint64_t{CONVC_ERROR_LAUNCH});
    EXPECT_TRUE(error_says("CL_MISALIGNED_SUB_BUFFER_OFFSET: -13 (clCreateSubBuffer)"));
    EXPECT_EQ(convc_opencl_free(part), CONVC_OK);
    EXPECT_EQ(convc_opencl_free(whole), CONVC_OK);
}

// Two steps with an intermediate in the workspace, as Halide writes them.
TEST_F(OpenCl, KeepsIntermediatesInTheWorkspace) {
    void *workspace = nullptr;
    ASSERT_EQ(convc_opencl_allocate(512 + convc_gpu_block_bytes(bytes), &workspace), CONVC_OK);
    Kernel kernel;
    convc_gpu_context context = {};
    context.device_base = reinterpret_cast<uint64_t>(workspace);
    context.device_capacity = 512 + convc_gpu_block_bytes(bytes);
    context.device_used = 100;
    Buffer x(x_);
    Buffer y(y_);
    Buffer between(nullptr);
    Arguments first;
    Arguments second;
    kernel.begin(context);
    convc_opencl_copy_to_device_v1(&context, &x.buffer, convc_opencl_device_interface_v1());
    convc_opencl_malloc_v1(&context, &between.buffer, convc_opencl_device_interface_v1());
    EXPECT_EQ(between.buffer.padding, 512u);
    first.buffer_argument(x.buffer).buffer_argument(between.buffer).value(2.0f).value(count);
    second.buffer_argument(between.buffer).buffer_argument(y.buffer).value(5.0f).value(count);
    kernel.run(context, "scale", first, {count / 64}, {64});
    kernel.run(context, "scale", second, {count / 64}, {64});
    convc_opencl_free_v1(&context, &between.buffer);
    convc_opencl_free_as_destructor_v1(&context, &between.buffer);
    kernel.end(context);
    EXPECT_EQ(context.error, 0u) << convc_gpu_error();
    EXPECT_EQ(context.device_used, 512u);
    EXPECT_EQ(values_of(y_), scaled(10));
    EXPECT_EQ(convc_opencl_free(workspace), CONVC_OK);
}

TEST_F(OpenCl, RefusesLaunchesThatMakeNoSense) {
    const std::vector<std::pair<const char *, int>> functions = {{"absent", CONVC_ERROR_INTERNAL},
                                                                 {"shape", CONVC_ERROR_INTERNAL}};
    Kernel kernel;
    for (const auto &[function, code] : functions) {
        convc_gpu_context context = {};
        Arguments arguments;
        arguments.buffer(0);
        kernel.begin(context);
        EXPECT_EQ(kernel.run(context, function, arguments, {1}, {1}), code);
        EXPECT_EQ(kernel.run(context, "shape", arguments, {1}, {1}), code);
        kernel.end(context);
        EXPECT_EQ(context.error, static_cast<uint64_t>(code));
    }
    convc_gpu_context context = {};
    Arguments arguments;
    EXPECT_EQ(kernel.run(context, "shape", arguments, {0}, {1}), CONVC_OK);
    EXPECT_EQ(kernel.run(context, "shape", arguments, {1}, {1}), CONVC_ERROR_INTERNAL);
    context.error = 0;
    kernel.begin(context);
    for (int i = 0; i < 65; ++i) arguments.buffer_argument(Buffer(y_).buffer);
    EXPECT_EQ(kernel.run(context, "shape", arguments, {1}, {1}), CONVC_ERROR_INTERNAL);
    context.error = 0;
    Arguments one;
    EXPECT_EQ(kernel.run(context, "shape", one.buffer_argument(Buffer(y_).buffer), {1}, {1 << 20}), CONVC_ERROR_LAUNCH);
    EXPECT_TRUE(error_says("(clEnqueueNDRangeKernel)"));
    kernel.end(context);
}

// ---- programs, queues ----

TEST_F(OpenCl, ASourceThatDoesNotCompileFailsWithItsLog) {
    Kernel kernel("__kernel void scale(__global float *y, __local int16 *shared) { y[0] = nonsense; }");
    EXPECT_EQ(kernel.scale(nullptr, Buffer(x_), Buffer(y_), 2), uint64_t{CONVC_ERROR_DEVICE});
    EXPECT_TRUE(error_says("CL_BUILD_PROGRAM_FAILURE: -11 (clBuildProgram)\n"));
    EXPECT_TRUE(error_says("nonsense"));
    EXPECT_EQ(kernel.scale(nullptr, Buffer(x_), Buffer(y_), 2), uint64_t{CONVC_ERROR_DEVICE});
}

TEST_F(OpenCl, ReleaseLetsGoOfContextsAndKernelsLoadAgain) {
    const OwnQueue own;
    void *x = own.memory(bytes);
    void *y = own.memory(bytes);
    Kernel kernel;
    const uint32_t before = references(own.context);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(kernel.scale(own.queue, Buffer(x, 0), Buffer(y, 0), 2), 0u);
        EXPECT_EQ(convc_opencl_synchronize(own.queue), CONVC_OK);
        EXPECT_GT(references(own.context), before);
        EXPECT_EQ(convc_opencl_release(), CONVC_OK);
        EXPECT_EQ(references(own.context), before);
    }
    EXPECT_EQ(convc_opencl_free(x), CONVC_OK);
    EXPECT_EQ(convc_opencl_free(y), CONVC_OK);
}

TEST_F(OpenCl, RefusesAQueueThatIsNotInOrder) {
    const OwnQueue own(opencl_queue_out_of_order_exec_mode_enable);
    if (own.queue == nullptr) GTEST_SKIP() << "the device has none";
    EXPECT_EQ(convc_opencl_begin_v1(own.queue, 0), CONVC_ERROR_LAUNCH);
    EXPECT_TRUE(error_says("not in order"));
}

// Copies are refused; the standard has drivers look at a launch's memory no closer than they like.
TEST_F(OpenCl, RefusesToCopyMemoryOfAnotherContext) {
    const OwnQueue own;
    float value = 0;
    EXPECT_EQ(convc_opencl_copy_in_v1(own.queue, x_, 0, &value, sizeof value), CONVC_ERROR_LAUNCH);
    EXPECT_TRUE(error_says("CL_INVALID_CONTEXT: -34 (clEnqueueWriteBuffer)"));
    EXPECT_EQ(convc_opencl_copy_out_v1(own.queue, &value, x_, 0, sizeof value), CONVC_ERROR_LAUNCH);
}

// ---- memory, the device ----

TEST_F(OpenCl, RefusesWhatIsNotThere) {
    char byte = 0;
    char anything = 0;
    void *memory = &anything;
    EXPECT_EQ(convc_opencl_allocate(0, &memory), CONVC_OK);
    EXPECT_EQ(memory, nullptr);
    EXPECT_EQ(convc_opencl_allocate(uint64_t{1} << 60, &memory), CONVC_ERROR_MEMORY);
    EXPECT_TRUE(error_says("(clCreateBuffer)"));
    EXPECT_EQ(convc_opencl_allocate(1, nullptr), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_opencl_upload(nullptr, &byte, 1), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_opencl_upload(x_, nullptr, 1), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_opencl_download(&byte, nullptr, 1), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_opencl_download(nullptr, x_, 1), CONVC_ERROR_NULL);
    EXPECT_EQ(convc_opencl_upload(nullptr, nullptr, 0), CONVC_OK);
    EXPECT_EQ(convc_opencl_download(nullptr, nullptr, 0), CONVC_OK);
    EXPECT_EQ(convc_opencl_free(nullptr), CONVC_OK);
    std::vector<char> too_many(bytes + 1);
    EXPECT_EQ(convc_opencl_upload(x_, too_many.data(), bytes + 1), CONVC_ERROR_LAUNCH);
}

TEST_F(OpenCl, DescribesTheDevice) {
    convc_gpu_device info;
    ASSERT_EQ(convc_opencl_device(&info), CONVC_OK) << convc_gpu_error();
    EXPECT_NE(std::string(info.name), "");
    EXPECT_NE(std::string(info.driver), "");
    EXPECT_GE(info.capability, 12);
    EXPECT_GT(info.multiprocessors, 0);
    EXPECT_GT(info.threads_per_block, 0);
    EXPECT_GT(info.memory_bytes, bytes);
    EXPECT_GE(info.shared_bytes, 16384u);
    EXPECT_EQ(convc_opencl_device(nullptr), CONVC_ERROR_NULL);
}

// ---- threads, processes ----

// All launch one cl_kernel with arguments of their own.
TEST_F(OpenCl, ManyThreadsLaunchTheSameKernel) {
    const OwnQueue own;
    Kernel kernel;
    std::vector<std::thread> threads;
    threads.reserve(6);
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&, t] {
            int result = 0;
            void *queue = own.driver->clCreateCommandQueue(own.context, own.device, 0, &result);
            void *x = own.memory(bytes);
            void *y = own.memory(bytes + 512);
            EXPECT_EQ(convc_opencl_copy_in_v1(queue, x, 0, ramp().data(), bytes), CONVC_OK);
            std::vector<float> values(count);
            for (int round = 0; round < 20; ++round) {
                const auto a = static_cast<float>(100 * t + round);
                const uint64_t offset = round % 2 == 0 ? 0 : 512;
                EXPECT_EQ(kernel.scale(queue, Buffer(x), Buffer(y, offset), a), 0u);
                EXPECT_EQ(convc_opencl_copy_out_v1(queue, values.data(), y, offset, bytes), CONVC_OK);
                EXPECT_EQ(values, scaled(a));
            }
            EXPECT_EQ(convc_opencl_free(x), CONVC_OK);
            EXPECT_EQ(convc_opencl_free(y), CONVC_OK);
            release_queue(queue);
        });
    }
    for (std::thread &thread : threads) thread.join();
}

TEST_F(OpenCl, TheChildOfAForkIsRefused) {
    const pid_t child = fork();
    ASSERT_NE(child, -1);
    if (child == 0) {
        bool right = convc_opencl_begin_v1(nullptr, 0) == CONVC_ERROR_DRIVER && error_says("fork()");
        right = right && Kernel().scale(nullptr, Buffer(x_), Buffer(y_), 2) == CONVC_ERROR_DRIVER;
        right = right && convc_opencl_synchronize(nullptr) == CONVC_ERROR_DRIVER;
        _exit(right ? 0 : 1);
    }
    int status = 1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(Kernel().scale(nullptr, Buffer(x_), Buffer(y_), 2), 0u);
}

void start_without_a_platform() {
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    void *memory = nullptr;
    convc_gpu_device info;
    EXPECT_EQ(convc_opencl_release(), CONVC_OK);
    EXPECT_EQ(convc_opencl_begin_v1(nullptr, 0), CONVC_ERROR_DRIVER);
    EXPECT_NE(std::string(convc_gpu_error()), "");
    EXPECT_EQ(convc_opencl_allocate(1, &memory), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_opencl_device(&info), CONVC_ERROR_DRIVER);
    EXPECT_EQ(convc_opencl_synchronize(nullptr), CONVC_ERROR_DRIVER);
    EXPECT_EQ(Kernel().scale(nullptr, Buffer(&info), Buffer(&info), 2), uint64_t{CONVC_ERROR_DRIVER});
}

// In a process of its own: the library looks for platforms once.
TEST(OpenClStart, FailsWithoutAPlatform) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(
        {
            start_without_a_platform();
            std::exit(testing::Test::HasFailure() ? 1 : 0);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace convc::test
