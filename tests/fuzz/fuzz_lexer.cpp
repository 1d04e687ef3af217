// Any bytes become tokens that cover the text in order, with nothing between them but white space, comments and what
// was diagnosed.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/lexer.h"

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Moves over white space and comments.
size_t skip(const std::string &text, const convc::TokenizedText &tokenized, size_t &comment, size_t at) {
    if (at == 0 && text.starts_with("\xef\xbb\xbf")) at = 3;
    for (;;) {
        while (at < text.size() && is_space(text[at])) at++;
        if (comment >= tokenized.comments.size() || tokenized.comments[comment].range.begin != at) return at;
        at = tokenized.comments[comment++].range.end;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const convc::SourceFile file{"fuzz.conv", std::string(reinterpret_cast<const char *>(data), size)};
    convc::Diagnostics diagnostics;
    const convc::TokenizedText tokenized = convc::tokenize(file, diagnostics);
    size_t at = 0;
    size_t comment = 0;
    for (const convc::Token &token : tokenized.tokens) {
        at = skip(file.text, tokenized, comment, at);
        require(token.begin == at && token.end >= token.begin);
        require(token.kind == convc::TokenKind::end ? at == size : token.end > token.begin);
        require(diagnostics.has_errors() || (!token.broken && token.kind != convc::TokenKind::invalid));
        at = token.end;
    }
    require(tokenized.tokens.back().kind == convc::TokenKind::end && comment == tokenized.comments.size());
    return 0;
}
