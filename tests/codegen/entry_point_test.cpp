// The C entry points: linked with hand-made functions into a shared library, loaded and called as a user's program
// would.
#include "compiler/codegen/entry_point.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <thread>

#include "convc/convc.h"
#include "tests/codegen/workbench.h"

namespace convc::test {
namespace {

const Target x86 = *parse_target("x86-64-linux-avx2-fma");

std::string object_of(const EntryPoints &entry, const Target &target = x86) {
    return expect_value(build_entry_object(entry, target));
}

// The entry points of `entry` in a shared library, loaded.
class Loaded {
public:
    explicit Loaded(const EntryPoints &entry) : symbol_(entry.symbol) {
        const std::string path = folder_.path("kernel.so");
        const std::string entry_path = folder_.write("entry.o", object_of(entry));
        const std::string functions_path = folder_.write("functions.o", compile_c(scale_twice_functions()));
        const std::string cpu_path =
            folder_.write("cpu.o", compile_c("int cpu_level = 2;\n"
                                             "int convc_kernel_cpu_level_v1(void) { return cpu_level; }"));
        // -z defs: nothing else may be needed, not even libc.
        const Outcome linked = run_command(CONVC_TEST_CC " -shared -nostdlib -Wl,-z,defs -Wl,-z,text " + entry_path +
                                           " " + cpu_path + " " + functions_path + " -o " + path);
        EXPECT_EQ(linked.status, 0) << linked.output;
        library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library_ == nullptr) ADD_FAILURE() << dlerror();
    }
    ~Loaded() {
        if (library_ != nullptr) dlclose(library_);
    }
    Loaded(const Loaded &) = delete;
    Loaded &operator=(const Loaded &) = delete;

    void set_cpu_level(int level) const { *static_cast<int *>(dlsym(library_, "cpu_level")) = level; }

    template <class Signature>
    Signature *function(const std::string &suffix) const {
        void *address = dlsym(library_, (symbol_ + suffix).c_str());
        EXPECT_NE(address, nullptr) << suffix;
        return reinterpret_cast<Signature *>(address);
    }

private:
    ScratchFolder folder_;
    std::string symbol_;
    void *library_ = nullptr;
};

struct Weights {
    const float *w0, *b0, *w1;
};

// scale_twice(), loaded once for all tests.
const Loaded &loaded_scale_twice() {
    static const Loaded kernel(scale_twice());
    return kernel;
}

class ScaleTwice : public testing::Test {
protected:
    ScaleTwice() {
        kernel.set_cpu_level(2);
        for (int i = 0; i < 12; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i - 5);
        for (int i = 0; i < 12; ++i) gate[static_cast<size_t>(i)] = static_cast<float>(i % 4);
        std::memset(packed, 0xff, sizeof(packed));
        std::memset(workspace, 0xff, sizeof(workspace));
    }

    int pack_now() { return pack(&weights, packed); }
    int call_now() { return call(x.data(), gate.data(), packed, y.data(), workspace); }

    void expect_right_output() const {
        for (size_t i = 0; i < 12; ++i) EXPECT_EQ(y[i], (x[i] * w0[i % 3] + b0[i % 3]) * w1[i % 3] * gate[i]) << i;
    }

    const Loaded &kernel = loaded_scale_twice();
    int (*pack)(const Weights *, void *) = kernel.function<int(const Weights *, void *)>("_pack");
    int (*call)(const float *, const float *, const void *, float *,
                void *) = kernel.function<int(const float *, const float *, const void *, float *, void *)>("");
    const convc_kernel_info *info = kernel.function<const convc_kernel_info *()>("_info")();

    std::array<float, 12> x{}, gate{}, y{};
    std::array<float, 3> w0{2, 3, 4}, b0{10, 20, 30}, w1{5, 6, 7};
    Weights weights{w0.data(), b0.data(), w1.data()};
    alignas(64) char packed[256];
    alignas(64) char workspace[320];
};

TEST_F(ScaleTwice, PacksAndRuns) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    ASSERT_EQ(call_now(), CONVC_OK);
    expect_right_output();
}

TEST_F(ScaleTwice, SaysItsSizes) {
    EXPECT_EQ(kernel.function<size_t()>("_packed_bytes")(), 256U);
    EXPECT_EQ(kernel.function<size_t()>("_workspace_bytes")(), 320U);
}

