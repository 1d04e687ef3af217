// Symbols of Halide objects, on hand-made objects that look like them.
#include <gtest/gtest.h>

#include "compiler/codegen/entry_point.h"
#include "tests/codegen/workbench.h"

namespace convc::test {
namespace {

// What Halide makes of a pipeline with one parallel loop. `suffix` plays the counter of its process.
std::string halide_like(const std::string &suffix) {
    return compile_c(R"(
        #include <stdint.h>
        #include <stddef.h>
        void *halide_malloc(void *context, size_t bytes);
        void halide_free(void *context, void *block);
        int halide_do_par_for(void *, int (*)(void *, int, uint8_t *), int, int, uint8_t *);
        float tanhf(float);
        __attribute__((section(".text.kern_par_for_f)" +
                     suffix + R"(")))
        int kern_par_for_f)" +
                     suffix + R"((void *context, int i, uint8_t *closure) {
            float *data = *(float **)closure;
            float *scratch = halide_malloc(context, 64);
            if (!scratch) return -1;
            scratch[0] = data[i];
            data[i] = tanhf(scratch[0]);
            halide_free(context, scratch);
            return 0;
        }
        int kern(void *context, float *data) {
            return halide_do_par_for(context, kern_par_for_f)" +
                     suffix + R"(, 0, 4, (uint8_t *)&data);
        }
        static const char *const metadata[] = {"kern"};
        int kern_argv(void **arguments) { return kern(arguments[0], arguments[1]); }
        const void *kern_metadata(void) { return metadata; }
    )");
}

std::string renamed(const std::string &object, const std::vector<std::string> &functions) {
    return expect_value(rename_runtime_symbols(object, functions));
}

TEST(RenameRuntimeSymbols, LeavesOnlyWhatTheEntryPointsCall) {
    const ScratchFolder folder;
    const std::string path = folder.write("kernel.o", renamed(halide_like("_3"), {"kern"}));
    EXPECT_EQ(run_command("nm -g --defined-only --format=just-symbols " + path).output, "kern\n");
    EXPECT_EQ(run_command("nm -u --format=just-symbols " + path + " | grep -v _GLOBAL_OFFSET_TABLE_").output,
              "convc_kernel_free_v1\nconvc_kernel_malloc_v1\nconvc_kernel_parallel_for_v1\ntanhf\n");
    const std::string table = run_command("readelf -sW " + path).output;
    EXPECT_NE(table.find("HIDDEN"), std::string::npos);
    EXPECT_NE(table.find("kern.part.0"), std::string::npos);
}

// A shared library made from two such objects works, and shows nothing of their insides.
TEST(RenameRuntimeSymbols, TheResultLinksAndRuns) {
    const ScratchFolder folder;
    const std::string kernel = folder.write("kernel.o", renamed(halide_like(""), {"kern"}));
    const std::string main = folder.write("main.c", R"(
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        void *convc_kernel_malloc_v1(void *context, size_t bytes) { (void)context; return malloc(bytes); }
        void convc_kernel_free_v1(void *context, void *block) { (void)context; free(block); }
        int convc_kernel_parallel_for_v1(void *context, int (*task)(void *, int, uint8_t *), int min, int extent, uint8_t *c) {
            for (int i = 0; i < extent; ++i) {
                int code = task(context, min + i, c);
                if (code) return code;
            }
            return 0;
        }
        int kern(void *context, float *data);
        int entry(float *data) { return kern(0, data); }
        int main(void) {
            float data[4] = {0, 100, -100, 0};
            int code = entry(data);
            printf("%d: %g %g %g %g\n", code, data[0], data[1], data[2], data[3]);
            return 0;
        })");
    const std::string program = folder.path("program");
    const Outcome linked = run_command(CONVC_TEST_CC " " + main + " " + kernel + " -lm -o " + program);
    ASSERT_EQ(linked.status, 0) << linked.output;
    EXPECT_EQ(run_command(program).output, "0: 0 1 -1 0\n");

    const std::string library = folder.path("kernel.so");
    const Outcome shared = run_command(CONVC_TEST_CC " -shared -fPIC " + main + " " + kernel + " -lm -o " + library);
    ASSERT_EQ(shared.status, 0) << shared.output;
    const std::string exported = run_command("nm -D --defined-only --format=just-symbols " + library).output;
    EXPECT_EQ(exported.find("kern\n"), std::string::npos) << exported;
    EXPECT_NE(exported.find("entry\n"), std::string::npos) << exported;
}

// Halide numbers its parallel loops over the life of a process; the bytes of an archive must not show it.
TEST(RenameRuntimeSymbols, ForgetsWhatTheProcessCompiledBefore) {
    EXPECT_EQ(renamed(halide_like(""), {"kern"}), renamed(halide_like("__17"), {"kern"}));
}

TEST(RenameRuntimeSymbols, RefusesAnObjectThatNeedsMore) {
    const std::string object = compile_c(
        "void halide_error(void *, const char *); int printf(const char *, ...); float expf(float);"
        "int kern(void *c) { halide_error(c, 0); return printf(\"%g\", expf(printf(\"x\"))); }");
    const Result<std::string> result = rename_runtime_symbols(object, {"kern"});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().failure, Failure::internal);
    EXPECT_NE(result.error().message.find("needs halide_error, printf, which a kernel may not call"), std::string::npos)
        << result.error().message;
}

TEST(RenameRuntimeSymbols, RefusesAnObjectWithoutTheFunction) {
    const Result<std::string> result = rename_runtime_symbols(halide_like(""), {"kern", "other"});
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("does not define other"), std::string::npos) << result.error().message;
}

TEST(RenameRuntimeSymbols, RefusesWhatIsNoObject) {
    const std::string object = halide_like("");
    for (const std::string &bytes : {std::string(),
                                     std::string("\x7f"
                                                 "ELF"),
                                     std::string(300, 'x'), object.substr(0, 500)}) {
        EXPECT_FALSE(rename_runtime_symbols(bytes, {"kern"}));
    }
}

}  // namespace
}  // namespace convc::test
