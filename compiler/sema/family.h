// Families: `layer body[c in {64, 128}, s in {1, 2}]` is one layer for each element of the product of its values.
#pragma once

#include <string>
#include <vector>

#include "compiler/sema/evaluate.h"
#include "compiler/sema/reporter.h"
#include "compiler/syntax/ast.h"

namespace convc::sema {

struct FamilyVariable {
    std::string_view name;
    std::vector<Value> values;  // distinct; one unknown value where a mistake left none
};

// Variables with their values; repetitions are reported.
std::vector<FamilyVariable> read_family(const ast::Layer &layer, const Scope &scope, Reporter &reporter);

// Reports a product that is too large, given the members that the file's earlier families made. 0 then.
size_t count_members(const ast::Layer &layer, const std::vector<FamilyVariable> &family, size_t earlier_members,
                     Reporter &reporter);

// The values of the index-th member, the last variable running fastest.
std::vector<FamilyBinding> member_bindings(const std::vector<FamilyVariable> &family, size_t index);

// body[64, 1]; just the name where there is no family.
std::string member_name(std::string_view name, const std::vector<FamilyBinding> &bindings);

}  // namespace convc::sema
