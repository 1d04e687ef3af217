// The names of the Halide functions in a kernel's object: whoever reads the object finds a group's code by them.
#pragma once

#include <algorithm>
#include <string>

namespace convc {

// Names that no layer, no other variant and no program of a user's has: hidden names meet all others of a static link.
// `kind` is "run" or "pack": "a" gives convc_a_run0, "a.avx2" convc_a_run0_avx2.
inline std::string function_name(const std::string &symbol, const char *kind, size_t index) {
    const size_t dot = std::min(symbol.find('.'), symbol.size());
    std::string variant = symbol.substr(dot);
    std::replace(variant.begin(), variant.end(), '.', '_');
    return "convc_" + symbol.substr(0, dot) + "_" + kind + std::to_string(index) + variant;
}

}  // namespace convc
