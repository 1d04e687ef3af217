#include "compiler/driver/source_argument.h"

#include <algorithm>
#include <filesystem>

#include "compiler/driver/files.h"

namespace convc {
namespace {

std::string without_spaces(std::string text) {
    std::erase(text, ' ');
    return text;
}

}  // namespace

SourceArgument read_argument(const std::string &argument) {
    using Kind = SourceArgument::Kind;
    if (argument == "-") return {Kind::standard_input, argument, std::nullopt};
    if (argument.find("->") != std::string::npos) return {Kind::line, argument, std::nullopt};
    const size_t colon = argument.rfind(':');
    std::error_code error;
    if (colon == std::string::npos || std::filesystem::exists(argument, error)) {
        return {Kind::file, argument, std::nullopt};
    }
    return {Kind::file, argument.substr(0, colon), argument.substr(colon + 1)};
}

Result<SourceFile> read_source(const SourceArgument &argument) {
    if (argument.kind == SourceArgument::Kind::line) return SourceFile{"<layer>", argument.text};
    const bool standard_input = argument.kind == SourceArgument::Kind::standard_input;
    Result<std::string> text = standard_input ? read_standard_input() : read_file(argument.text);
    if (!text) return text.error();
    return SourceFile{standard_input ? "<stdin>" : argument.text, std::move(*text)};
}

bool names_layer(const std::string &wanted, const std::string &name, const std::string &c_name) {
    if (without_spaces(wanted) == without_spaces(name) || wanted == c_name) return true;
    return name.starts_with(wanted + "[");
}

}  // namespace convc
