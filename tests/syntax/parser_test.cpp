// The syntax tree of right text, one diagnostic for each mistake in wrong text, and bounded time on hostile text.
#include "compiler/syntax/parser.h"

#include <gtest/gtest.h>

#include <chrono>

#include "compiler/syntax/lexer.h"

namespace convc {
namespace {

struct Parsed {
    SourceFile file;
    Diagnostics diagnostics;
    ast::Module module;

    std::vector<std::string> ids() const {
        std::vector<std::string> all;
        for (const Diagnostic &diagnostic : diagnostics.all()) all.emplace_back(diagnostic.id);
        return all;
    }
    std::string text(SourceRange range) const { return file.text.substr(range.begin, range.end - range.begin); }
};

Parsed parse(std::string text) {
    Parsed parsed{{"test.conv", std::move(text)}, {}, {}};
    parsed.module = parse_module(parsed.file, parsed.diagnostics);
    return parsed;
}

using Ids = std::vector<std::string>;

const ast::Layer &first_layer(const Parsed &parsed) {
    return std::get<ast::Layer>(parsed.module.statements.at(0));
}

const std::string tensor = "x: f32 nhwc[1, 8, 8, 4]";

std::string repeat(const std::string &text, size_t times) {
    std::string all;
    for (size_t i = 0; i < times; i++) all += text;
    return all;
}

TEST(Parser, ReadsWhatEachFormOfArgumentMeans) {
    const Parsed parsed = parse("layer a(" + tensor +
                                ") = f(3x5, (k, 1), (k + 1)*2, pad=[1:2, 0:1], weights=[[1/4, -2], [3]], flip, 0x3)");
    ASSERT_EQ(parsed.ids(), Ids{});
    const std::vector<ast::Argument> &arguments = first_layer(parsed).stages.at(0).arguments;
    ASSERT_EQ(arguments.size(), 7U);
    const auto axes = [&](size_t i) -> const ast::AxisValues & {
        return std::get<ast::AxisValues>(arguments[i].value);
    };
    EXPECT_EQ(axes(0).form, ast::AxisValues::Form::times);
    EXPECT_EQ(axes(0).values.at(1)->text, "5");
    EXPECT_EQ(axes(1).form, ast::AxisValues::Form::tuple);
    EXPECT_EQ(axes(1).values.size(), 2U);
    EXPECT_EQ(axes(2).form, ast::AxisValues::Form::every);
    EXPECT_EQ(axes(2).values.at(0)->op, '*');
    EXPECT_EQ(axes(3).form, ast::AxisValues::Form::before_after);
    EXPECT_EQ(axes(3).values.size(), 4U);
    const auto &weights = std::get<ast::ConstantList>(arguments[4].value);
    ASSERT_EQ(weights.items.size(), 2U);
    EXPECT_EQ(weights.items[0].items.at(0).number->op, '/');
    EXPECT_EQ(weights.items[0].items.at(1).number->kind, ast::Expression::Kind::negate);
    EXPECT_FALSE(arguments[5].name.has_value());
    EXPECT_EQ(axes(5).values.at(0)->text, "flip");
    EXPECT_EQ(axes(6).values.at(0)->text, "0");
    EXPECT_EQ(parsed.text(axes(6).values.at(1)->range), "3");
}

TEST(Parser, GivesEachNodeItsRange) {
    const Parsed parsed = parse("layer a[c in {1, 2}](" + tensor + ") = f(1, k=(2 + 3)) + add(x) + relu");
    ASSERT_EQ(parsed.ids(), Ids{});
    const ast::Layer &layer = first_layer(parsed);
    EXPECT_EQ(parsed.text(layer.range), parsed.file.text);
    EXPECT_EQ(parsed.text(layer.family.at(0).range), "c in {1, 2}");
    EXPECT_EQ(parsed.text(layer.inputs.at(0).range), tensor);
    EXPECT_EQ(parsed.text(layer.inputs.at(0).tensor.range), "f32 nhwc[1, 8, 8, 4]");
    EXPECT_EQ(parsed.text(layer.stages.at(0).range), "f(1, k=(2 + 3))");
    EXPECT_EQ(parsed.text(layer.stages.at(0).arguments.at(1).range), "k=(2 + 3)");
    EXPECT_EQ(parsed.text(layer.stages.at(0).epilogues.at(0).range), "add(x)");
}

TEST(Parser, BindsOperatorsAsArithmeticDoes) {
    const Parsed parsed = parse("let a = 1 - 2 - 3*-4 % 5");
    ASSERT_EQ(parsed.ids(), Ids{});
    const ast::Expression &root = *std::get<ast::Let>(parsed.module.statements.at(0)).value;
    EXPECT_EQ(root.op, '-');
    EXPECT_EQ(root.left->op, '-');
    EXPECT_EQ(root.right->op, '%');
    EXPECT_EQ(root.right->left->op, '*');
    EXPECT_EQ(parsed.text(root.right->range), "3*-4 % 5");
}

TEST(Parser, ReadsCanonicalLines) {
    const Parsed plain = parse("f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu");
    ASSERT_EQ(plain.ids(), Ids{});
    EXPECT_FALSE(first_layer(plain).name.has_value());
    EXPECT_FALSE(first_layer(plain).inputs.at(0).name.has_value());
    const Parsed named = parse("(x: f32 nwc[?, 8, 1], g: f32 nwc[1, 1, 1]) -> conv(1, 3) + mul(g) -> shuffle(1)");
    ASSERT_EQ(named.ids(), Ids{});
    EXPECT_EQ(first_layer(named).inputs.at(1).name->text, "g");
    EXPECT_EQ(first_layer(named).stages.size(), 2U);
}

TEST(Parser, HasNoReservedWords) {
    const Parsed parsed = parse(
        "let let = 1\nlet layer = 2 let schedule = 3\n"
        "layer layer(layer: f32 nhwc[layer, let, on, in]) = conv(\nlayer, let, schedule) + add(layer)\n"
        "schedule layer on \"x\" = direct()\n");
    EXPECT_EQ(parsed.ids(), Ids{});
    EXPECT_EQ(parsed.module.statements.size(), 5U);
}

TEST(Parser, KeepsBrokenStatementsApart) {
    const Parsed parsed = parse("let a = \nlet b = 2\nlayer c(" + tensor + ") = f(1, , 3) -> g(2)\n");
    EXPECT_EQ(parsed.ids(), (Ids{"expected-expression", "expected-argument"}));
    EXPECT_EQ(parsed.module.statements.size(), 1U);
    ASSERT_EQ(parsed.module.broken.size(), 2U);
    EXPECT_EQ(std::get<ast::Let>(parsed.module.broken[0]).name.text, "a");
    const auto &layer = std::get<ast::Layer>(parsed.module.broken[1]);
    ASSERT_EQ(layer.stages.size(), 2U);
    EXPECT_TRUE(layer.stages[0].broken);
    EXPECT_EQ(layer.stages[0].arguments.size(), 2U);
    EXPECT_FALSE(layer.stages[1].broken);
}

TEST(Parser, ReportsEachMistakeOnce) {
    const auto in_layer = [](const std::string &stages) {
        return parse("layer a(" + tensor + ") = " + stages + "\nlet b = 1").ids();
    };
    EXPECT_EQ(in_layer("f(1, 2 -> g(1)"), Ids{"unclosed-bracket"});
    EXPECT_EQ(in_layer("f(1, [[1, 2 -> g(1)"), Ids{"unclosed-bracket"});
    EXPECT_EQ(in_layer("f(1, (2 + 3) -> g(, 1) -> h(1"),
              (Ids{"unclosed-bracket", "expected-argument", "unclosed-bracket"}));
    EXPECT_EQ(in_layer("f(1, 3x3 + bias + relu"), Ids{"unclosed-bracket"});
    EXPECT_EQ(in_layer("f(1, 3x3)) + bias"), Ids{"unmatched-bracket"});
    EXPECT_EQ(in_layer("f(1 3x3)"), Ids{"missing-comma"});
    EXPECT_EQ(in_layer("f(1, 3 x 3)"), Ids{"spaced-axis-values"});
    EXPECT_EQ(in_layer("f(1, 2*3x3)"), Ids{"axis-values-in-expression"});
    EXPECT_EQ(in_layer("f(1) relu -> g(1)"), Ids{"expected-stage-end"});
    EXPECT_EQ(in_layer("f(1) g(1)"), Ids{"expected-stage-end"});
    EXPECT_EQ(in_layer("f(1, 3×3)"), Ids{"unexpected-character"});
    EXPECT_EQ(in_layer("f(1, $)"), Ids{"unexpected-character"});
    EXPECT_EQ(in_layer("f(1, 3xk)"), Ids{"malformed-axis-values"});
    EXPECT_EQ(in_layer("-> g(1)"), Ids{"expected-stage"});
    EXPECT_EQ(in_layer("f(1) -> -> g(1)"), Ids{"expected-stage"});
    EXPECT_EQ(in_layer("f(1) + + relu"), Ids{"expected-epilogue"});
    EXPECT_EQ(in_layer("f(pad=[1:2, 3])"), Ids{"expected-pad-pair"});
    EXPECT_EQ(in_layer("f(pad=) + relu(=) -> g(k=, 2)"),
              (Ids{"expected-value", "expected-argument", "expected-value"}));
    EXPECT_EQ(in_layer(""), Ids{"expected-stage"});
    EXPECT_EQ(in_layer("f"), Ids{"expected-stage-arguments"});
}

TEST(Parser, GoesOnAfterAHeaderThatIsWrong) {
    EXPECT_EQ(parse("layer (" + tensor + ") = f(1 2)").ids(), (Ids{"expected-name", "missing-comma"}));
    EXPECT_EQ(parse("layer a = f(1 2)").ids(), (Ids{"expected-tensors", "missing-comma"}));
    EXPECT_EQ(parse("layer a = f32 nhwc[1, 8, 8, 4] -> f(1 2)").ids(), (Ids{"expected-tensors", "missing-comma"}));
    EXPECT_EQ(parse("layer a = (" + tensor + ") -> f(1 2)").ids(), (Ids{"expected-tensors", "missing-comma"}));
    EXPECT_EQ(parse("layer a(" + tensor + ") -> f(1 2)").ids(), (Ids{"expected-equals", "missing-comma"}));
    EXPECT_EQ(parse("layer a[c in 3](" + tensor + ") = f(1 2)").ids(),
              (Ids{"expected-family-values", "missing-comma"}));
    EXPECT_EQ(parse("layer a(x f32 nhwc[1], y: f32 [1], z: f32 nhwc) = f(1 2)").ids(),
              (Ids{"expected-colon", "expected-tensor", "expected-extents", "missing-comma"}));
    EXPECT_EQ(parse("lyer a(" + tensor + ") = f(1 2)").ids(), (Ids{"expected-statement", "missing-comma"}));
}

// ---- hostile text: diagnosed or accepted in bounded time, never a crash

struct HostileText {
    const char *name;  // what GoogleTest prints: the text itself would make its list of tests megabytes long
    std::string text;
};

void PrintTo(const HostileText &hostile, std::ostream *out) {
    *out << hostile.name;
}

const std::string head = "layer a(" + tensor + ") = ";

std::vector<HostileText> hostile_texts() {
    return {
        {"parentheses_opened", std::string(10000, '(')},
        {"parentheses_nested", head + "f(" + std::string(10000, '(') + "1" + std::string(10000, ')') + ")"},
        {"brackets_nested", head + "f(" + std::string(10000, '[') + "1" + std::string(10000, ']') + ")"},
        {"minus_signs", head + "f(" + std::string(10000, '-') + "1)"},
        {"stages_in_stages", head + repeat("f(", 100000)},
        {"a_long_sum", "let a = 1" + repeat(" + 1", 1000000)},
        {"a_long_integer", "let a = " + std::string(5000000, '9')},
        {"many_arguments", head + "f(" + repeat("1, ", 1000000) + "1)"},
        {"many_weights", head + "f(w=[" + repeat("1, ", 1000000) + "1])"},
        {"many_broken_lets", repeat("let a = (1 + \n", 200000)},
        {"many_broken_layers", repeat(head + "f((1\n", 50000)},
        {"many_bad_bytes", repeat("a\xff", 1000000)},
        {"zero_bytes", std::string(1000000, '\0')},
        {"bad_bytes", std::string(1000000, '\xff')},
        {"times_signs", repeat("3×", 500000) + "3"},
        {"quotes", repeat("\"", 1000000)},
        {"plus_signs", repeat("+ ", 1000000)},
        {"arrows", repeat("-> ", 1000000)},
        {"keywords", repeat("layer ", 500000)},
        {"mixed_openers", repeat("[(", 500000)},
        {"mixed_closers", repeat(")]", 500000)},
        {"commas", repeat(", ", 1000000)},
        {"equals_in_brackets", head + repeat("f(=", 300000)},
        {"a_long_word", repeat("a", 10000000)},
        {"a_long_comment", "# " + repeat("#", 10000000)},
        {"spaced_axis_values", repeat("3 x ", 500000)},
        {"missing_commas", repeat("f(1 2", 300000)},
        {"bad_bytes_in_comments", repeat("#\xff\n", 300000)},
    };
}

class Hostile : public testing::TestWithParam<HostileText> {};

TEST_P(Hostile, IsReadInBoundedTime) {
    const auto start = std::chrono::steady_clock::now();
    const Parsed parsed = parse(GetParam().text);
    const std::string text = render_text(parsed.file, parsed.diagnostics, false);
    const std::string json = render_json(parsed.file, parsed.diagnostics);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 20);  // a quadratic step would take hours
    EXPECT_LT(text.size(), 200000U);
    EXPECT_FALSE(json.empty());
}

INSTANTIATE_TEST_SUITE_P(Texts, Hostile, testing::ValuesIn(hostile_texts()),
                         [](const auto &test) { return test.param.name; });

TEST(HostileLimits, SourcesLargerThanTheLimitAreOneDiagnostic) {
    EXPECT_EQ(parse(std::string(max_source_bytes + 1, ' ')).ids(), Ids{"source-too-large"});
}

TEST(HostileLimits, DeepNestingIsOneDiagnostic) {
    EXPECT_EQ(parse("let a = " + std::string(10000, '(') + "1" + std::string(10000, ')')).ids(),
              Ids{"nesting-too-deep"});
    EXPECT_EQ(parse("let a = " + std::string(200, '(') + "1" + std::string(200, ')')).ids(), Ids{});
    EXPECT_EQ(parse("let a = 1" + repeat("+1", 1000)).ids(), Ids{});
    EXPECT_EQ(parse("let a = 1" + repeat("+1", 1001)).ids(), Ids{"expression-too-long"});
}

}  // namespace
}  // namespace convc
