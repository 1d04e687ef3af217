// The object loader, on a kernel written in C for the purpose and compiled by the system's compiler.
#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "convc/loaded_kernel.h"
#include "runtime/kernel_runtime/kernel_runtime.h"

namespace convc {
namespace {

// y[i] = factor * x[i] + cosf(0), in four parallel tasks with a block of scratch each.
constexpr const char *kernel_source = R"(
#include <math.h>
#include <string.h>
#include "convc/convc.h"
#include "runtime/kernel_runtime/kernel_runtime.h"
struct call { const float *x; float *y; float factor; };
static int task(void *context, int i, uint8_t *closure) {
    const struct call *call = (const void *)closure;
    float *scratch = convc_kernel_malloc_v1(context, 4 * sizeof(float));
    if (!scratch) return CONVC_ERROR_INTERNAL;
    memcpy(scratch, call->x + 4 * i, 4 * sizeof(float));
    for (int j = 0; j < 4; ++j) call->y[4 * i + j] = call->factor * scratch[j] + cosf(0 * scratch[j]);
    convc_kernel_free_v1(context, scratch);
    return 0;
}
static int run(const int64_t *extents, const float *const *inputs, const void *packed, float *y, void *workspace) {
    (void)extents, (void)packed;
    convc_kernel_context context = {workspace, 4 * 192, 0, 192};
    struct call call = {inputs[0], y, FACTOR};
    return convc_kernel_parallel_for_v1(&context, task, 0, 4, (uint8_t *)&call);
}
int answer = 42;
extern int missing_function(void);
const convc_kernel_info *NAME_info(void) {
#ifdef MISSING
    return (const void *)(intptr_t)missing_function();
#endif
    static convc_kernel_info info = {.abi = ABI, .name = "k", .workspace_bytes = 4 * 192, .run = run};
    return &info;
}
)";

#if defined(__x86_64__)
constexpr const char *host_target = "x86-64-linux-sse41";
constexpr const char *foreign_target = "arm-64-linux";
constexpr int foreign_machine = EM_AARCH64;
#else
constexpr const char *host_target = "arm-64-linux";
constexpr const char *foreign_target = "x86-64-linux-sse41";
constexpr int foreign_machine = EM_X86_64;
#endif

std::string read_file(const std::filesystem::path &path) {
    std::stringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    return bytes.str();
}

std::string compile_c(const std::string &flags) {
    std::string folder = testing::TempDir() + "convc-loader-XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    std::ofstream(folder + "/k.c") << kernel_source;
    const std::string command = "cc -c -O2 -fPIC -I" SOURCE_FOLDER " -I" SOURCE_FOLDER "/runtime/include " + flags +
                                " " + folder + "/k.c -o " + folder + "/k.o";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    std::string object = read_file(folder + "/k.o");
    std::filesystem::remove_all(folder);
    return object;
}

Kernel compile_kernel(const std::string &name, float factor, const std::string &flags = "-DABI=CONVC_ABI") {
    Kernel kernel;
    kernel.symbol = name;
    kernel.target = host_target;
    kernel.objects.push_back(
        {name + ".o", compile_c(flags + " -DNAME_info=" + name + "_info -DFACTOR=" + std::to_string(factor))});
    return kernel;
}

const Kernel &doubling_kernel() {
    static const Kernel kernel = compile_kernel("doubling", 2);
    return kernel;
}

bool computes(const LoadedKernel &kernel, float factor) {
    alignas(64) char workspace[4 * 192];
    float x[16];
    float y[16] = {};
    for (int i = 0; i < 16; ++i) x[i] = static_cast<float>(i);
    const float *inputs[] = {x};
    if (kernel.info().run(nullptr, inputs, nullptr, y, workspace) != 0) return false;
    for (int i = 0; i < 16; ++i) {
        if (y[i] != factor * x[i] + 1) return false;
    }
    return true;
}

TEST(Loader, LoadsAndCallsAKernel) {
    const Result<LoadedKernel> kernel = load_kernel(doubling_kernel());
    ASSERT_TRUE(kernel) << kernel.error().message;
    EXPECT_STREQ(kernel->info().name, "k");
    EXPECT_EQ(kernel->info().workspace_bytes, 768u);
    EXPECT_TRUE(computes(*kernel, 2));
}

TEST(Loader, KeepsKernelsOfOneNameApart) {
    const Result<LoadedKernel> first = load_kernel(compile_kernel("same", 3));
    const Result<LoadedKernel> second = load_kernel(compile_kernel("same", 5));
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(computes(*first, 3));
    EXPECT_TRUE(computes(*second, 5));
}

TEST(Loader, KeepsTheCodeUntilTheLastHandleIsGone) {
    std::vector<LoadedKernel> kept;
    {
        Result<LoadedKernel> kernel = load_kernel(doubling_kernel());
        ASSERT_TRUE(kernel);
        kept.push_back(*kernel);
    }
    EXPECT_TRUE(computes(kept[0], 2));
}

TEST(Loader, FindsFurtherSymbols) {
    const Result<LoadedKernel> kernel = load_kernel(doubling_kernel());
    ASSERT_TRUE(kernel);
    const auto *answer = static_cast<const int *>(kernel->symbol("answer"));
    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(*answer, 42);
    EXPECT_EQ(kernel->symbol("question"), nullptr);
    EXPECT_EQ(kernel->symbol("memcpy"), nullptr) << "the process's symbols are not the kernel's";
}

TEST(Loader, NamesTheSymbolThatIsMissing) {
    const Result<LoadedKernel> kernel = load_kernel(compile_kernel("lacking", 1, "-DABI=CONVC_ABI -DMISSING"));
    ASSERT_FALSE(kernel);
    EXPECT_EQ(kernel.error().failure, Failure::internal);
    EXPECT_NE(kernel.error().message.find("missing_function"), std::string::npos) << kernel.error().message;
    EXPECT_TRUE(load_kernel(doubling_kernel())) << "a failure must not spoil what follows";
}

TEST(Loader, RefusesAKernelWithoutItsInfoFunction) {
    Kernel kernel = doubling_kernel();
    kernel.symbol = "other";
    const Result<LoadedKernel> loaded = load_kernel(kernel);
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().message.find("other_info"), std::string::npos) << loaded.error().message;
}

