// Text to checked layers, for tests.
#pragma once

#include <string>

#include "compiler/sema/sema.h"
#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/parser.h"

namespace convc {

struct CheckedText {
    CheckedModule module;
    Diagnostics diagnostics;
    std::string rendered;  // the diagnostics
};

inline CheckedText check_text(std::string text, const std::vector<LetOverride> &lets = {}) {
    CheckedText checked;
    const SourceFile file{"test.conv", std::move(text)};
    const ast::Module module = parse_module(file, checked.diagnostics);
    checked.module = check_module(module, checked.diagnostics, lets);
    checked.rendered = render_text(file, checked.diagnostics, false);
    return checked;
}

// What is said of a file of schedules beside the text.
inline CheckedText check_schedules_beside(std::string text, std::string schedules) {
    CheckedText checked;
    const SourceFile file{"test.conv", std::move(text)}, beside_file{"test.schedules", std::move(schedules)};
    Diagnostics of_layers;
    const ast::Module module = parse_module(file, of_layers), pins = parse_module(beside_file, checked.diagnostics);
    const SchedulesFile beside{pins, checked.diagnostics};
    checked.module = check_module(module, of_layers, {}, &beside);
    checked.rendered = render_text(beside_file, checked.diagnostics, false);
    return checked;
}

}  // namespace convc
