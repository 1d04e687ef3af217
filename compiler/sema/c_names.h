// Which names a layer or tensor may not have because of the C header and library it is compiled to.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace convc::sema {

// Why `name` cannot be a function of the library; nothing when it can.
std::optional<std::string_view> why_reserved_function(std::string_view name);

// The same for a parameter of such a function.
std::optional<std::string_view> why_reserved_parameter(std::string_view name);

// Layer NAME also defines NAME_pack and so on.
std::span<const std::string_view> derived_suffixes();

}  // namespace convc::sema
