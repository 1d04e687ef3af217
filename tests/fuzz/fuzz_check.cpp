// Any bytes are read, checked and diagnosed: no crash, and a statement is missing from the result only with an error.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "compiler/sema/sema.h"
#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/parser.h"

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void require_in_text(convc::SourceRange range, size_t size) {
    require(range.begin <= range.end && range.end <= size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const convc::SourceFile file{"fuzz.conv", std::string(reinterpret_cast<const char *>(data), size)};
    convc::Diagnostics diagnostics;
    const convc::ast::Module module = convc::parse_module(file, diagnostics);
    require(module.broken.empty() || diagnostics.has_errors());
    const convc::CheckedModule checked = convc::check_module(module, diagnostics);
    for (const convc::CheckedLayer &layer : checked.layers) {
        require_in_text(layer.range, size);
        require(layer.stage_ranges.size() == layer.layer.stages.size());
        require(!layer.layer.stages.empty() && !layer.layer.inputs.empty());
    }
    for (const convc::Diagnostic &diagnostic : diagnostics.all()) {
        require_in_text(diagnostic.range, size);
        require(!diagnostic.message.empty());
    }
    convc::render_text(file, diagnostics, true);
    convc::render_json(file, diagnostics);
    return 0;
}
