#include "compiler/sema/check_schedules.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/sema/sema_diagnostics.h"
#include "compiler/sema/spelling.h"
#include "convc/target.h"

namespace convc::sema {
namespace {

class ScheduleChecker {
public:
    ScheduleChecker(const ast::ScheduleStatement &statement, const DeclaredLayers &declared, const Scope &scope,
                    Reporter &reporter)
        : statement_(statement), declared_(declared), reporter_(reporter), evaluator_(reporter, scope) {}

    std::optional<PinnedSchedule> check(PinnedPlaces &pinned) {
        const size_t before = reporter_.errors();
        PinnedSchedule schedule;
        schedule.range = statement_.range;
        schedule.target = statement_.target.text;
        schedule.layer = layer_name();
        check_target();
        for (const ast::ScheduleGroup &group : statement_.groups) {
            schedule.groups.push_back(read_group(group));
            schedule.group_ranges.push_back(group.range);
        }
        if (reporter_.errors() != before || !evaluator_.complete()) return std::nullopt;
        const auto [first, is_new] = pinned.try_emplace({schedule.layer, schedule.target}, statement_.layer.range);
        if (is_new) return schedule;
        reporter_
            .report(statement_.layer.range, diagnostic::schedule_repeated, excerpt(schedule.layer),
                    excerpt(schedule.target))
            .note(first->second, "it is here");
        return std::nullopt;
    }

private:
    std::string layer_name() {
        std::vector<FamilyBinding> values;
        values.reserve(statement_.family_values.size());
        for (const ast::ExpressionPtr &value : statement_.family_values) {
            values.push_back({"", evaluator_.integer(value.get())});
        }
        const std::string_view name = statement_.layer.text;
        const auto found = declared_.find(name);
        if (found == declared_.end()) {
            if (!name.empty()) unknown_layer(name);
        } else {
            check_member(found->second, values);
        }
        return member_name(name, values);
    }

    void unknown_layer(std::string_view name) {
        auto report = reporter_.report(statement_.layer.range, diagnostic::unknown_layer, excerpt(name));
        if (!reporter_.may_suggest()) return;
        std::vector<std::string_view> candidates;
        candidates.reserve(declared_.size());
        for (const auto &[layer, facts] : declared_) candidates.push_back(layer);
        const std::string_view near = nearest_name(name, candidates);
        if (!near.empty()) report.fixit(statement_.layer.range, std::string(near));
    }

    void check_member(const DeclaredLayer &layer, const std::vector<FamilyBinding> &values) {
        const std::string name = excerpt(statement_.layer.text);
        if (layer.family.empty() && !values.empty()) {
            reporter_.report(statement_.layer.range, diagnostic::not_a_family, name);
            return;
        }
        if (layer.family.size() != values.size()) {
            reporter_
                .report(statement_.layer.range, diagnostic::family_value_count, name,
                        counted(layer.family.size(), "value", "values"), values.size())
                .note(fmt::format("one of its layers is {}",
                                  excerpt(member_name(statement_.layer.text, member_bindings(layer.family, 0)))));
            return;
        }
        for (size_t i = 0; i < values.size(); i++) check_value(layer.family[i], values[i].value, i);
    }

    void check_value(const FamilyVariable &variable, const Value &value, size_t index) {
        const auto &known = variable.values;
        if (!value || !known.front() || std::find(known.begin(), known.end(), value) != known.end()) return;
        const SourceRange range = statement_.family_values[index]->range;
        reporter_.report(range, diagnostic::unknown_member, excerpt(statement_.layer.text), excerpt(variable.name),
                         *value);
    }

    void check_target() {
        if (statement_.target.text.empty() && statement_.target.range.begin == statement_.target.range.end) return;
        const std::string text = excerpt(statement_.target.text);
        const Result<Target> target = parse_target(text);
        if (!target) reporter_.report(statement_.target.range, diagnostic::malformed_target, target.error().message);
    }

    Schedule read_group(const ast::ScheduleGroup &group) {
        Schedule schedule;
        schedule.algorithm = group.algorithm.text;
        for (const ast::Knob &knob : group.knobs) {
            const Value value = evaluator_.integer(knob.value.get());
            if (schedule.knob(knob.name.text) && !knob.name.text.empty()) {
                reporter_.report(knob.name.range, diagnostic::knob_repeated, excerpt(knob.name.text));
            }
            schedule.knobs.emplace_back(knob.name.text, value.value_or(0));
        }
        return schedule;
    }

    const ast::ScheduleStatement &statement_;
    const DeclaredLayers &declared_;
    Reporter &reporter_;
    Evaluator evaluator_;
};

}  // namespace

std::optional<PinnedSchedule> check_schedule(const ast::ScheduleStatement &statement, const DeclaredLayers &declared,
                                             PinnedPlaces &pinned, const Scope &scope, Reporter &reporter) {
    return ScheduleChecker(statement, declared, scope, reporter).check(pinned);
}

}  // namespace convc::sema
