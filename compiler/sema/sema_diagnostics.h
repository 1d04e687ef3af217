// Every kind of mistake and warning that semantic analysis and the lints report. A test fails when one is covered by no
// file test. Lower case, no full stop; what the user wrote, and the numbers that clash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/syntax/diagnostics.h"

namespace convc::diagnostic {

using Text = std::string_view;
template <class... Args>
using Kind = DiagnosticKind<Args...>;

// ---- names and expressions

inline constexpr Kind<Text> unknown_name{"unknown-name", Severity::error, "unknown name '{}'"};
inline constexpr Kind<Text> name_used_before_let{"name-used-before-let", Severity::error,
                                                 "'{}' is used before the let that defines it"};
inline constexpr Kind<Text> let_redefined{"let-redefined", Severity::error, "'{}' is already defined"};
inline constexpr Kind<Text> unknown_let_override{"unknown-let-override", Severity::error,
                                                 "the file has no 'let {}' for the value given on the command line"};
inline constexpr Kind<Text> not_an_integer{"not-an-integer", Severity::error, "expected an integer, found '{}'"};
inline constexpr Kind<size_t> integer_too_large{"integer-too-large", Severity::error,
                                                "an integer of {} digits does not fit in 64 bits"};
inline constexpr Kind<int64_t, char, int64_t> integer_overflow{"integer-overflow", Severity::error,
                                                               "{} {} {} does not fit in 64 bits"};
inline constexpr Kind<int64_t, int64_t, int64_t> inexact_division{"inexact-division", Severity::error,
                                                                  "{} / {} is not an integer: the remainder is {}"};
inline constexpr Kind<Text, char> division_by_zero{"division-by-zero", Severity::error, "{} {} 0 has no value"};
inline constexpr Kind<> remainder_of_reals{"remainder-of-reals", Severity::error,
                                           "'%' is for integers, and real numbers stand here"};
inline constexpr Kind<Text> number_out_of_range{"number-out-of-range", Severity::error, "{} does not fit in an f32"};
inline constexpr Kind<> question_misplaced{"question-misplaced", Severity::error,
                                           "'?' stands only for a batch or spatial extent of a tensor"};

// ---- tensors

inline constexpr Kind<Text> unknown_dtype{"unknown-dtype", Severity::error, "unknown dtype '{}'"};
inline constexpr Kind<Text> unsupported_dtype{"unsupported-dtype", Severity::error,
                                              "dtype {} is not supported yet; f32 is"};
inline constexpr Kind<Text> unknown_layout{"unknown-layout", Severity::error, "unknown layout '{}'"};
inline constexpr Kind<Text, size_t, size_t> extent_count{"extent-count", Severity::error,
                                                         "layout {} has {} extents, found {}"};
inline constexpr Kind<Text, int64_t> extent_too_small{"extent-too-small", Severity::error,
                                                      "the {} is {}; it must be at least 1"};
inline constexpr Kind<> runtime_channels{"runtime-channels", Severity::error,
                                         "the number of channels must be known when compiling, so it cannot be '?'"};
inline constexpr Kind<Text> tensor_too_large{"tensor-too-large", Severity::error, "{} would take 2^63 bytes or more"};
inline constexpr Kind<Text> input_redeclared{"input-redeclared", Severity::error, "tensor '{}' is already declared"};
inline constexpr Kind<Text> input_unused{"input-unused", Severity::error, "tensor '{}' is read by no add or mul"};
inline constexpr Kind<Text, Text, Text> input_layout{
    "input-layout", Severity::error, "tensor '{}' is {}, and the layer's first tensor is {}; they must be the same"};

// ---- layers and families

inline constexpr Kind<Text> layer_redefined{"layer-redefined", Severity::error, "layer '{}' is already defined"};
inline constexpr Kind<Text, Text, Text> c_name_taken{"c-name-taken", Severity::error,
                                                     "layer '{}' would define '{}' in C, and so does layer '{}'"};
inline constexpr Kind<Text, Text> reserved_name{"reserved-name", Severity::error,
                                                "'{}' cannot be a name in C: it is {}"};
inline constexpr Kind<Text> family_variable_repeated{"family-variable-repeated", Severity::error,
                                                     "the family already has a variable '{}'"};
inline constexpr Kind<int64_t, Text> family_value_repeated{"family-value-repeated", Severity::error,
                                                           "{} is already a value of '{}'"};
inline constexpr Kind<Text, Text> family_too_large{"family-too-large", Severity::error,
                                                   "the family makes {} layers: {}"};

// ---- stages and their arguments

inline constexpr Kind<Text> unknown_stage{"unknown-stage", Severity::error, "unknown stage '{}'"};
inline constexpr Kind<Text> epilogue_as_stage{"epilogue-as-stage", Severity::error,
                                              "'{}' is an epilogue: '+' hangs it on a stage"};
inline constexpr Kind<Text, Text> unknown_argument{"unknown-argument", Severity::error, "{} has no argument '{}'"};
inline constexpr Kind<Text, Text, Text> argument_not_taken{"argument-not-taken", Severity::error, "{} takes no {}: {}"};
inline constexpr Kind<Text> argument_repeated{"argument-repeated", Severity::error, "'{}' is given twice"};
inline constexpr Kind<Text, Text> argument_missing{"argument-missing", Severity::error, "{} needs its {}"};
inline constexpr Kind<Text, Text> argument_unexpected{"argument-unexpected", Severity::error,
                                                      "unexpected argument: the form is {}{}"};
inline constexpr Kind<Text, Text> argument_form{"argument-form", Severity::error, "{} is {}"};
inline constexpr Kind<Text, Text, size_t> axis_count{"axis-count", Severity::error,
                                                     "{} is given for {}, and the tensor has {}"};
inline constexpr Kind<Text, int64_t, int64_t> value_too_small{"value-too-small", Severity::error,
                                                              "{} is {}; it must be at least {}"};
inline constexpr Kind<Text, Text> unknown_word{"unknown-word", Severity::error, "unknown {} '{}'"};
inline constexpr Kind<int64_t, int64_t, Text> groups_do_not_divide{"groups-do-not-divide", Severity::error,
                                                                   "{} groups do not divide the {} {} channels evenly"};
inline constexpr Kind<> pad_same_transposed{"pad-same-transposed", Severity::error,
                                            "transposed has no pad=same: its padding takes away from the output"};
inline constexpr Kind<> pad_mode_transposed{"pad-mode-transposed", Severity::error, "transposed pads with zeros only"};
inline constexpr Kind<Text, int64_t, int64_t> reflect_too_far{
    "reflect-too-far", Severity::error,
    "reflecting needs padding smaller than the extent: along the {}, padding {} of {}"};
inline constexpr Kind<Text, int64_t, int64_t> circular_too_far{
    "circular-too-far", Severity::error, "circular padding wraps around at most once: along the {}, padding {} of {}"};
inline constexpr Kind<int64_t, int64_t, int64_t> output_padding_too_large{
    "output-padding-too-large", Severity::error,
    "output_padding is {}; it must be smaller than the stride ({}) or the dilation ({})"};

// ---- constant weights

inline constexpr Kind<Text, Text> weights_shape{"weights-shape", Severity::error,
                                                "the weights do not have the kernel's shape {}: {}"};
inline constexpr Kind<int64_t, int64_t> weights_channels{
    "weights-channels", Severity::error,
    "constant weights serve a depthwise, or a conv from 1 channel to 1; this one goes from {} to {}"};

// ---- shapes

inline constexpr Kind<int64_t, int64_t> kernel_span{"kernel-span", Severity::error,
                                                    "kernel {} with dilation {} spans 2^63 elements or more"};
inline constexpr Kind<Text, Text, Text> kernel_too_large{
    "kernel-too-large", Severity::error, "along the {}, the kernel spans {}, more than the padded input's {}"};
inline constexpr Kind<Text, Text> output_empty{"output-empty", Severity::error,
                                               "along the {}, nothing is left of the output: {}"};
inline constexpr Kind<Text> extent_overflow{"extent-overflow", Severity::error,
                                            "along the {}, the padded extent or the output's is 2^63 or more"};
inline constexpr Kind<> layer_too_large{"layer-too-large", Severity::error,
                                        "the tensors and weights of this layer would take 2^63 bytes or more together"};

// ---- epilogues

inline constexpr Kind<Text> unknown_epilogue{"unknown-epilogue", Severity::error, "unknown epilogue '{}'"};
inline constexpr Kind<Text> stage_as_epilogue{"stage-as-epilogue", Severity::error, "'{}' is a stage: '->' chains it"};
inline constexpr Kind<Text> epilogue_repeated{"epilogue-repeated", Severity::error, "a stage has at most one {}"};
inline constexpr Kind<Text, Text> epilogue_arguments{"epilogue-arguments", Severity::error, "'{}' {}"};
inline constexpr Kind<Text, Text> clip_reversed{"clip-reversed", Severity::error,
                                                "clip's lower limit {} is above its upper limit {}"};
inline constexpr Kind<Text> unknown_tensor{"unknown-tensor", Severity::error, "unknown tensor '{}'"};
inline constexpr Kind<Text, Text, Text, Text> broadcast{
    "broadcast", Severity::error, "'{}' has {} {}, and this stage's output {}; they must be equal, or the first be 1"};
inline constexpr Kind<Text, Text> runtime_broadcast{
    "runtime-broadcast", Severity::error,
    "the {} of '{}' is not that of this stage's output for every run-time extent"};

// ---- pinned schedules

inline constexpr Kind<Text> unknown_layer{"unknown-layer", Severity::error, "no layer is called '{}'"};
inline constexpr Kind<> schedules_only{"schedules-only", Severity::error,
                                       "a file of schedules beside a file of layers holds nothing else"};
inline constexpr Kind<Text> not_a_family{"not-a-family", Severity::error,
                                         "'{}' is one layer, not a family, so no values follow its name"};
inline constexpr Kind<Text, Text, size_t> family_value_count{"family-value-count", Severity::error,
                                                             "a layer of family '{}' is named by {}, found {}"};
inline constexpr Kind<Text> malformed_target{"malformed-target", Severity::error, "{}"};
inline constexpr Kind<Text, Text, int64_t> unknown_member{"unknown-member", Severity::error,
                                                          "family '{}' has no layer with {} = {}"};
inline constexpr Kind<Text> knob_repeated{"knob-repeated", Severity::error, "knob '{}' is given twice"};
inline constexpr Kind<Text, Text> schedule_repeated{"schedule-repeated", Severity::error,
                                                    "layer '{}' already has a schedule on \"{}\""};

// ---- warnings: what is right but probably not meant

inline constexpr Kind<Text> padding_unused{
    "padding-unused", Severity::warning,
    "the padding along the {} goes nowhere: no stage of this chain has a kernel larger than 1 there"};
inline constexpr Kind<Text> checkerboard{"checkerboard", Severity::warning, "checkerboard: {}"};
inline constexpr Kind<Text> gridding{"gridding", Severity::warning, "gridding: {}"};
inline constexpr Kind<double, int64_t, int64_t, Text> rank_one_kernel{
    "rank-one-kernel", Severity::warning,
    "this constant kernel has rank 1 (singular values below {} of the first): instead of {} multiplications an output, "
    "{} "
    "do in {}"};
inline constexpr Kind<int64_t, Text> depthwise_as_groups{"depthwise-as-groups", Severity::warning,
                                                         "a conv in as many groups as input channels ({}) is {}"};
inline constexpr Kind<Text> dead_padding{"dead-padding", Severity::warning, "dead padding: {}"};

}  // namespace convc::diagnostic
