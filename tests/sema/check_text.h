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

}  // namespace convc
