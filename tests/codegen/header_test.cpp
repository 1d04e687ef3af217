// The text of a library's header; archive_test.cpp compiles it into a program.
#include <gtest/gtest.h>

#include "compiler/codegen/codegen.h"
#include "tests/codegen/workbench.h"

namespace convc::test {
namespace {

HeaderEntry scale_twice_entry() {
    const EntryPoints entry = scale_twice();
    Kernel kernel;
    kernel.symbol = entry.symbol;
    kernel.canonical_line = entry.layer.canonical_line();
    kernel.schedule = entry.schedule;
    kernel.origin = "tuned";
    kernel.target = "x86-64-linux-avx2-fma znver3 2t";
    kernel.packed_bytes = entry.packed_bytes;
    kernel.workspace_bytes = static_cast<uint64_t>(int64_t{entry.workspace_bytes()});
    return {entry.layer, kernel};
}

TEST(Header, DeclaresEachKernel) {
    const std::string header = write_header("net", {scale_twice_entry()});
    const std::string expected = R"(
/* scale_twice: (x: f32 nhwc[1, 2, 2, 3], gate: f32 nhwc[1, 2, 2, 3]) -> depthwise(1x1) + bias -> depthwise(1x1) + mul(gate)
 *
 *     x          f32 nhwc[1, 2, 2, 3]
 *     gate       f32 nhwc[1, 2, 2, 3]
 *     y          f32 nhwc[1, 2, 2, 3]
 *     packed     256 bytes
 *     workspace  320 bytes
 *     schedule   depthwise() -> depthwise() (tuned)
 *     target     x86-64-linux-avx2-fma znver3 2t
 */
typedef struct {
    const float *w0; /* 0.weight [3, 1, 1, 1] */
    const float *b0; /* 0.bias [3] */
    const float *w1; /* 1.weight [3, 1, 1, 1] */
} scale_twice_weights;
size_t scale_twice_packed_bytes(void);
size_t scale_twice_workspace_bytes(void);
int scale_twice_pack(const scale_twice_weights *weights, void *packed);
int scale_twice(const float *x, const float *gate, const void *packed, float *y, void *workspace);
const convc_kernel_info *scale_twice_info(void);
)";
    EXPECT_NE(header.find(expected), std::string::npos) << header;
}

TEST(Header, DescribesEveryVariant) {
    HeaderEntry entry = scale_twice_entry();
    entry.variants = {entry.kernel, entry.kernel};
    entry.variants[1].target = "x86-64-linux-sse41";
    entry.variants[1].origin = "default";
    entry.variants[1].packed_bytes = 512;
    const std::string header = write_header("net", {entry});
    const std::string expected = R"(
 *     y          f32 nhwc[1, 2, 2, 3]
 *
 *     packed     256 bytes
 *     workspace  320 bytes
 *     schedule   depthwise() -> depthwise() (tuned)
 *     target     x86-64-linux-avx2-fma znver3 2t
 *
 *     packed     512 bytes
 *     workspace  320 bytes
 *     schedule   depthwise() -> depthwise() (default)
 *     target     x86-64-linux-sse41
 */
typedef struct {
)";
    EXPECT_NE(header.find(expected), std::string::npos) << header;
}

TEST(Header, ALayerThatPacksNothingHasNoStruct) {
    HeaderEntry entry = scale_twice_entry();
    entry.kernel.packed_bytes = 0;
    const std::string header = write_header("net", {entry});
    EXPECT_EQ(header.find("scale_twice_weights"), std::string::npos);
    EXPECT_NE(header.find("int scale_twice_pack(const void *weights, void *packed);"), std::string::npos);
}

TEST(Header, DeclaresAKernelForAGpuBesideTheCpus) {
    HeaderEntry entry = scale_twice_entry();
    entry.on_gpu = {entry.kernel};
    entry.on_gpu[0].symbol = "scale_twice_cuda";
    entry.on_gpu[0].target = "cuda-sm_80";
    const std::string header = write_header("net", {entry});
    const std::string expected = R"(
size_t scale_twice_cuda_packed_bytes(void);
size_t scale_twice_cuda_workspace_bytes(void);
size_t scale_twice_cuda_host_workspace_bytes(void);
int scale_twice_cuda_pack(const scale_twice_weights *weights, void *packed);
int scale_twice_cuda(const float *x, const float *gate, const void *packed, float *y, void *workspace, void *stream);
int scale_twice_cuda_host(const float *x, const float *gate, const void *packed, float *y, void *workspace);
const convc_kernel_info *scale_twice_cuda_info(void);
)";
    EXPECT_NE(header.find(expected), std::string::npos) << header;
    EXPECT_NE(header.find("int scale_twice(const float *x,"), std::string::npos);
    EXPECT_NE(header.find("int convc_cuda_upload("), std::string::npos);
    EXPECT_EQ(write_header("net", {scale_twice_entry()}).find("int convc_cuda_upload("), std::string::npos);
}

TEST(Header, RepeatsConvcH) {
    const std::string text = read_file(CONVC_TEST_ROOT "/runtime/include/convc/convc.h");
    ASSERT_FALSE(text.empty());
    EXPECT_NE(write_header("net", {}).find(text), std::string::npos);
}

TEST(Header, IsTheSameTextEachTime) {
    EXPECT_EQ(write_header("net", {scale_twice_entry()}), write_header("net", {scale_twice_entry()}));
}

// Two libraries in one program, in C and in C++, whatever they are called.
TEST(Header, StandsBesideOthers) {
    const ScratchFolder folder;
    std::string source;
    int number = 0;
    for (const std::string library :
         {"net", "NET", "a-b", "a.b", "a b", "convc", "*/ #error", "\"", "2nd", "\xc3\xa4"}) {
        HeaderEntry entry = scale_twice_entry();
        entry.kernel.symbol = "layer_" + std::to_string(number++);
        const std::string file = entry.kernel.symbol + ".h";
        folder.write(file, write_header(library, {entry}));
        source += "#include \"" + file + "\"\n";
    }
    source += "#include \"" CONVC_TEST_ROOT "/runtime/include/convc/convc.h\"\n";
    for (int i = 0; i < number; ++i)
        source +=
            "size_t (*const size" + std::to_string(i) + ")(void) = layer_" + std::to_string(i) + "_packed_bytes;\n";
    folder.write("many.c", source);
    folder.write("many.cpp", source);
    for (const std::string compile : {CONVC_TEST_CC " -std=c11 -c many.c", CONVC_TEST_CXX " -std=c++11 -c many.cpp"}) {
        const Outcome compiled =
            run_command("cd " + folder.path("") + " && " + compile + " -Wall -Wextra -Wpedantic -Werror");
        EXPECT_EQ(compiled.status, 0) << compiled.output;
    }
}

TEST(Header, NothingEndsAComment) {
    HeaderEntry entry = scale_twice_entry();
    entry.kernel.schedule = "direct(*/ int x; /*)\n*/ int y;";
    const std::string header = write_header("*/", {entry});
    EXPECT_NE(header.find(" *     schedule   direct(* / int x; /*) * / int y; (tuned)\n"), std::string::npos) << header;
    EXPECT_EQ(header.find("/* */.h"), std::string::npos);
}

}  // namespace
}  // namespace convc::test
