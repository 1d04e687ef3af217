// The runtime objects as they go into archives: what they define, what they need, and that this machine's works from a
// shared library that comes and goes.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "runtime/kernel_runtime_objects.h"

namespace {

#if defined(__x86_64__)
constexpr std::string_view this_architecture = "x86-64";
#else
constexpr std::string_view this_architecture = "arm-64";
#endif

class Object : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "convc-object-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
        for (const convc::KernelRuntimeObject &object : convc::kernel_runtime_objects()) {
            if (!object.bytes.empty()) write(object);
        }
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    // This machine's as kernel_runtime.o, all as ARCHITECTURE.o.
    void write(const convc::KernelRuntimeObject &object) {
        files_.push_back(std::string(object.architecture) + ".o");
        std::ofstream(folder_ / files_.back(), std::ios::binary) << object.bytes;
        if (object.architecture != this_architecture) return;
        std::filesystem::copy_file(folder_ / files_.back(), folder_ / "kernel_runtime.o");
    }

    std::string output_of(const std::string &command) const {
        const std::string file = (folder_ / "output").string();
        EXPECT_EQ(std::system(("cd " + folder_.string() + " && " + command + " > output 2>&1").c_str()), 0) << command;
        std::stringstream text;
        text << std::ifstream(file).rdbuf();
        return text.str();
    }

    std::set<std::string> symbols(const std::string &options, const std::string &file) const {
        std::istringstream lines(output_of("nm --format=posix " + options + " " + file));
        std::set<std::string> names;
        for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find(' ')));
        return names;
    }

    std::filesystem::path folder_;
    std::vector<std::string> files_;
};

TEST_F(Object, DefinesTheRuntimeAndNothingElse) {
    ASSERT_FALSE(files_.empty());
    for (const std::string &file : files_) {
        EXPECT_EQ(symbols("--defined-only --extern-only", file),
                  (std::set<std::string>{"convc_kernel_choose_v1", "convc_kernel_cpu_level_v1", "convc_kernel_free_v1",
                                         "convc_kernel_malloc_v1", "convc_kernel_parallel_for_v1", "convc_set_threads",
                                         "convc_shutdown"}))
            << file;
    }
}

// Whatever the architecture, the object stands on the C library's names alone: none of libgcc's atomics.
TEST_F(Object, NeedsTheSameOfTheCLibraryEverywhere) {
    const std::set<std::string> needed = symbols("--undefined-only", "kernel_runtime.o");
    for (const std::string &file : files_) {
        for (const std::string &name : symbols("--undefined-only", file)) {
            EXPECT_TRUE(needed.contains(name) || name == "_GLOBAL_OFFSET_TABLE_") << file << " needs " << name;
        }
    }
}

TEST(Objects, SayWhatIsMissing) {
    const convc::Target arm = *convc::parse_target("arm-64-linux");
    const convc::Result<convc::KernelRuntimeObject> found =
        convc::find_kernel_runtime({{"x86-64", "gcc-x86", "bytes"}, {"arm-64", "gcc-arm", "others"}}, arm);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->bytes, "others");
    const convc::Result<convc::KernelRuntimeObject> missing =
        convc::find_kernel_runtime({{"x86-64", "gcc-x86", "bytes"}, {"arm-64", "gcc-arm", ""}}, arm);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().failure, convc::Failure::environment);
    EXPECT_EQ(missing.error().message,
              "cannot write a library for arm-64-linux: there was no C compiler for arm-64 when this convc was built; "
              "install gcc-arm and build it again");
}

TEST_F(Object, LinksWithTheCLibraryAlone) {
    std::ofstream(folder_ / "main.c")
        << "int convc_set_threads(int); int main(void) { return convc_set_threads(3) - 3; }";
    EXPECT_EQ(output_of("cc -nodefaultlibs main.c kernel_runtime.o -lc -lpthread -o main && ./main"), "");
}

TEST_F(Object, UnloadsWithItsThreads) {
    std::ofstream(folder_ / "kernel.c")
        << "int convc_kernel_parallel_for_v1(void *, void *, int, int, void *);"
           "int call(void *context, void *task, int min, int extent, void *closure) {"
           "    return convc_kernel_parallel_for_v1(context, task, min, extent, closure); }";
    output_of("cc -shared -fPIC kernel.c kernel_runtime.o -lpthread -o library.so");
    const auto task = [](void *, int, unsigned char *closure) {
        __atomic_fetch_add(reinterpret_cast<int *>(closure), 1, __ATOMIC_RELAXED);
        return 0;
    };
    for (int round = 0; round < 50; ++round) {
        void *library = dlopen((folder_ / "library.so").c_str(), RTLD_NOW | RTLD_LOCAL);
        ASSERT_NE(library, nullptr) << dlerror();
        const auto set_threads = reinterpret_cast<int (*)(int)>(dlsym(library, "convc_set_threads"));
        const auto parallel_for =
            reinterpret_cast<int (*)(void *, int (*)(void *, int, unsigned char *), int, int, void *)>(
                dlsym(library, "call"));
        ASSERT_EQ(set_threads(4), 4);
        unsigned long long context[4] = {};
        int count = 0;
        ASSERT_EQ(parallel_for(context, task, 0, 100, &count), 0);
        ASSERT_EQ(count, 100);
        ASSERT_EQ(dlclose(library), 0);
        ASSERT_EQ(dlopen((folder_ / "library.so").c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr) << "it did not unload";
    }
}

}  // namespace
