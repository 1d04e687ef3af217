// What a text means survives printing: each Layer equals the one that its canonical line is read back as, and the
// formatted text means the same Layers and formats to itself.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "compiler/sema/sema.h"
#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/formatter.h"
#include "compiler/syntax/parser.h"

namespace {

void require(bool condition, const char *what, const std::string &text, const std::string &from = "") {
    if (condition) return;
    std::fprintf(stderr, "%s:\n%s\nfrom:\n%s\n", what, text.c_str(), from.c_str());
    std::abort();
}

struct Read {
    bool has_errors = false;
    std::vector<convc::Layer> layers;
    std::vector<std::string> schedules;
    std::string formatted;  // when there are no errors
};

Read read(const std::string &text) {
    const convc::SourceFile file{"fuzz.conv", text};
    convc::Diagnostics diagnostics;
    const convc::ast::Module module = convc::parse_module(file, diagnostics);
    const bool has_syntax_errors = diagnostics.has_errors();
    const convc::CheckedModule checked = convc::check_module(module, diagnostics);
    Read result{diagnostics.has_errors(), {}, {}, ""};
    for (const convc::CheckedLayer &layer : checked.layers) result.layers.push_back(layer.layer);
    for (const convc::PinnedSchedule &schedule : checked.schedules) {
        result.schedules.push_back(schedule.layer + " on " + schedule.target + print_schedules(schedule.groups));
    }
    if (!has_syntax_errors) result.formatted = convc::format_module(file, module);
    return result;
}

void check_canonical_line(const convc::Layer &layer) {
    const std::string line = layer.canonical_line();
    Read back = read(line);
    require(!back.has_errors && back.layers.size() == 1, "a canonical line that is not read back", line);
    back.layers[0].name = layer.name;
    require(back.layers[0] == layer, "a canonical line that means another layer", back.layers[0].canonical_line(),
            line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const std::string text(reinterpret_cast<const char *>(data), size);
    const Read first = read(text);
    for (size_t i = 0; i < first.layers.size() && i < 20; i++) check_canonical_line(first.layers[i]);
    if (first.formatted.empty()) return 0;
    const Read again = read(first.formatted);
    require(again.has_errors == first.has_errors, "formatting made or lost a mistake", first.formatted, text);
    require(again.layers == first.layers, "formatting changed a layer", first.formatted, text);
    require(again.schedules == first.schedules, "formatting changed a schedule", first.formatted, text);
    require(again.formatted == first.formatted, "formatting twice changes something", again.formatted, first.formatted);
    return 0;
}
