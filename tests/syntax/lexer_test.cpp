// Tokens: what is one, what is none, and that nothing needs spaces.
#include "compiler/syntax/lexer.h"

#include <gtest/gtest.h>

namespace convc {
namespace {

struct Lexed {
    std::vector<std::string> texts;  // without the end
    std::vector<TokenKind> kinds;
    std::vector<std::string> ids;  // of the diagnostics
};

Lexed lex(const std::string &text) {
    const SourceFile file{"test.conv", text};
    Diagnostics diagnostics;
    Lexed lexed;
    for (const Token &token : tokenize(file, diagnostics).tokens) {
        if (token.kind == TokenKind::end) continue;
        lexed.texts.push_back(text.substr(token.begin, token.end - token.begin));
        lexed.kinds.push_back(token.kind);
    }
    for (const Diagnostic &diagnostic : diagnostics.all()) lexed.ids.emplace_back(diagnostic.id);
    return lexed;
}

TokenKind only_kind(const std::string &text) {
    const Lexed lexed = lex(text);
    EXPECT_EQ(lexed.texts, std::vector<std::string>{text});
    return lexed.kinds.empty() ? TokenKind::end : lexed.kinds[0];
}

using Texts = std::vector<std::string>;

TEST(Lexer, TellsNumbersAndAxisValuesApart) {
    for (const char *text : {"0", "64", "0000", "1234567890123456789012345678901234567890"}) {
        EXPECT_EQ(only_kind(text), TokenKind::integer) << text;
    }
    for (const char *text : {"3x3", "1x7", "0x3", "3x3x3", "10x10", "1x2x3x4"}) {
        EXPECT_EQ(only_kind(text), TokenKind::axis_values) << text;
    }
    for (const char *text : {"0.25", "1e-3", "1e-07", "1E+20", "2.5e10", "1e5"}) {
        EXPECT_EQ(only_kind(text), TokenKind::decimal) << text;
    }
    for (const char *text :
         {"3x", "3xk", "12ab", "1.", ".5", "1.2.3", "1e", "1_000", "0xff", "1.5x2", "3x3x", "3xx3"}) {
        EXPECT_EQ(only_kind(text), TokenKind::invalid) << text;
        EXPECT_EQ(lex(text).ids.size(), 1U) << text;
    }
}

TEST(Lexer, NeedsNoSpaces) {
    EXPECT_EQ(lex("conv(2*c,3x3)->relu+x").texts,
              (Texts{"conv", "(", "2", "*", "c", ",", "3x3", ")", "->", "relu", "+", "x"}));
    EXPECT_EQ(lex("1-2->3--1").texts, (Texts{"1", "-", "2", "->", "3", "-", "-", "1"}));
    EXPECT_EQ(lex("1e-3-2").texts, (Texts{"1e-3", "-", "2"}));
    EXPECT_EQ(lex("[1:2,0:1]").texts, (Texts{"[", "1", ":", "2", ",", "0", ":", "1", "]"}));
    EXPECT_EQ(lex("x3 kx3 x").kinds, std::vector<TokenKind>(3, TokenKind::identifier));
}

TEST(Lexer, TakesEveryKindOfLineBreakAndTheByteOrderMark) {
    const SourceFile file{"test.conv", "\xef\xbb\xbflet\r\na # one\r\n\t= # two"};
    Diagnostics diagnostics;
    const TokenizedText text = tokenize(file, diagnostics);
    EXPECT_FALSE(diagnostics.has_errors());
    ASSERT_EQ(text.tokens.size(), 4U);
    EXPECT_TRUE(text.tokens[1].first_on_line);
    ASSERT_EQ(text.comments.size(), 2U);
    EXPECT_EQ(text.comments[0].text, "# one");
    EXPECT_FALSE(text.comments[0].own_line);
}

TEST(Lexer, DiagnosesWhatIsNoText) {
    EXPECT_EQ(lex(std::string("a\0b", 3)).ids, Texts{"control-character"});
    EXPECT_EQ(lex("a \xff\xfe\xfd b").ids, Texts{"invalid-byte"});
    EXPECT_EQ(lex("# comment \xc3\x28").ids, Texts{"invalid-byte"});
    EXPECT_EQ(lex("# gr\xc3\xbc\xc3\x9f\x65").ids, Texts{});
    EXPECT_EQ(lex("\xed\xa0\x80").ids, Texts{"invalid-byte"});  // a surrogate
    EXPECT_EQ(lex("\xe2\x82").ids, Texts{"invalid-byte"});      // a character cut short by the end
    EXPECT_EQ(lex("\"abc").ids, Texts{"unterminated-string"});
    EXPECT_EQ(lex("\"abc\nlet").ids, Texts{"unterminated-string"});
    EXPECT_EQ(lex("\"a\xff\x01\"").ids, Texts{"invalid-byte"});
    EXPECT_EQ(lex("\"a\x01\"").ids, Texts{"control-character"});
    EXPECT_EQ(lex("# a comment\rlet a = 1").ids, Texts{"control-character"});  // it would hide the let
    EXPECT_EQ(lex("a $ b").ids, Texts{"unexpected-character"});
    EXPECT_EQ(lex("\u0085").ids, Texts{"unexpected-character"});
    EXPECT_EQ(lex("größe").ids, Texts{"unexpected-character"});
}

TEST(Lexer, ReadsOnWithLookAlikes) {
    EXPECT_EQ(lex("3×3").kinds, std::vector<TokenKind>{TokenKind::axis_values});
    EXPECT_EQ(lex("3×3").ids, Texts{"unexpected-character"});
    EXPECT_EQ(lex("a → b").kinds[1], TokenKind::arrow);
    EXPECT_EQ(lex("−1").kinds[0], TokenKind::minus);
}

}  // namespace
}  // namespace convc
