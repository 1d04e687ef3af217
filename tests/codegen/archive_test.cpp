// The archive and its header as a C programmer uses them: a program that includes the one and links the other.
#include <gtest/gtest.h>

#include "compiler/codegen/codegen.h"
#include "tests/codegen/workbench.h"

namespace convc::test {
namespace {

const Target x86 = *parse_target("x86-64-linux-sse41");

// A layer without weights whose function needs the kernel runtime: a parallel loop, and memory in each task.
//
//     f32 nwc[1, 64, 2] -> shuffle(1), doubled
EntryPoints doubled() {
    using Place = BufferArgument::Place;
    const TensorType type{DataType::f32, Layout::nwc, 1, 2, {64}};
    const View dimensions{{2, 1}, {64, 2}, {1, 128}};
    EntryPoints entry;
    entry.symbol = "doubled";
    entry.layer.name = "doubled";
    entry.layer.inputs = {{"x", type}};
    Stage stage;
    stage.kind = StageKind::shuffle;
    stage.in_channels = stage.out_channels = 2;
    stage.output = type;
    entry.layer.stages = {stage};
    entry.schedule = "doubled()";
    entry.arena_bytes = 64UL * 192;
    entry.run = {{"doubled_run", {{Place::input, 0, 0, dimensions}, {Place::output, 0, 0, dimensions}}, 192}};
    return entry;
}

constexpr const char *doubled_functions = R"(
    #include <stddef.h>
    #include <stdint.h>
    void *halide_malloc(void *, size_t);
    void halide_free(void *, void *);
    int halide_do_par_for(void *, int (*)(void *, int, uint8_t *), int, int, uint8_t *);
    struct buffer { uint64_t device; void *interface; float *host; };
    struct closure { struct buffer *x, *y; };
    int doubled_par_for(void *context, int i, uint8_t *bytes) {
        struct closure *closure = (struct closure *)bytes;
        float *scratch = halide_malloc(context, 2 * sizeof(float));
        if (!scratch) return -11;
        for (int c = 0; c < 2; ++c) scratch[c] = closure->x->host[2 * i + c];
        for (int c = 0; c < 2; ++c) closure->y->host[2 * i + c] = 2 * scratch[c];
        halide_free(context, scratch);
        return 0;
    }
    int doubled_run(void *context, struct buffer *x, struct buffer *y) {
        struct closure closure = {x, y};
        return halide_do_par_for(context, doubled_par_for, 0, 64, (uint8_t *)&closure);
    })";

constexpr const char *program = R"(
    #include "net.h"
    #include "net.h"
    #include <stdio.h>
    #define CHECK(condition) do { if (!(condition)) { printf("line %d: %s\n", __LINE__, #condition); return 1; } } while (0)
    static _Alignas(64) char packed[256], workspace[16384];
    int main(void) {
        float x[128], gate[12], y[128], w0[3] = {2, 3, 4}, b0[3] = {10, 20, 30}, w1[3] = {5, 6, 7};
        scale_twice_weights weights = {w0, b0, w1};
        for (int i = 0; i < 128; ++i) x[i] = (float)i;
        for (int i = 0; i < 12; ++i) gate[i] = (float)(i % 4);

        CHECK(scale_twice_packed_bytes() == sizeof(packed) && scale_twice_workspace_bytes() <= sizeof(workspace));
        CHECK(scale_twice(x, gate, packed, y, workspace) == CONVC_ERROR_PACKED);
        CHECK(scale_twice_pack(&weights, NULL) == CONVC_ERROR_NULL);
        CHECK(scale_twice_pack(&weights, packed + 4) == CONVC_ERROR_ALIGNMENT);
        CHECK(scale_twice_pack(&weights, packed) == CONVC_OK);
        CHECK(scale_twice(x, NULL, packed, y, workspace) == CONVC_ERROR_NULL);
        CHECK(scale_twice(x, gate, packed, y, workspace + 4) == CONVC_ERROR_ALIGNMENT);
        CHECK(scale_twice(x, gate, packed, y, workspace) == CONVC_OK);
        for (int i = 0; i < 12; ++i) CHECK(y[i] == (x[i] * w0[i % 3] + b0[i % 3]) * w1[i % 3] * gate[i]);
        const convc_kernel_info *info = scale_twice_info();
        CHECK(info->abi == CONVC_ABI && info->parameter_count == 3 && info->inputs[1].extents[3] == 3);

        for (int threads = 0; threads < 4; ++threads) {
            CHECK(convc_set_threads(threads) > 0);
            CHECK(doubled_packed_bytes() == 0 && doubled_pack(NULL, NULL) == CONVC_OK);
            CHECK(doubled(x, NULL, y, workspace) == CONVC_OK);
            for (int i = 0; i < 128; ++i) CHECK(y[i] == 2 * x[i]);
        }
        convc_shutdown();
        puts("done");
        return 0;
    })";

// Made once: each costs a run of the C compiler.
const Kernel &shared_scale_twice() {
    static const Kernel kernel = make_kernel(scale_twice(), scale_twice_functions());
    return kernel;
}

