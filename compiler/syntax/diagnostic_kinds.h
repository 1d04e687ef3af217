// Every kind of diagnostic that reading the text can give. Those about meaning are in compiler/sema/sema_diagnostics.h.
// How to add one: docs/diagnostics.md. Text arguments hold pieces of the source: pass them through excerpt().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "compiler/syntax/diagnostics.h"

namespace convc::diagnostic {

// ---- lexer: what cannot be a token

inline constexpr DiagnosticKind<size_t, size_t> source_too_large{
    "source-too-large", Severity::error, "the text has {} bytes, more than the {} that convc reads"};
inline constexpr DiagnosticKind<unsigned> invalid_byte{
    //
    "invalid-byte", Severity::error, "byte 0x{:02x} is not part of any UTF-8 character"};
inline constexpr DiagnosticKind<unsigned> control_character{
    //
    "control-character", Severity::error, "control character 0x{:02x} in the text"};
inline constexpr DiagnosticKind<std::string> unexpected_character{
    //
    "unexpected-character", Severity::error, "'{}' is not a character of the language"};
inline constexpr DiagnosticKind<> unterminated_string{
    //
    "unterminated-string", Severity::error, "no closing '\"' on this line"};
inline constexpr DiagnosticKind<std::string> malformed_number{
    //
    "malformed-number", Severity::error, "'{}' is not a number"};
inline constexpr DiagnosticKind<std::string> malformed_axis_values{"malformed-axis-values", Severity::error,
                                                                   "'{}' does not give an integer for each axis"};

// ---- statements

inline constexpr DiagnosticKind<std::string> expected_statement{"expected-statement", Severity::error,
                                                                "expected 'let', 'layer' or 'schedule', found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_name{
    //
    "expected-name", Severity::error, "expected a name after '{}', found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_equals{
    //
    "expected-equals", Severity::error, "expected '=' after '{}', found {}"};
inline constexpr DiagnosticKind<> unnamed_layer{
    //
    "unnamed-layer", Severity::error, "a layer without a name stands beside other statements"};

// ---- layer declarations

inline constexpr DiagnosticKind<std::string, std::string> expected_tensors{
    "expected-tensors", Severity::error, "expected '(x: TENSOR)' after layer '{}', found {}"};
inline constexpr DiagnosticKind<std::string> expected_declaration{"expected-declaration", Severity::error,
                                                                  "expected a tensor's name, found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_colon{
    "expected-colon", Severity::error, "expected ':' and a tensor after '{}', found {}"};
inline constexpr DiagnosticKind<std::string> expected_tensor{
    "expected-tensor", Severity::error, "expected a tensor such as 'f32 nhwc[1, 56, 56, 64]', found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_extents{
    "expected-extents", Severity::error, "expected '[' and extents after '{}', found {}"};
inline constexpr DiagnosticKind<std::string> expected_family_variable{
    "expected-family-variable", Severity::error, "expected a family variable such as 'c in {{64, 128}}', found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_family_values{
    "expected-family-values", Severity::error, "expected 'in {{...}}' after family variable '{}', found {}"};

// ---- stages, epilogues, arguments

inline constexpr DiagnosticKind<std::string> expected_stage{
    //
    "expected-stage", Severity::error, "expected a stage such as 'conv(64, 3x3)', found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_stage_arguments{
    "expected-stage-arguments", Severity::error, "expected '(' after stage '{}', found {}"};
inline constexpr DiagnosticKind<std::string> expected_stage_end{"expected-stage-end", Severity::error,
                                                                "expected '->', '+' or a new statement, found {}"};
inline constexpr DiagnosticKind<std::string> expected_epilogue{"expected-epilogue", Severity::error,
                                                               "expected an epilogue after '+', found {}"};
inline constexpr DiagnosticKind<std::string> expected_argument{
    //
    "expected-argument", Severity::error, "expected an argument, found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_value{
    //
    "expected-value", Severity::error, "expected a value after '{}=', found {}"};

// ---- values

inline constexpr DiagnosticKind<std::string> expected_expression{"expected-expression", Severity::error,
                                                                 "expected an integer or a name, found {}"};
inline constexpr DiagnosticKind<std::string> axis_values_in_expression{
    "axis-values-in-expression", Severity::error, "'{}' gives a value for each axis, where one integer is meant"};
inline constexpr DiagnosticKind<> spaced_axis_values{
    //
    "spaced-axis-values", Severity::error, "per-axis values are written without spaces"};
inline constexpr DiagnosticKind<std::string> expected_pad_pair{
    "expected-pad-pair", Severity::error, "expected ':' and the padding after this axis, found {}"};
inline constexpr DiagnosticKind<std::string> empty_list{//
                                                        "empty-list", Severity::error, "'{}' is empty"};

// ---- brackets and commas

inline constexpr DiagnosticKind<std::string, std::string, std::string> unclosed_bracket{
    "unclosed-bracket", Severity::error, "expected '{}' to close '{}', found {}"};
inline constexpr DiagnosticKind<std::string> unmatched_bracket{
    //
    "unmatched-bracket", Severity::error, "'{}' closes nothing"};
inline constexpr DiagnosticKind<std::string> missing_comma{//
                                                           "missing-comma", Severity::error, "expected ',' before {}"};

// ---- limits

inline constexpr DiagnosticKind<int> nesting_too_deep{
    //
    "nesting-too-deep", Severity::error, "brackets nested more than {} deep"};
inline constexpr DiagnosticKind<int> expression_too_long{"expression-too-long", Severity::error,
                                                         "an expression of more than {} operators"};
inline constexpr DiagnosticKind<size_t> list_too_long{//
                                                      "list-too-long", Severity::error, "a list of more than {} items"};

// ---- schedules

inline constexpr DiagnosticKind<std::string, std::string> expected_target{
    "expected-target", Severity::error, "expected 'on \"TARGET\"' after schedule '{}', found {}"};
inline constexpr DiagnosticKind<std::string> expected_algorithm{
    "expected-algorithm", Severity::error, "expected an algorithm such as 'direct(rows=4)', found {}"};
inline constexpr DiagnosticKind<std::string, std::string> expected_knobs{"expected-knobs", Severity::error,
                                                                         "expected '(' and knobs after '{}', found {}"};
inline constexpr DiagnosticKind<std::string> expected_knob{"expected-knob", Severity::error,
                                                           "expected a knob such as 'rows=4', found {}"};

}  // namespace convc::diagnostic
