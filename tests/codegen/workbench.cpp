#include "tests/codegen/workbench.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace convc::test {

ScratchFolder::ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "convc-codegen-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch folder");
    folder_ = name;
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string ScratchFolder::write(const std::string &name, const std::string &bytes) const {
    std::ofstream file(path(name), std::ios::binary);
    file << bytes;
    if (!file.flush()) throw std::runtime_error("cannot write " + path(name));
    return path(name);
}

std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Outcome run_command(const std::string &command) {
    Outcome outcome;
    FILE *pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return outcome;
    char block[4096];
    while (const size_t count = fread(block, 1, sizeof(block), pipe)) outcome.output.append(block, count);
    outcome.status = pclose(pipe);
    return outcome;
}

std::string compile_c(const std::string &text) {
    const ScratchFolder folder;
    const std::string source = folder.write("source.c", text);
    const Outcome outcome = run_command(CONVC_TEST_CC " -std=c11 -O2 -fPIC -ffunction-sections -I" CONVC_TEST_ROOT
                                                      " -isystem " CONVC_TEST_HALIDE " -c " +
                                        source + " -o " + folder.path("object.o"));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return read_file(folder.path("object.o"));
}

Kernel make_kernel(const EntryPoints &entry, const std::string &functions) {
    std::vector<std::string> names;
    for (const std::vector<HalideCall> *calls : {&entry.run, &entry.pack}) {
        for (const HalideCall &call : *calls) names.push_back(call.function);
    }
    const Target target = expect_value(parse_target("x86-64-linux-sse41"));
    Kernel kernel;
    kernel.symbol = entry.symbol;
    kernel.canonical_line = entry.layer.canonical_line();
    kernel.schedule = entry.schedule;
    kernel.origin = "default";
    kernel.target = target.full_name();
    kernel.packed_bytes = entry.packed_bytes;
    kernel.workspace_bytes = static_cast<uint64_t>(int64_t{entry.workspace_bytes()});
    kernel.objects = {{entry.symbol + ".o", expect_value(build_entry_object(entry, target))},
                      {entry.symbol + ".kernel.o", expect_value(rename_runtime_symbols(compile_c(functions), names))}};
    return kernel;
}

namespace {

Stage scaling_stage(const TensorType &type) {
    Stage stage;
    stage.kind = StageKind::depthwise;
    stage.in_channels = stage.out_channels = stage.groups = type.channels;
    stage.axes.resize(type.space.size());
    stage.output = type;
    return stage;
}

BufferArgument image(BufferArgument::Place place, int index = 0, uint64_t offset = 0) {
    return {place, index, offset, {{3, 1}, {2, 3}, {2, 6}, {1, 12}}};
}

BufferArgument vector(BufferArgument::Place place, int index, uint64_t offset = 0) {
    return {place, index, offset, {{3, 1}}};
}

}  // namespace

EntryPoints scale_twice() {
    using Place = BufferArgument::Place;
    const TensorType type{DataType::f32, Layout::nhwc, 1, 3, {2, 2}};
    EntryPoints entry;
    entry.symbol = "scale_twice";
    entry.layer.name = "scale_twice";
    entry.layer.inputs = {{"x", type}, {"gate", type}};
    entry.layer.stages = {scaling_stage(type), scaling_stage(type)};
    entry.layer.stages[0].epilogues = {{EpilogueKind::bias, 0, 0, -1}};
    entry.layer.stages[1].epilogues = {{EpilogueKind::mul, 0, 0, 1}};
    entry.schedule = "depthwise() -> depthwise()";
    entry.packed_bytes = packed_header_bytes + 192;
    entry.packed_tag = 0x0123456789abcdef;
    entry.arena_offset = 64;
    entry.arena_bytes = 256;
    entry.run = {
        {"scale_twice_run0",
         {image(Place::input, 0), vector(Place::packed, 0, 64), vector(Place::packed, 0, 128), image(Place::workspace)},
         128},
        {"scale_twice_run1",
         {image(Place::workspace), image(Place::input, 1), vector(Place::packed, 0, 192), image(Place::output)},
         0},
    };
    entry.pack = {
        {"scale_twice_pack0",
         {vector(Place::parameter, 0), vector(Place::parameter, 1), vector(Place::packed, 0, 64),
          vector(Place::packed, 0, 128)},
         0},
        {"scale_twice_pack1", {vector(Place::parameter, 2), vector(Place::packed, 0, 192)}, 0},
    };
    return entry;
}

std::string scale_twice_functions() {
    return read_file(CONVC_TEST_ROOT "/tests/codegen/scale_twice.c");
}

}  // namespace convc::test