TEST_F(ScaleTwice, RunsThroughTheUniformFunctions) {
    const std::array<const float *, 3> parameters{w0.data(), b0.data(), w1.data()};
    const std::array<const float *, 2> inputs{x.data(), gate.data()};
    ASSERT_EQ(info->pack(parameters.data(), packed), CONVC_OK);
    ASSERT_EQ(info->run(nullptr, inputs.data(), packed, y.data(), workspace), CONVC_OK);
    expect_right_output();
    EXPECT_EQ(info->pack(nullptr, packed), CONVC_ERROR_NULL);
    EXPECT_EQ(info->run(nullptr, nullptr, packed, y.data(), workspace), CONVC_ERROR_NULL);
}

TEST_F(ScaleTwice, DescribesItself) {
    const EntryPoints entry = scale_twice();
    EXPECT_EQ(info->abi, CONVC_ABI);
    EXPECT_EQ(info->extent_count, 0U);
    EXPECT_STREQ(info->name, "scale_twice");
    EXPECT_EQ(info->layer, entry.layer.canonical_line());
    EXPECT_STREQ(info->schedule, "depthwise() -> depthwise()");
    EXPECT_STREQ(info->target, "x86-64-linux-avx2-fma");
    EXPECT_STREQ(info->version, CONVC_TEST_VERSION);
    EXPECT_EQ(info->packed_bytes, 256U);
    EXPECT_EQ(info->workspace_bytes, 320U);

    const auto expect_tensor = [](const convc_tensor_info &tensor, const char *name) {
        EXPECT_STREQ(tensor.name, name);
        EXPECT_STREQ(tensor.layout, "nhwc");
        ASSERT_EQ(tensor.rank, 4);
        EXPECT_EQ(std::vector<int64_t>(tensor.extents, tensor.extents + 4), (std::vector<int64_t>{1, 2, 2, 3}));
    };
    ASSERT_EQ(info->input_count, 2);
    expect_tensor(info->inputs[0], "x");
    expect_tensor(info->inputs[1], "gate");
    expect_tensor(*info->output, "y");

    const std::vector<Parameter> parameters = entry.layer.parameters();
    ASSERT_EQ(info->parameter_count, 3);
    for (size_t i = 0; i < parameters.size(); ++i) {
        const convc_parameter_info &parameter = info->parameters[i];
        EXPECT_EQ(parameter.name, parameters[i].name());
        EXPECT_EQ(std::vector<int64_t>(parameter.shape, parameter.shape + parameter.rank), parameters[i].shape);
    }
}

TEST_F(ScaleTwice, RefusesACpuThatCannotRunIt) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    kernel.set_cpu_level(1);
    EXPECT_EQ(pack_now(), CONVC_ERROR_TARGET);
    EXPECT_EQ(call_now(), CONVC_ERROR_TARGET);
    kernel.set_cpu_level(3);
    EXPECT_EQ(call_now(), CONVC_OK);
}

TEST_F(ScaleTwice, RefusesEachNullPointer) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    EXPECT_EQ(call(nullptr, gate.data(), packed, y.data(), workspace), CONVC_ERROR_NULL);
    EXPECT_EQ(call(x.data(), nullptr, packed, y.data(), workspace), CONVC_ERROR_NULL);
    EXPECT_EQ(call(x.data(), gate.data(), nullptr, y.data(), workspace), CONVC_ERROR_NULL);
    EXPECT_EQ(call(x.data(), gate.data(), packed, nullptr, workspace), CONVC_ERROR_NULL);
    EXPECT_EQ(call(x.data(), gate.data(), packed, y.data(), nullptr), CONVC_ERROR_NULL);
    EXPECT_EQ(pack(nullptr, packed), CONVC_ERROR_NULL);
    EXPECT_EQ(pack(&weights, nullptr), CONVC_ERROR_NULL);
    for (const float *Weights::*member : {&Weights::w0, &Weights::b0, &Weights::w1}) {
        Weights incomplete = weights;
        incomplete.*member = nullptr;
        EXPECT_EQ(pack(&incomplete, packed), CONVC_ERROR_NULL);
    }
    EXPECT_EQ(call_now(), CONVC_OK) << "a refused pack leaves packed memory alone";
}

