// Text of the language to Layers, for tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/sema/sema.h"
#include "compiler/syntax/diagnostics.h"

namespace convc::test {

struct Reading {
    CheckedModule module;
    Diagnostics diagnostics;  // the lints' included
    std::string rendered;

    // Whether a mistake or lint of this kind was reported.
    bool reports(std::string_view id) const;
};

Reading read_layers(const std::string &name, const std::string &text);

// A text that holds one layer; the test fails, and the layer is empty, when it does not.
Layer read_layer(const std::string &text);

// What `convc fmt` makes of a text.
std::string formatted(const std::string &name, const std::string &text);

// A file of the source tree, by its path from the root.
std::string read_source_file(const std::string &path);

}  // namespace convc::test
