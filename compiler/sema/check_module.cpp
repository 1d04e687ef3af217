// A module from top to bottom: lets, layers, then the names they take in C, then pinned schedules.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "compiler/sema/c_names.h"
#include "compiler/sema/check_layer.h"
#include "compiler/sema/check_schedules.h"
#include "compiler/sema/evaluate.h"
#include "compiler/sema/family.h"
#include "compiler/sema/reporter.h"
#include "compiler/sema/sema.h"
#include "compiler/sema/sema_diagnostics.h"

namespace convc {
namespace sema {
namespace {

// A statement, and whether the parser could make only part of it out. Such a one is checked and then left out.
struct OrderedStatement {
    const ast::Statement *statement;
    bool broken;
    uint32_t position;
};

SourceRange range_of(const ast::Statement &statement) {
    return std::visit([](const auto &alternative) { return alternative.range; }, statement);
}

std::vector<OrderedStatement> in_source_order(const ast::Module &module) {
    const auto position = [](const ast::Statement &statement) { return range_of(statement).begin; };
    std::vector<OrderedStatement> all;
    all.reserve(module.statements.size() + module.broken.size());
    for (const ast::Statement &statement : module.statements) all.push_back({&statement, false, position(statement)});
    for (const ast::Statement &statement : module.broken) all.push_back({&statement, true, position(statement)});
    std::stable_sort(all.begin(), all.end(), [](const OrderedStatement &left, const OrderedStatement &right) {
        return left.position < right.position;
    });
    return all;
}

class ModuleChecker {
public:
    ModuleChecker(Diagnostics &diagnostics, const std::vector<LetOverride> &overrides)
        : reporter_(diagnostics), overrides_(overrides) {
        scope_.lets = &lets_;
    }

    CheckedModule check(const ast::Module &module, const SchedulesFile *beside) {
        const std::vector<OrderedStatement> statements = in_source_order(module);
        for (const OrderedStatement &each : statements) {
            if (const auto *let = std::get_if<ast::Let>(each.statement)) announce(*let);
        }
        check_overrides();
        for (const OrderedStatement &each : statements) {
            if (const auto *let = std::get_if<ast::Let>(each.statement)) define(*let);
            if (const auto *layer = std::get_if<ast::Layer>(each.statement)) check(*layer, each.broken);
        }
        check_c_names();
        check_schedules(statements, reporter_, false);
        if (beside) check_beside(*beside);
        return std::move(checked_);
    }

private:
    void check_beside(const SchedulesFile &beside) {
        Reporter reporter(beside.diagnostics);
        const std::vector<OrderedStatement> statements = in_source_order(beside.module);
        for (const OrderedStatement &each : statements) {
            if (std::holds_alternative<ast::ScheduleStatement>(*each.statement)) continue;
            reporter.report(range_of(*each.statement), diagnostic::schedules_only);
        }
        check_schedules(statements, reporter, true);
    }

    // Each file may have one for each layer and target.
    void check_schedules(const std::vector<OrderedStatement> &statements, Reporter &reporter, bool beside) {
        PinnedPlaces places;
        for (const OrderedStatement &each : statements) {
            const auto *schedule = std::get_if<ast::ScheduleStatement>(each.statement);
            if (schedule == nullptr) continue;
            std::optional<PinnedSchedule> pinned = check_schedule(*schedule, declared_, places, scope_, reporter);
            if (!pinned || each.broken) continue;
            pinned->beside = beside;
            checked_.schedules.push_back(std::move(*pinned));
        }
    }

    // The first let of a name counts; define() reports the others.
    void announce(const ast::Let &let) {
        if (!let.name.text.empty()) lets_.try_emplace(let.name.text, LetDefinition{{}, let.name.range, false});
    }