TEST_F(ScaleTwice, RefusesMisalignedMemory) {
    alignas(64) char elsewhere[1024] = {};
    ASSERT_EQ(pack_now(), CONVC_OK);
    for (const int offset : {1, 4, 32}) {
        EXPECT_EQ(pack(&weights, elsewhere + offset), CONVC_ERROR_ALIGNMENT);
        EXPECT_EQ(call(x.data(), gate.data(), elsewhere + offset, y.data(), workspace), CONVC_ERROR_ALIGNMENT);
        EXPECT_EQ(call(x.data(), gate.data(), packed, y.data(), elsewhere + offset), CONVC_ERROR_ALIGNMENT);
    }
}

TEST_F(ScaleTwice, RefusesWhatItDidNotPack) {
    EXPECT_EQ(call_now(), CONVC_ERROR_PACKED);
    ASSERT_EQ(pack_now(), CONVC_OK);
    packed[7] = static_cast<char>(packed[7] ^ 1);
    EXPECT_EQ(call_now(), CONVC_ERROR_PACKED);
    std::memset(packed, 0, sizeof(packed));
    EXPECT_EQ(call_now(), CONVC_ERROR_PACKED);
}

TEST_F(ScaleTwice, PacksTheSameBytesEachTime) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    const uint64_t tag = scale_twice().packed_tag;
    EXPECT_EQ(std::memcmp(packed, &tag, sizeof(tag)), 0);
    for (size_t i = sizeof(tag); i < packed_header_bytes; ++i) EXPECT_EQ(packed[i], 0) << i;
}

TEST_F(ScaleTwice, APackThatFailsHalfwayIsNotTakenForPacked) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    w1 = {7777, -1, 0};
    EXPECT_EQ(pack_now(), CONVC_ERROR_INTERNAL);
    EXPECT_EQ(call_now(), CONVC_ERROR_PACKED);
}

TEST_F(ScaleTwice, PassesItsOwnErrorsOnAndHidesOthers) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    for (const int code : {1, 2, 3, 4, 5, 6}) {
        x[0] = 7777;
        x[1] = static_cast<float>(code);
        EXPECT_EQ(call_now(), code);
    }
    for (const int code : {-1, -64, 7, 1000, std::numeric_limits<int>::min()}) {
        x[1] = static_cast<float>(code);
        EXPECT_EQ(call_now(), CONVC_ERROR_INTERNAL);
    }
}

TEST_F(ScaleTwice, RunsInManyThreadsAtOnce) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    std::array<std::array<float, 12>, 8> outputs{};
    std::vector<std::thread> threads;
    threads.reserve(outputs.size());
    for (std::array<float, 12> &output : outputs) {
        threads.emplace_back([&] {
            alignas(64) char own_workspace[320];
            for (int i = 0; i < 1000; ++i) call(x.data(), gate.data(), packed, output.data(), own_workspace);
        });
    }
    for (std::thread &thread : threads) thread.join();
    ASSERT_EQ(call_now(), CONVC_OK);
    for (const std::array<float, 12> &output : outputs) EXPECT_EQ(output, y);
}

// Weights baked in: what a caller's packed memory would hold is in the object.
TEST_F(ScaleTwice, RunsOnBakedWeights) {
    ASSERT_EQ(pack_now(), CONVC_OK);
    EntryPoints entry = scale_twice();
    entry.symbol = "baked";
    entry.baked_packed.assign(packed, sizeof(packed));
    const Loaded baked(entry);
    EXPECT_EQ(baked.function<size_t()>("_packed_bytes")(), 0U);
    EXPECT_EQ(baked.function<int(const void *, void *)>("_pack")(nullptr, nullptr), CONVC_OK);
    const auto *baked_info = baked.function<const convc_kernel_info *()>("_info")();
    EXPECT_EQ(baked_info->parameter_count, 0);
    EXPECT_EQ(baked_info->parameters, nullptr);
    EXPECT_EQ(baked_info->packed_bytes, 0U);
    const auto run = baked.function<int(const float *, const float *, const void *, float *, void *)>("");
    ASSERT_EQ(run(x.data(), gate.data(), nullptr, y.data(), workspace), CONVC_OK);
    expect_right_output();
}

TEST(EntryPoint, HasNoPublicNamesButItsOwn) {
    const ScratchFolder folder;
    const std::string path = folder.write("entry.o", object_of(scale_twice()));
    EXPECT_EQ(
        run_command("nm -g --defined-only --format=just-symbols " + path).output,
        "scale_twice\nscale_twice_info\nscale_twice_pack\nscale_twice_packed_bytes\nscale_twice_workspace_bytes\n");
    EXPECT_EQ(run_command("nm -u --format=just-symbols " + path).output,
              "convc_kernel_cpu_level_v1\nscale_twice_pack0\nscale_twice_pack1\nscale_twice_run0\nscale_twice_run1\n");
}

