// Which stages there are, which arguments each takes, and which of the written arguments is which.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "compiler/sema/reporter.h"
#include "compiler/syntax/ast.h"

namespace convc::sema {

enum class StageWord {
    conv,
    depthwise,
    transposed,
    shuffle,
    // sugar
    depthwise_separable,
    spatially_separable,
    flattened,
    shuffled_grouped,
};

enum class ArgumentName {
    out,
    kernel,
    multiplier,
    output_padding,
    groups,
    stride,
    pad,
    dilation,
    flip,
    pad_mode,
    weights,
    precision,
};
inline constexpr size_t argument_count = 12;

std::string_view argument_text(ArgumentName name);

struct StageForm {
    StageWord word;
    std::string_view text;
    std::string_view signature;  // "(out, kernel, ...)", for messages
    std::span<const ArgumentName> positional;
    size_t required;    // how many of them must be given
    uint32_t accepted;  // a bit for each ArgumentName

    bool accepts(ArgumentName name) const { return (accepted >> static_cast<unsigned>(name) & 1U) != 0; }
};

// nullptr: there is none of this name.
const StageForm *stage_named(std::string_view text);
std::span<const std::string_view> stage_names();

// The written arguments by name; nullptr where absent.
struct BoundArguments {
    std::array<const ast::Argument *, argument_count> by_name{};
    bool mistaken = false;  // some argument could not be bound: what seems to be missing may be that one

    const ast::Argument *operator[](ArgumentName name) const { return by_name[static_cast<size_t>(name)]; }
};

BoundArguments bind_arguments(const StageForm &form, const ast::Stage &stage, Reporter &reporter);

// What stands for every axis; nullptr where a syntax error hid it.
const ast::Expression *sole_value(const ast::AxisValues &values);

// The identifier that an argument consists of, nullptr when it is anything else.
const ast::Expression *lone_name(const ast::Argument &argument);

}  // namespace convc::sema
