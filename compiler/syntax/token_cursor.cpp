#include "compiler/syntax/token_cursor.h"

#include <algorithm>

namespace convc {

bool is_keyword(std::string_view word) {
    return word == "let" || word == "layer" || word == "schedule";
}

const Token &TokenCursor::take() {
    const Token &token = peek();
    if (at_ + 1 < tokens_.size()) at_++;
    broken_ = broken_ || token.broken || token.kind == TokenKind::invalid;
    return token;
}

bool TokenCursor::accept(TokenKind kind) {
    if (!at(kind)) return false;
    take();
    return true;
}

ast::Identifier TokenCursor::take_identifier() {
    const Token &token = take();
    return {std::string(text(token)), token.range()};
}

SourceRange TokenCursor::range_from(uint32_t begin) const {
    return {begin, at_ == 0 ? begin : std::max(begin, tokens_[at_ - 1].end)};
}

bool TokenCursor::at_keyword() const {
    return at(TokenKind::identifier) && is_keyword(text(peek()));
}

bool TokenCursor::starts_statement(size_t index) const {
    const Token &token = tokens_[index];
    if (token.kind == TokenKind::end) return true;
    if (token.kind != TokenKind::identifier || !is_keyword(text(token))) return false;
    const Token &next = tokens_[index + 1];
    if (next.kind == TokenKind::identifier) return true;
    return token.first_on_line && (next.kind == TokenKind::left_paren || next.kind == TokenKind::left_bracket ||
                                   next.kind == TokenKind::equals || next.kind == TokenKind::integer);
}

std::string TokenCursor::found() const {
    if (at_end()) return "the end of the text";
    return fmt::format("'{}'", excerpt(text(peek())));
}

SourceRange TokenCursor::after_last() const {
    const uint32_t end = at_ == 0 ? 0 : tokens_[at_ - 1].end;
    return {end, end};
}

SourceRange TokenCursor::here() const {
    const bool elsewhere = at_end() || peek().first_on_line;
    return elsewhere && at_ > 0 ? after_last() : peek().range();
}

// A line that begins with two words may be a statement whose keyword is misspelt.
void TokenCursor::skip_to_statement() {
    while (!at_statement()) {
        take();
        if (!at(TokenKind::identifier) || !peek().first_on_line) continue;
        if (at_keyword() || peek(1).kind == TokenKind::identifier) return;
    }
}

bool TokenCursor::skip_to_stage_end() {
    while (!at(TokenKind::arrow) && !at_statement()) take();
    return at(TokenKind::arrow);
}

bool TokenCursor::skip_to_equals() {
    int depth = 0;
    while (!at_statement() && !(depth <= 0 && at(TokenKind::equals))) {
        depth += opens_bracket(peek().kind) ? 1 : closes_bracket(peek().kind) ? -1 : 0;
        take();
    }
    return at(TokenKind::equals);
}

// Starts over at the item's first token to know how many brackets are open where it failed. No list goes over `->`, so
// brackets that nobody closed hide nothing that comes after the next one.
void TokenCursor::skip_item(size_t item_start) {
    const size_t failed = at_;
    int depth = 0;
    for (at_ = item_start; !at_statement() && !at(TokenKind::arrow); at_++) {
        const TokenKind kind = peek().kind;
        if (at_ >= failed && depth <= 0 && (kind == TokenKind::comma || closes_bracket(kind))) return;
        depth += opens_bracket(kind) ? 1 : closes_bracket(kind) ? -1 : 0;
    }
    at_ = std::max(at_, failed);
}

}  // namespace convc
