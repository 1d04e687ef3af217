// Kernels of real layers through the whole of code generation: compiled, archived, linked by the C compiler, loaded by
// the system's loader and held against the reference.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "compiler/codegen/codegen.h"
#include "compiler/plan/host_target.h"
#include "compiler/plan/plan.h"
#include "tests/codegen/workbench.h"
#include "tests/support/build_layer.h"
#include "tests/support/kernel_under_test.h"

namespace convc::test {
namespace {

struct NamedLayer {
    std::string symbol;
    Layer layer;
};

// A padded convolution, a chain with an intermediate and a further tensor, and one with constant weights and tanh of
// libm.
std::vector<NamedLayer> layers() {
    return {
        {"padded", LayerBuilder(nhwc(1, 9, 9, 8)).conv(24, square(3, 1, 1)).epilogue(EpilogueKind::bias)},
        {"residual", LayerBuilder(nhwc(2, 7, 7, 16))
                         .input("skip", nhwc(2, 7, 7, 16))
                         .depthwise(square(3, 1, 1))
                         .epilogue(EpilogueKind::bias)
                         .epilogue(EpilogueKind::relu)
                         .conv(16, square(1))
                         .epilogue(EpilogueKind::add, 1)},
        {"edges", LayerBuilder(nhwc(1, 12, 12, 3))
                      .depthwise(square(3, 1, 1))
                      .weights({-1, 0, 1, -2, 0, 2, -1, 0, 1})
                      .epilogue(EpilogueKind::tanh)},
    };
}

Kernel compile(const NamedLayer &named, const std::string &baked_packed = {}) {
    const Plan plan = expect_value(make_plan(named.layer, host_target()));
    return expect_value(compile_kernel(plan, named.symbol, nullptr, baked_packed));
}

// A shared library made from the archive of these kernels, as a user's build would.
class SharedLibrary {
public:
    explicit SharedLibrary(const std::vector<Kernel> &kernels) {
        std::vector<const Kernel *> pointers;
        pointers.reserve(kernels.size());
        for (const Kernel &kernel : kernels) pointers.push_back(&kernel);
        const std::string archive = folder_.write("libnet.a", expect_value(write_archive(pointers, host_target())));
        const std::string path = folder_.path("libnet.so");
        const Outcome linked = run_command(CONVC_TEST_CC " -shared -Wl,-z,defs -Wl,-z,text -Wl,--whole-archive " +
                                           archive + " -Wl,--no-whole-archive -pthread -lm -o " + path);
        EXPECT_EQ(linked.status, 0) << linked.output;
        library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library_ == nullptr) ADD_FAILURE() << dlerror();
    }
    ~SharedLibrary() {
        if (library_ != nullptr) dlclose(library_);
    }
    SharedLibrary(const SharedLibrary &) = delete;
    SharedLibrary &operator=(const SharedLibrary &) = delete;

    const convc_kernel_info &info(const std::string &symbol) const {
        return *reinterpret_cast<const convc_kernel_info *(*)()>(dlsym(library_, (symbol + "_info").c_str()))();
    }
    std::string exports() const {
        return run_command("nm -D --defined-only --format=just-symbols " + folder_.path("libnet.so")).output;
    }

private:
    ScratchFolder folder_;
    void *library_ = nullptr;
};

std::vector<Kernel> compile_all() {
    std::vector<Kernel> kernels;
    for (const NamedLayer &named : layers()) kernels.push_back(compile(named));
    return kernels;
}

TEST(Library, ComputesWhatTheReferenceDoes) {
    const SharedLibrary library(compile_all());
    for (const NamedLayer &named : layers()) {
        const KernelUnderTest kernel(named.layer, library.info(named.symbol));
        EXPECT_TRUE(kernel.agrees(uniform_data(named.layer, 1), Tolerance::bounded)) << named.symbol;
    }
}

TEST(Library, ShowsOnlyThePublicNames) {
    std::string expected = "convc_set_threads\nconvc_shutdown\n";
    for (const char *name : {"edges", "padded", "residual"}) {
        for (const char *suffix : {"", "_info", "_pack", "_packed_bytes", "_workspace_bytes"}) {
            expected += std::string(name) + suffix + "\n";
        }
    }
    EXPECT_EQ(SharedLibrary(compile_all()).exports(), expected);
}

// Layers may be called like anything that code generation makes up for another.
TEST(Library, TakesLayersWhoseNamesLookGenerated) {
    std::vector<Kernel> kernels;
    std::set<std::string> files;
    const Layer layer = LayerBuilder(nhwc(1, 4, 4, 4)).conv(8, square(1)).epilogue(EpilogueKind::bias);
    for (const char *name : {"a", "a_kernel", "a_run0", "a_pack0", "a_run0_run0"}) {
        kernels.push_back(compile({name, layer}));
        for (const ObjectFile &object : kernels.back().objects) {
            EXPECT_TRUE(files.insert(object.name).second) << object.name << " would be overwritten";
        }
    }
    const SharedLibrary library(kernels);
    EXPECT_STREQ(library.info("a_run0").name, "a_run0");
}

// An archive depends on its layers alone: not on what was compiled before, nor on how many threads compiled (`-j`).
TEST(Library, IsTheSameBytesWhateverElseTheProcessCompiles) {
    const std::vector<NamedLayer> all = layers();
    const std::vector<Kernel> expected = compile_all();
    std::vector<Kernel> kernels(all.size());
    std::vector<std::thread> threads;
    threads.reserve(all.size());
    for (size_t i = all.size(); i-- > 0;) threads.emplace_back([&, i] { kernels[i] = compile(all[i]); });
    for (std::thread &thread : threads) thread.join();
    for (size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(kernels[i].objects.size(), expected[i].objects.size());
        for (size_t o = 0; o < kernels[i].objects.size(); ++o) {
            EXPECT_TRUE(kernels[i].objects[o].bytes == expected[i].objects[o].bytes) << kernels[i].objects[o].name;
        }
    }
}

TEST(Library, KeepsBakedWeightsInItself) {
    const NamedLayer named = layers()[0];
    const LayerData data = uniform_data(named.layer, 1);
    std::string packed;
    {
        const SharedLibrary library({compile(named)});
        const convc_kernel_info &info = library.info(named.symbol);
        const PackedKernel memory(info, data.parameters);
        packed.assign(static_cast<const char *>(memory.data()), info.packed_bytes);
    }
    const SharedLibrary library({compile(named, packed)});
    const convc_kernel_info &info = library.info(named.symbol);
    ASSERT_EQ(info.packed_bytes, 0U);
    ASSERT_EQ(info.parameter_count, 0);

    EXPECT_TRUE(KernelUnderTest(named.layer, info).agrees(data, Tolerance::bounded));
}

}  // namespace
}  // namespace convc::test
