// The known name that a misspelt one probably stands for.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace convc::sema {

// The nearest candidate by edit distance, empty when none is near: at most one edit in three letters.
// Of equally near ones, the one that begins most like it.
std::string_view nearest_name(std::string_view word, std::span<const std::string_view> candidates);

// "1 axis", "3 axes"
std::string counted(size_t count, std::string_view one, std::string_view more);

}  // namespace convc::sema