const Kernel &shared_doubled() {
    static const Kernel kernel = make_kernel(doubled(), doubled_functions);
    return kernel;
}

class Archive : public testing::Test {
protected:
    std::string written() { return expect_value(write_archive({&scale_twice_kernel, &doubled_kernel}, x86)); }

    std::string header() const {
        return write_header("net", {{scale_twice().layer, scale_twice_kernel}, {doubled().layer, doubled_kernel}});
    }

    ScratchFolder folder;
    Kernel scale_twice_kernel = shared_scale_twice();  // a copy, to be broken
    const Kernel &doubled_kernel = shared_doubled();
};

TEST_F(Archive, LinksIntoAPlainCProgram) {
    const std::string archive = folder.write("libnet.a", written());
    folder.write("net.h", header());
    const std::string source = folder.write("main.c", program);
    const Outcome compiled = run_command(CONVC_TEST_CC " -std=c11 -Wall -Wextra -Wpedantic -Werror " + source + " " +
                                         archive + " -pthread -lm -o " + folder.path("main"));
    ASSERT_EQ(compiled.status, 0) << compiled.output;
    EXPECT_EQ(run_command(folder.path("main")).output, "done\n");
}

TEST_F(Archive, MakesASharedLibraryThatShowsOnlyThePublicNames) {
    const std::string archive = folder.write("libnet.a", written());
    const Outcome linked = run_command(CONVC_TEST_CC " -shared -Wl,-z,defs -Wl,-z,text -Wl,--whole-archive " + archive +
                                       " -Wl,--no-whole-archive -pthread -lm -o " + folder.path("libnet.so"));
    ASSERT_EQ(linked.status, 0) << linked.output;
    EXPECT_EQ(
        run_command("nm -D --defined-only --format=just-symbols " + folder.path("libnet.so")).output,
        "convc_set_threads\nconvc_shutdown\n"
        "doubled\ndoubled_info\ndoubled_pack\ndoubled_packed_bytes\ndoubled_workspace_bytes\n"
        "scale_twice\nscale_twice_info\nscale_twice_pack\nscale_twice_packed_bytes\nscale_twice_workspace_bytes\n");
}

// Each archive has the kernel runtime in it; there is one of it in the program.
TEST_F(Archive, LinksWithOthersWhole) {
    const std::string one = folder.write("libone.a", expect_value(write_archive({&scale_twice_kernel}, x86)));
    const std::string two = folder.write("libtwo.a", expect_value(write_archive({&doubled_kernel}, x86)));
    folder.write("net.h", header());
    const std::string source = folder.write("main.c", program);
    const Outcome linked = run_command(CONVC_TEST_CC " -std=c11 " + source + " -Wl,--whole-archive " + one + " " + two +
                                       " -Wl,--no-whole-archive -pthread -lm -o " + folder.path("main"));
    ASSERT_EQ(linked.status, 0) << linked.output;
    EXPECT_EQ(run_command(folder.path("main")).output, "done\n");
}

TEST_F(Archive, HoldsTheKernelsAndTheirRuntime) {
    const std::string archive = folder.write("libnet.a", written());
    EXPECT_EQ(run_command("ar t " + archive).output,
              "scale_twice.o\nscale_twice.kernel.o\ndoubled.o\ndoubled.kernel.o\nconvc_kernel_runtime.o\n");
}

TEST_F(Archive, IsTheSameBytesEachTime) {
    EXPECT_EQ(written(), expect_value(write_archive({&scale_twice_kernel, &doubled_kernel}, x86)));
    EXPECT_EQ(scale_twice_kernel.objects[1].bytes,
              make_kernel(scale_twice(), scale_twice_functions()).objects[1].bytes);
}

TEST_F(Archive, RefusesTwoKernelsOfOneName) {
    EntryPoints entry = doubled();
    entry.symbol = "scale_twice_pack";
    const Kernel clash = make_kernel(entry, doubled_functions);
    const Result<std::string> archive = write_archive({&scale_twice_kernel, &clash}, x86);
    ASSERT_FALSE(archive);
    EXPECT_EQ(archive.error().failure, Failure::invalid_input);
    EXPECT_EQ(archive.error().message, "scale_twice and scale_twice_pack both define scale_twice_pack");
}

TEST_F(Archive, RefusesObjectsOfAnotherArchitecture) {
    scale_twice_kernel.objects[0].bytes =
        expect_value(build_entry_object(scale_twice(), *parse_target("arm-64-linux")));
    const Result<std::string> archive = write_archive({&scale_twice_kernel}, x86);
    ASSERT_FALSE(archive);
    EXPECT_EQ(archive.error().message,
              "cannot write the archive: scale_twice.o is not an object for x86-64-linux-sse41");
}

TEST_F(Archive, RefusesWhatIsNoObject) {
    const std::string whole = scale_twice_kernel.objects[0].bytes;
    for (const std::string &bytes : {std::string(), std::string("no object"), whole.substr(0, whole.size() / 2)}) {
        scale_twice_kernel.objects[0].bytes = bytes;
        EXPECT_FALSE(write_archive({&scale_twice_kernel}, x86)) << bytes.size();
    }
}

}  // namespace
}  // namespace convc::test
