// What a verb's FILE may be: a .conv file, FILE:LAYER, a canonical line, or `-` for standard input.
#pragma once

#include <optional>
#include <string>

#include "compiler/syntax/source.h"
#include "convc/status.h"

namespace convc {

struct SourceArgument {
    enum class Kind { file, line, standard_input };
    Kind kind = Kind::file;
    std::string text;                  // the path, or the line
    std::optional<std::string> layer;  // FILE:LAYER
};

// An argument with `->` is a line; a name of an existing file is that file, colons and all; otherwise the last colon
// separates file and layer.
SourceArgument read_argument(const std::string &argument);

// The text, named as diagnostics shall name it: the path, "<layer>" for a line, "<stdin>".
Result<SourceFile> read_source(const SourceArgument &argument);

// Whether `wanted` names the layer called `name`: as declared (spaces aside), or its C name, or, for all members of a
// family, the family's name.
bool names_layer(const std::string &wanted, const std::string &name, const std::string &c_name);

}  // namespace convc