    void define(const ast::Let &let) {
        Evaluator evaluator(reporter_, scope_);
        Value value = evaluator.integer(let.value.get());
        const auto found = lets_.find(let.name.text);
        if (found == lets_.end()) return;
        LetDefinition &definition = found->second;
        if (definition.range.begin != let.name.range.begin) {
            reporter_.report(let.name.range, diagnostic::let_redefined, excerpt(let.name.text))
                .note(definition.range, "it is defined here");
            return;
        }
        for (const LetOverride &given : overrides_) {
            if (given.name == let.name.text) value = given.value;
        }
        definition.value = value;
        definition.defined = true;
    }

    void check_overrides() {
        for (const LetOverride &given : overrides_) {
            if (lets_.contains(given.name)) continue;
            reporter_.report({}, diagnostic::unknown_let_override, excerpt(given.name));
        }
    }

    void check(const ast::Layer &layer, bool broken) {
        const std::string_view name = layer.name ? std::string_view(layer.name->text) : "layer";
        const std::vector<FamilyVariable> family = read_family(layer, scope_, reporter_);
        const size_t count = count_members(layer, family, family_members_, reporter_);
        if (!family.empty()) family_members_ += count;
        declare(layer, name, family, count);
        Scope scope = scope_;
        for (size_t i = 0; i < count; i++) {
            scope.family = member_bindings(family, i);
            check_member(layer, name, scope, broken);
        }
        reporter_.set_context("");
    }

    void check_member(const ast::Layer &layer, std::string_view name, const Scope &scope, bool broken) {
        std::string full_name = member_name(name, scope.family);
        if (!scope.family.empty()) reporter_.set_context(fmt::format("in {}", excerpt(full_name)));
        std::optional<CheckedLayer> member = check_layer(layer, broken, std::move(full_name), scope, reporter_);
        if (member) checked_.layers.push_back(std::move(*member));
    }

    void declare(const ast::Layer &layer, std::string_view name, const std::vector<FamilyVariable> &family,
                 size_t count) {
        if (name.empty()) return;
        const SourceRange range = layer.name ? layer.name->range : layer.range;
        const auto [found, is_new] = declared_.try_emplace(name, DeclaredLayer{range, family, count});
        if (!is_new) {
            reporter_.report(range, diagnostic::layer_redefined, excerpt(name))
                .note(found->second.range, "it is defined here");
        }
        const std::optional<std::string_view> reason = why_reserved_function(name);
        if (reason && family.empty()) reporter_.report(range, diagnostic::reserved_name, name, *reason);
    }

    // body_64_1 may be a layer's own name and a family member's; a layer a_pack meets the pack function of layer a.
    void check_c_names() {
        std::unordered_map<std::string, const CheckedLayer *> taken;
        for (const CheckedLayer &layer : checked_.layers) {
            const auto [other, is_new] = taken.try_emplace(layer.layer.c_name(), &layer);
            if (!is_new) report_c_name(layer, layer.layer.c_name(), *other->second);
        }
        for (const CheckedLayer &layer : checked_.layers) {
            const std::string name = layer.layer.c_name();
            for (const std::string_view suffix : derived_suffixes()) {
                if (!name.ends_with(suffix)) continue;
                const auto other = taken.find(name.substr(0, name.size() - suffix.size()));
                if (other != taken.end()) report_c_name(layer, name, *other->second);
            }
        }
    }

    void report_c_name(const CheckedLayer &layer, const std::string &c_name, const CheckedLayer &other) {
        if (layer.layer.name == other.layer.name) return;  // redefined: reported
        reporter_
            .report(layer.range, diagnostic::c_name_taken, excerpt(layer.layer.name), excerpt(c_name),
                    excerpt(other.layer.name))
            .note(other.range, "that layer is here");
    }

    Reporter reporter_;
    const std::vector<LetOverride> &overrides_;
    Lets lets_;
    Scope scope_;
    DeclaredLayers declared_;
    size_t family_members_ = 0;
    CheckedModule checked_;
};

}  // namespace
}  // namespace sema

CheckedModule check_module(const ast::Module &module, Diagnostics &diagnostics, const std::vector<LetOverride> &lets,
                           const SchedulesFile *beside) {
    return sema::ModuleChecker(diagnostics, lets).check(module, beside);
}

}  // namespace convc
