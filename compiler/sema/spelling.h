// The known name that a misspelt one probably stands for.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace convc::sema {

// The nearest candidate by edit distance, empty when none is near: at most one edit in three letters.
std::string_view nearest_name(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace convc::sema
