// write_header(): the C header of a library of kernels. It needs no other file of convc's, so convc.h stands in it,
// under its own guard: a program may include the headers of several libraries.
//
// Names are safe to use as they are: compiler/sema refuses those that mean something else in C or C++.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "compiler/codegen/codegen.h"
#include "compiler/codegen/convc_header_text.h"

namespace convc {
namespace {

// A file name as the rest of an identifier; two libraries must not end up with one guard, so other characters are
// numbered.
std::string identifier_part(const std::string &name) {
    std::string part;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        part += std::isalnum(byte) != 0 || c == '_' ? std::string(1, c) : fmt::format("_{:02x}", byte);
    }
    return part;
}

// Text that neither ends the comment it stands in nor begins a new line of it.
std::string in_comment(std::string text) {
    for (size_t i = 0; i < text.size(); ++i) {
        if (std::iscntrl(static_cast<unsigned char>(text[i])) != 0) text[i] = ' ';
        if (i > 0 && text[i - 1] == '*' && text[i] == '/') text.insert(i, 1, ' ');
    }
    return text;
}

std::string print_shape(const std::vector<int64_t> &shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

// Those that the caller packs: with weights baked in, none.
std::vector<Parameter> packed_parameters(const HeaderEntry &entry) {
    const bool none = entry.has_baked_weights || (entry.on_cpu() && entry.kernel.packed_bytes == 0);
    return none ? std::vector<Parameter>() : entry.layer.parameters();
}

// Of the layer in C.
std::string name_of(const HeaderEntry &entry) {
    return entry.on_cpu() ? entry.kernel.symbol : entry.layer.c_name();
}

std::string describe_code(const Layer &layer, const Kernel &kernel) {
    const std::string workspace =
        layer.inputs[0].type.has_runtime_extent() ? "by the extents" : fmt::format("{} bytes", kernel.workspace_bytes);
    std::string text = fmt::format(" *     {:<10} {} bytes\n", "packed", kernel.packed_bytes);
    text += fmt::format(" *     {:<10} {}\n", "workspace", workspace);
    text += fmt::format(" *     {:<10} {} ({})\n", "schedule", in_comment(kernel.schedule), in_comment(kernel.origin));
    text += fmt::format(" *     {:<10} {}\n", "target", in_comment(kernel.target));
    return text;
}

std::string describe(const HeaderEntry &entry) {
    const Kernel &kernel = entry.kernel;
    const std::string line = entry.layer.canonical_line();
    std::string text = fmt::format("/* {}: {}\n *\n", name_of(entry), in_comment(line));
    for (const NamedTensor &input : entry.layer.inputs) {
        text += fmt::format(" *     {:<10} {}\n", in_comment(input.name), print_tensor(input.type));
    }
    text += fmt::format(" *     {:<10} {}\n", "y", print_tensor(entry.layer.output()));
    if (entry.variants.empty() && entry.on_cpu()) text += describe_code(entry.layer, kernel);
    for (const Kernel &variant : entry.variants) text += " *\n" + describe_code(entry.layer, variant);
    for (const Kernel &device : entry.on_gpu) text += " *\n" + describe_code(entry.layer, device);
    return text + " */\n";
}

std::string weights_struct(const HeaderEntry &entry) {
    const std::vector<Parameter> parameters = packed_parameters(entry);
    if (parameters.empty()) return "";
    std::string text = "typedef struct {\n";
    for (const Parameter &parameter : parameters) {
        text += fmt::format("    const float *{}; /* {} {} */\n", parameter.c_name(), parameter.name(),
                            print_shape(parameter.shape));
    }
    return text + fmt::format("}} {}_weights;\n", name_of(entry));
}

std::string pack_prototype(const HeaderEntry &entry, const std::string &name) {
    if (packed_parameters(entry).empty()) {
        return fmt::format("int {0}_pack(const void *weights, void *packed); /* weights: NULL */\n", name);
    }
    return fmt::format("int {}_pack(const {}_weights *weights, void *packed);\n", name, name_of(entry));
}

// The run-time extents as parameters: "int64_t x_n, int64_t x_h". A tensor of that name is one that C tells apart by an
// underscore.
std::string extent_parameters(const HeaderEntry &entry) {
    const NamedTensor &x = entry.layer.inputs[0];
    const std::string layout = layout_name(x.type.layout);
    const std::vector<int64_t> extents = x.type.extents();
    std::string text;
    for (size_t i = 0; i < extents.size(); i++) {
        if (extents[i] != runtime_extent) continue;
        std::string name = fmt::format("{}_{}", x.name, layout[i]);
        const auto taken = [&](const NamedTensor &tensor) { return tensor.name == name; };
        while (std::any_of(entry.layer.inputs.begin(), entry.layer.inputs.end(), taken)) name += '_';
        text += fmt::format("{}int64_t {}", text.empty() ? "" : ", ", name);
    }
    return text;
}

std::string call_prototype(const HeaderEntry &entry, const std::string &name, const char *last = "") {
    const std::string extents = extent_parameters(entry);
    std::string text = fmt::format("int {}({}{}", name, extents, extents.empty() ? "" : ", ");
    for (const NamedTensor &input : entry.layer.inputs) text += fmt::format("const float *{}, ", input.name);
    return text + fmt::format("const void *packed, float *y, void *workspace{});\n", last);
}

std::string workspace_prototype(const HeaderEntry &entry, const std::string &name) {
    const std::string extents = extent_parameters(entry);
    return fmt::format("size_t {}_workspace_bytes({});\n", name, extents.empty() ? "void" : extents);
}

// Of a kernel for a CPU, or for a GPU.
std::string functions(const HeaderEntry &entry, const std::string &name, bool on_gpu) {
    std::string text = fmt::format("size_t {}_packed_bytes(void);\n", name) + workspace_prototype(entry, name);
    if (on_gpu) text += workspace_prototype(entry, name + "_host");
    text += pack_prototype(entry, name) + call_prototype(entry, name, on_gpu ? ", void *stream" : "");
    if (on_gpu) text += call_prototype(entry, name + "_host");
    return text + fmt::format("const convc_kernel_info *{}_info(void);\n", name);
}

std::string declarations(const HeaderEntry &entry) {
    std::string text = describe(entry) + weights_struct(entry);
    if (entry.on_cpu()) text += functions(entry, entry.kernel.symbol, false);
    for (const Kernel &device : entry.on_gpu) text += functions(entry, device.symbol, true);
    return text + "\n";
}

}  // namespace

std::string write_header(const std::string &library, const std::vector<HeaderEntry> &entries) {
    const std::string guard = "CONVC_LIBRARY_" + identifier_part(library);
    std::string text = fmt::format(
        "/* {0}.h: {1} convolution kernel{2}, written by convc {3}. Link with lib{0}.a, -pthread and -lm. */\n",
        in_comment(library), entries.size(), entries.size() == 1 ? "" : "s", CONVC_VERSION);
    text += fmt::format("#ifndef {0}\n#define {0}\n\n", guard);
    text += convc_header_text;
    const auto on_gpu = [](const HeaderEntry &entry) { return !entry.on_gpu.empty(); };
    if (std::any_of(entries.begin(), entries.end(), on_gpu)) text += fmt::format("\n{}", convc_gpu_header_text);
    text += "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
    for (const HeaderEntry &entry : entries) text += declarations(entry);
    text += "#ifdef __cplusplus\n}\n#endif\n\n";
    return text + fmt::format("#endif /* {} */\n", guard);
}

}  // namespace convc