TEST(Loader, RefusesAnotherBinaryInterface) {
    const Result<LoadedKernel> kernel = load_kernel(compile_kernel("old", 1, "-DABI=77"));
    ASSERT_FALSE(kernel);
    EXPECT_NE(kernel.error().message.find("77"), std::string::npos) << kernel.error().message;
}

TEST(Loader, RefusesBytesThatAreNoObject) {
    for (const std::string &bytes : {std::string(), std::string("hello"), std::string(5000, '\x7f'),
                                     doubling_kernel().objects[0].bytes.substr(0, 100)}) {
        Kernel kernel = doubling_kernel();
        kernel.objects[0].bytes = bytes;
        EXPECT_FALSE(load_kernel(kernel));
    }
}

TEST(Loader, RefusesAnObjectTwice) {
    Kernel kernel = doubling_kernel();
    kernel.objects.push_back(kernel.objects[0]);
    EXPECT_FALSE(load_kernel(kernel));
}

TEST(Loader, RefusesForeignTargetsAndForeignObjects) {
    Kernel kernel = doubling_kernel();
    kernel.target = foreign_target;
    const Result<LoadedKernel> loaded = load_kernel(kernel);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().failure, Failure::environment);
    EXPECT_NE(loaded.error().message.find(foreign_target), std::string::npos);

    kernel = doubling_kernel();
    kernel.objects[0].bytes[18] = static_cast<char>(foreign_machine);
    const Result<LoadedKernel> foreign_object = load_kernel(kernel);
    ASSERT_FALSE(foreign_object);
    EXPECT_EQ(foreign_object.error().failure, Failure::environment) << foreign_object.error().message;
}

std::vector<std::string> executable_mappings() {
    std::ifstream maps("/proc/self/maps");
    std::vector<std::string> found;
    for (std::string line; std::getline(maps, line);) {
        if (line.find(" r-xp ") != std::string::npos || line.find("wxp ") != std::string::npos) found.push_back(line);
    }
    return found;
}

TEST(Loader, HasNoPageThatIsWritableAndExecutable) {
    const Result<LoadedKernel> kernel = load_kernel(doubling_kernel());
    ASSERT_TRUE(kernel);
    for (const std::string &mapping : executable_mappings()) {
        EXPECT_EQ(mapping.find("wxp "), std::string::npos) << mapping;
    }
}

long resident_kilobytes() {
    std::ifstream statm("/proc/self/statm");
    long total = 0;
    long resident = 0;
    statm >> total >> resident;
    return resident * sysconf(_SC_PAGESIZE) / 1024;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitizer_keeps_freed_memory = true;
#else
constexpr bool sanitizer_keeps_freed_memory = false;
#endif

// Milliseconds that loading took.
double load_call_and_unload() {
    const Kernel &kernel = doubling_kernel();
    const auto start = std::chrono::steady_clock::now();
    const Result<LoadedKernel> loaded = load_kernel(kernel);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    EXPECT_TRUE(loaded && computes(*loaded, 2));
    return time.count();
}

TEST(Loader, LoadsAndUnloadsAThousandTimesWithoutGrowth) {
    for (int i = 0; i < 100; ++i) load_call_and_unload();
    [[maybe_unused]] const long resident = resident_kilobytes();
    const size_t mappings = executable_mappings().size();
    std::vector<double> times(1000);
    for (double &time : times) time = load_call_and_unload();
    EXPECT_EQ(executable_mappings().size(), mappings);
    EXPECT_TRUE(sanitizer_keeps_freed_memory || resident_kilobytes() - resident < 512);
    std::sort(times.begin(), times.end());
    std::printf("load: median %.3f ms, 99th percentile %.3f ms\n", times[500], times[990]);
    EXPECT_LT(times[500], 1.0);
}

TEST(Loader, LoadsFromManyThreads) {
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    const Kernel &kernel = doubling_kernel();
    threads.reserve(8);
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                const Result<LoadedKernel> loaded = load_kernel(kernel);
                if (!loaded || !computes(*loaded, 2)) ++failures;
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
}

// Static handles outlive main(); unloading them then must work. Run by the death test below in a child.
TEST(Loader, UnloadsAtExit) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            static const Result<LoadedKernel> kernel = load_kernel(doubling_kernel());
            std::exit(computes(*kernel, 2) ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace convc
