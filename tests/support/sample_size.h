// How much the sampled and exhaustive tests do: little by default, everything with `./dev test --long`.
#pragma once

#include <cstdlib>
#include <string_view>

namespace convc::test {

inline bool long_tests() {
    const char *value = std::getenv("CONVC_LONG_TESTS");
    return value != nullptr && std::string_view(value) == "1";
}

inline int sample_size(int usual, int with_long) {
    return long_tests() ? with_long : usual;
}

}  // namespace convc::test
