#include "compiler/driver/bundle/table_source.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "convc/schedule.h"

namespace convc {
namespace {

using Text = fmt::memory_buffer;

template <class... Arguments>
void print(Text &text, fmt::format_string<Arguments...> format, Arguments &&...arguments) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Arguments>(arguments)...);
}

std::string quoted(const std::string &text) {
    std::string literal = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\' || c == '?') {  // two ? begin a trigraph
            literal += fmt::format("\\{}", c);
        } else {
            literal += byte < 0x20 || byte > 0x7e ? fmt::format("\\{:03o}", byte) : std::string(1, c);
        }
    }
    return literal + "\"";
}

std::string number(double value) {
    return std::isinf(value) ? "INFINITY" : fmt::format("{}", value);
}

void print_kernels(Text &text, const BundlePart &part) {
    for (const BundleCandidate &candidate : part.candidates) {
        if (candidate.kernel) print(text, "const convc_kernel_info *{}_info(void);\n", candidate.kernel->symbol);
    }
}

void print_tensors(Text &text, size_t index, const BundleData &data) {
    if (!data.extents.empty()) {
        print(text, "static const int64_t extents_{}[] = {{{}}};\n", index, fmt::join(data.extents, ", "));
    }
    print(text, "static const bundle_tensor tensors_{}[] = {{\n", index);
    for (const bundle_tensor &tensor : data.tensors) {
        print(text, "    {{{}, {}, {}}},\n", tensor.elements, number(tensor.scale), number(tensor.offset));
    }
    print(text, "}};\n");
}

// Layers without elements have a sample that nobody reads, as C has no empty arrays.
void print_samples(Text &text, size_t index, const BundleData &data) {
    for (size_t i = 0; i < data.specimens.size(); i++) {
        print(text, "static const bundle_sample samples_{}_{}[] = {{\n", index, i);
        for (const bundle_sample &sample : data.specimens[i].samples) {
            print(text, "    {{{}, {}, {{{}, {}}}}},\n", sample.element, number(sample.expected),
                  number(sample.allowed[BUNDLE_AS_WRITTEN]), number(sample.allowed[BUNDLE_TRANSFORMED]));
        }
        if (data.specimens[i].samples.empty()) print(text, "    {{0, 0, {{0, 0}}}},\n");
        print(text, "}};\n");
    }
}

void print_candidates(Text &text, size_t index, const BundlePart &part) {
    print(text, "static const bundle_candidate candidates_{}[] = {{\n", index);
    for (const BundleCandidate &candidate : part.candidates) {
        print(text, "    {{{}, {}, {}, {}, {}}},\n", quoted(candidate.schedule),
              candidate.kernel ? candidate.kernel->symbol + "_info" : "NULL",
              sums_as_written(candidate.schedule) ? "BUNDLE_AS_WRITTEN" : "BUNDLE_TRANSFORMED",
              quoted(outcome_name(candidate.failure.outcome)), quoted(candidate.failure.reason));
    }
    print(text, "}};\n");
}

void print_layer(Text &text, size_t index, const BundlePart &part) {
    const size_t inputs = part.layer.inputs.size();
    print(text, "    {{{},\n     {},\n     {}, tensors_{}, {}, {}, {},\n     {{", quoted(part.name),
          quoted(part.layer.canonical_line()), part.data.extents.empty() ? "NULL" : fmt::format("extents_{}", index),
          index, inputs, part.data.tensors.size() - inputs, part.data.output_elements);
    for (size_t i = 0; i < part.data.specimens.size(); i++) {
        const BundleSpecimen &specimen = part.data.specimens[i];
        print(text, "{{{:d}, {:d}, UINT64_C({:#x}), {{{}, {}}}, samples_{}_{}, {}}}{}", specimen.integers,
              specimen.exact, specimen.checksum, number(specimen.most_allowed[BUNDLE_AS_WRITTEN]),
              number(specimen.most_allowed[BUNDLE_TRANSFORMED]), index, i, specimen.samples.size(),
              i + 1 < part.data.specimens.size() ? ",\n      " : "");
    }
    print(text, "}},\n     candidates_{}, {}}},\n", index, part.candidates.size());
}

}  // namespace

std::string table_source(const std::vector<BundlePart> &parts, const Target &target, const std::string &build) {
    Target any_threads = target;
    any_threads.threads = 0;
    Text text;
    print(text, "/* candidates.c of a convc bundle: what there is to measure, and what is right. */\n");
    print(text, "#include <math.h>\n#include <stddef.h>\n\n#include \"bundle_table.h\"\n\n");
    print(text, "const char *const bundle_target = {};\n", quoted(any_threads.full_name()));
    print(text, "const int bundle_threads = {};\n", target.threads);
    print(text, "const int bundle_on_gpu = {:d};\n", target.on_gpu());
    print(text, "const char *const bundle_build = {};\n", quoted(build));
    for (const BundlePart &part : parts) print_kernels(text, part);
    for (size_t i = 0; i < parts.size(); i++) {
        print(text, "\n");
        print_tensors(text, i, parts[i].data);
        print_samples(text, i, parts[i].data);
        print_candidates(text, i, parts[i]);
    }
    print(text, "\nconst bundle_layer bundle_layers[] = {{\n");
    for (size_t i = 0; i < parts.size(); i++) print_layer(text, i, parts[i]);
    print(text, "}};\nconst int bundle_layer_count = {};\n", parts.size());
    return fmt::to_string(text);
}

}  // namespace convc