TEST(EntryPoint, IsTheSameBytesEachTime) {
    EXPECT_EQ(object_of(scale_twice()), object_of(scale_twice()));
}

TEST(EntryPoint, CompilesInManyThreadsAtOnce) {
    const std::string expected = object_of(scale_twice());
    std::array<std::string, 4> objects;
    std::vector<std::thread> threads;
    threads.reserve(objects.size());
    for (std::string &object : objects) threads.emplace_back([&object] { object = object_of(scale_twice()); });
    for (std::thread &thread : threads) thread.join();
    for (const std::string &object : objects) EXPECT_EQ(object, expected);
}

TEST(EntryPoint, CompilesForAnotherArchitecture) {
    const std::string object = object_of(scale_twice(), *parse_target("arm-64-linux"));
    ASSERT_GT(object.size(), 20U);
    EXPECT_EQ(static_cast<unsigned char>(object[18]), 183) << "ELF's machine number of AArch64";
}

// Names that mean something to C's library, to the object's own functions or to LLVM stay what they are.
TEST(EntryPoint, TakesHostileNames) {
    for (const std::string &name : {std::string("llvm_memcpy"), std::string("_"), std::string("run"),
                                    std::string("memcpy"), std::string("convc_shutdown_"), std::string(5000, 'n')}) {
        EntryPoints entry = scale_twice();
        entry.symbol = name;
        const ScratchFolder folder;
        const std::string path = folder.write("entry.o", object_of(entry));
        EXPECT_EQ(run_command("nm -g --defined-only --format=just-symbols " + path).output,
                  fmt::format("{0}\n{0}_info\n{0}_pack\n{0}_packed_bytes\n{0}_workspace_bytes\n", name));
    }
}

// What a mistake in code generation would look like: refused, so that no entry point ever leaves its memory.
TEST(EntryPoint, RefusesWhatCannotBe) {
    const auto refusal = [](void (*break_it)(EntryPoints &)) {
        EntryPoints entry = scale_twice();
        break_it(entry);
        const Result<std::string> object = build_entry_object(entry, x86);
        if (object) return std::string("accepted");
        EXPECT_EQ(object.error().failure, Failure::internal);
        return object.error().message;
    };
    const std::string prefix = "cannot make the entry points of scale_twice: ";
    EXPECT_EQ(refusal([](EntryPoints &e) { e.symbol = "a b"; }),
              "cannot make the entry points of a b: 'a b' is not a name in C");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run.clear(); }), prefix + "nothing to call");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.variants = {{"scale_twice.avx2", x86}}; }),
              prefix + "the entry points of no variant have the layer's own name");
    EXPECT_EQ(refusal([](EntryPoints &e) {
                  e.symbol += ".none";
                  e.variants = {{"scale_twice.avx2", x86}};
              }),
              "cannot make the entry points of scale_twice.none: the entry points of no variant call something");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run[0].function = "scale_twice_pack"; }),
              prefix + "'scale_twice_pack' cannot be the name of a Halide function");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.packed_tag = 0; }),
              prefix + "a packed tag of 0 would pass for memory that was never packed");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.arena_offset = 32; }),
              prefix + "the arena does not begin on a multiple of 64 bytes");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run[0].arguments[0].index = 2; }),
              prefix + "argument 0 of scale_twice_run0 is out of range");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run[0].arguments[0].place = BufferArgument::Place::parameter; }),
              prefix + "argument 0 of scale_twice_run0 is out of range");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.pack[0].arguments[0].place = BufferArgument::Place::output; }),
              prefix + "argument 0 of scale_twice_pack0 is out of range");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run[0].arguments[1].offset = 32; }),
              prefix + "argument 1 of scale_twice_run0 is out of range");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run[0].arguments[1].offset = 248; }),
              prefix + "argument 1 of scale_twice_run0 spans 12 bytes of 8");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run[0].arguments[3].offset = 32; }),
              prefix + "argument 3 of scale_twice_run0 spans 48 bytes of 32");
    EXPECT_EQ(refusal([](EntryPoints &e) { e.run[1].arguments[3].dimensions[3] = {2147483647, 2147483647}; }),
              prefix + "argument 3 of scale_twice_run1 spans 18446744047939747896 bytes of 48");
}

}  // namespace
}  // namespace convc::test
