// The parser's place in the tokens: looking ahead, taking, saying what is missing, and finding where to go on
// afterwards.
//
// What keeps one mistake from being reported twice: fail() says nothing where the lexer already did, and nothing a
// second time at the same token.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/token.h"

namespace convc {

class TokenCursor {
public:
    TokenCursor(const SourceFile &file, const std::vector<Token> &tokens, Diagnostics &diagnostics)
        : text_(file.text), tokens_(tokens), diagnostics_(diagnostics) {}

    const Token &peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
    bool at(TokenKind kind) const { return peek().kind == kind; }
    bool at_end() const { return at(TokenKind::end); }
    size_t position() const { return at_; }
    const Token &take();
    bool accept(TokenKind kind);

    std::string_view text(const Token &token) const { return text_.substr(token.begin, token.end - token.begin); }
    ast::Identifier take_identifier();
    SourceRange range_from(uint32_t begin) const;  // to the end of the last token taken

    // A statement's first word. Keywords are plain identifiers elsewhere, so it depends on what stands round it.
    bool at_keyword() const;                                     // where a statement is expected
    bool at_statement() const { return starts_statement(at_); }  // where anything else is

    std::string found() const;  // the next token, quoted
    SourceRange here()
        const;  // where something was missing: the next token, or behind the last one if a new line starts
    SourceRange after_last() const;  // the point behind the last token taken

    template <class... Args>
    Diagnostics::Builder fail(const DiagnosticKind<Args...> &kind, std::type_identity_t<Args>... args) {
        return fail_at(here(), kind, std::move(args)...);
    }
    template <class... Args>
    Diagnostics::Builder fail_at(SourceRange range, const DiagnosticKind<Args...> &kind,
                                 std::type_identity_t<Args>... args) {
        broken_ = true;
        if (at(TokenKind::invalid) || failed_at_ == at_ + 1) return {};
        failed_at_ = at_ + 1;
        return diagnostics_.report(range, kind, std::move(args)...);
    }
    // Whether anything was wrong since the last call of this.
    bool take_broken() { return std::exchange(broken_, false); }
    void mark_broken(bool broken) { broken_ = broken_ || broken; }

    // Recovery. Each stops at the next statement and at the end at the latest.
    void skip_to_statement();
    bool skip_to_stage_end();           // to `->`
    bool skip_to_equals();              // true: at `=`
    void skip_item(size_t item_start);  // to the `,` or closing bracket that ends this item of a list, or to `->`

private:
    bool starts_statement(size_t index) const;

    std::string_view text_;
    const std::vector<Token> &tokens_;
    Diagnostics &diagnostics_;
    size_t at_ = 0;
    size_t failed_at_ = 0;  // one more than the token's index
    bool broken_ = false;
};

bool is_keyword(std::string_view word);  // let, layer, schedule

}  // namespace convc
