// What the tests of code generation share: a scratch folder, the system's C compiler, and a kernel whose "Halide
// functions" are a few lines of C, so that what stands around them can be tested without Halide.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/codegen/entry_point.h"

namespace convc::test {

// A folder of its own, removed with the object.
class ScratchFolder {
public:
    ScratchFolder();
    ~ScratchFolder();
    ScratchFolder(const ScratchFolder &) = delete;
    ScratchFolder &operator=(const ScratchFolder &) = delete;

    std::string path(const std::string &name) const { return (folder_ / name).string(); }
    std::string write(const std::string &name, const std::string &bytes) const;  // the path

private:
    std::filesystem::path folder_;
};

std::string read_file(const std::string &path);

struct Outcome {
    int status = -1;
    std::string output;  // stdout and stderr
};
Outcome run_command(const std::string &command);

// The value of a result that must be there; fails the test when it is not.
template <class T>
T expect_value(Result<T> result) {
    if (result) return *std::move(result);
    ADD_FAILURE() << result.error().message;
    return T();
}

// The object file that the C compiler makes of this text; fails the test when it does not compile.
std::string compile_c(const std::string &text);

// The kernel that compile_kernel() would make of these entry points and this C text in Halide's place.
Kernel make_kernel(const EntryPoints &entry, const std::string &functions);

// A layer of two groups that run one after another, with a further tensor and an intermediate of 12 floats:
//
//     (x: f32 nhwc[1, 2, 2, 3], gate: f32 nhwc[1, 2, 2, 3]) -> depthwise(1x1) + bias -> depthwise(1x1) + mul(gate)
EntryPoints scale_twice();

// The functions of scale_twice() as Halide would make them; they check every field of their buffers.
std::string scale_twice_functions();

}  // namespace convc::test
