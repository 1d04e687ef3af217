// The tokens of the language. Each is a kind and a piece of the text; nothing is copied or evaluated.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "compiler/syntax/ast.h"
#include "compiler/syntax/source.h"

namespace convc {

enum class TokenKind : uint8_t {
    end,          // after the last token, always present
    invalid,      // diagnosed by the lexer; the parser says nothing more about it
    identifier,   // conv, layer: keywords are identifiers, told apart by where they stand
    integer,      // 64
    decimal,      // 0.25, 1e-3
    axis_values,  // 3x3, 1x7, 3x3x3
    string,       // "x86-64-linux", with the quotes
    arrow,        // ->
    plus,
    minus,
    star,
    slash,
    percent,
    equals,
    comma,
    colon,
    question,
    left_paren,
    right_paren,
    left_bracket,
    right_bracket,
    left_brace,
    right_brace,
};

struct Token {
    TokenKind kind = TokenKind::end;
    bool first_on_line = false;
    bool broken = false;  // diagnosed, but what was meant is clear enough to parse on: 3×3 as 3x3
    uint32_t begin = 0;
    uint32_t end = 0;

    SourceRange range() const { return {begin, end}; }
};

struct TokenizedText {
    std::vector<Token> tokens;  // the last is TokenKind::end
    std::vector<ast::Comment> comments;
};

// `(` for `)`, and the other way round.
std::string_view spelling(TokenKind kind);
bool opens_bracket(TokenKind kind);
bool closes_bracket(TokenKind kind);
TokenKind closing(TokenKind opener);

}  // namespace convc
