#include "tests/cost/read_layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "compiler/sema/lints.h"
#include "compiler/syntax/formatter.h"
#include "compiler/syntax/parser.h"

namespace convc::test {

bool Reading::reports(std::string_view id) const {
    const std::vector<Diagnostic> &all = diagnostics.all();
    return std::any_of(all.begin(), all.end(), [&](const Diagnostic &diagnostic) { return diagnostic.id == id; });
}

Reading read_layers(const std::string &name, const std::string &text) {
    const SourceFile file{name, text};
    Reading reading;
    const ast::Module module = parse_module(file, reading.diagnostics);
    reading.module = check_module(module, reading.diagnostics);
    lint_module(reading.module, reading.diagnostics);
    reading.rendered = render_text(file, reading.diagnostics, false);
    return reading;
}

Layer read_layer(const std::string &text) {
    const Reading reading = read_layers("<layer>", text);
    EXPECT_FALSE(reading.diagnostics.has_errors()) << reading.rendered;
    EXPECT_EQ(reading.module.layers.size(), 1U) << text;
    return reading.module.layers.empty() ? Layer{} : reading.module.layers[0].layer;
}

std::string formatted(const std::string &name, const std::string &text) {
    const SourceFile file{name, text};
    Diagnostics diagnostics;
    return format_module(file, parse_module(file, diagnostics));
}

std::string read_source_file(const std::string &path) {
    std::ifstream stream(std::string(CONVC_SOURCE_DIR) + "/" + path);
    EXPECT_TRUE(stream) << "cannot read " << path;
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace convc::test
