#include "compiler/sema/family.h"

#include <fmt/format.h>

#include <unordered_set>

#include "compiler/sema/sema_diagnostics.h"
#include "convc/layer.h"

namespace convc::sema {
namespace {

// So that no file, however short, takes long: members of all families of a file, and bytes of text they stand for.
constexpr size_t most_members = 100'000;
constexpr size_t most_text = 200'000'000;

std::vector<Value> read_values(const ast::FamilyVariable &variable, Evaluator &evaluator, Reporter &reporter) {
    std::vector<Value> values;
    std::unordered_set<int64_t> seen;
    for (const ast::ExpressionPtr &expression : variable.values) {
        const Value value = evaluator.integer(expression.get());
        if (!value) continue;
        if (seen.insert(*value).second) {
            values.push_back(value);
        } else {
            reporter.report(expression->range, diagnostic::family_value_repeated, *value, excerpt(variable.name.text));
        }
    }
    if (values.empty()) values.emplace_back();
    return values;
}

}  // namespace

std::vector<FamilyVariable> read_family(const ast::Layer &layer, const Scope &scope, Reporter &reporter) {
    Evaluator evaluator(reporter, scope);
    std::vector<FamilyVariable> family;
    for (const ast::FamilyVariable &variable : layer.family) {
        for (const FamilyVariable &other : family) {
            if (other.name != variable.name.text || other.name.empty()) continue;
            reporter.report(variable.name.range, diagnostic::family_variable_repeated, excerpt(variable.name.text));
            break;
        }
        family.push_back({variable.name.text, read_values(variable, evaluator, reporter)});
    }
    return family;
}

size_t count_members(const ast::Layer &layer, const std::vector<FamilyVariable> &family, size_t earlier_members,
                     Reporter &reporter) {
    if (family.empty()) return 1;
    size_t product = 1;
    bool huge = false;
    for (const FamilyVariable &variable : family) {
        huge = huge || __builtin_mul_overflow(product, variable.values.size(), &product);
    }
    const SourceRange range{layer.family.front().range.begin, layer.family.back().range.end};
    const std::string count = huge ? "2^64 or more" : fmt::format("{}", product);
    const size_t text = layer.range.end - range.end;  // what is checked for every member
    if (huge || product > most_members - earlier_members) {
        reporter.report(range, diagnostic::family_too_large, count,
                        fmt::format("the families of a file make at most {} together", most_members));
        return 0;
    }
    if (text > 0 && product > most_text / text) {
        reporter.report(range, diagnostic::family_too_large, count,
                        fmt::format("at {} bytes of text each, they are more than {}", text, most_text));
        return 0;
    }
    return product;
}

std::vector<FamilyBinding> member_bindings(const std::vector<FamilyVariable> &family, size_t index) {
    std::vector<FamilyBinding> bindings(family.size());
    for (size_t i = family.size(); i-- > 0;) {
        const size_t count = family[i].values.size();
        bindings[i] = {family[i].name, family[i].values[index % count]};
        index /= count;
    }
    return bindings;
}

std::string member_name(std::string_view name, const std::vector<FamilyBinding> &bindings) {
    std::string text(name);
    for (size_t i = 0; i < bindings.size(); i++) {
        text += fmt::format("{}{}", i == 0 ? "[" : ", ", bindings[i].value.value_or(0));
    }
    return bindings.empty() ? text : text + "]";
}

}  // namespace convc::sema
