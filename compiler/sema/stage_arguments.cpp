#include "compiler/sema/stage_arguments.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "compiler/sema/sema_diagnostics.h"
#include "compiler/sema/spelling.h"

namespace convc::sema {
namespace {

using enum ArgumentName;

constexpr std::array<std::string_view, argument_count> argument_texts{
    "out", "kernel",   "multiplier", "output_padding", "groups",  "stride",
    "pad", "dilation", "flip",       "pad_mode",       "weights", "precision"};

constexpr uint32_t bits(std::initializer_list<ArgumentName> names) {
    uint32_t set = 0;
    for (const ArgumentName name : names) set |= 1U << static_cast<unsigned>(name);
    return set;
}

constexpr uint32_t common = bits({kernel, stride, pad, dilation, flip, pad_mode, precision});

constexpr std::array<ArgumentName, 2> out_kernel{out, kernel};
constexpr std::array<ArgumentName, 2> kernel_multiplier{kernel, multiplier};
constexpr std::array<ArgumentName, 3> out_kernel_output_padding{out, kernel, output_padding};
constexpr std::array<ArgumentName, 1> only_groups{groups};
constexpr std::array<ArgumentName, 3> out_kernel_groups{out, kernel, groups};

constexpr std::array<StageForm, 8> forms{{
    {StageWord::conv, "conv", "(out, kernel, name=...)", out_kernel, 2, common | bits({out, groups, weights})},
    {StageWord::depthwise, "depthwise", "(kernel, multiplier, name=...)", kernel_multiplier, 1,
     common | bits({multiplier, weights})},
    {StageWord::transposed, "transposed", "(out, kernel, output_padding, name=...)", out_kernel_output_padding, 2,
     common | bits({out, output_padding, groups})},
    {StageWord::shuffle, "shuffle", "(groups)", only_groups, 1, bits({groups})},
    {StageWord::depthwise_separable, "depthwise_separable", "(out, kernel, name=...)", out_kernel, 2,
     common | bits({out})},
    {StageWord::spatially_separable, "spatially_separable", "(out, kernel, name=...)", out_kernel, 2,
     common | bits({out})},
    {StageWord::flattened, "flattened", "(out, kernel, name=...)", out_kernel, 2, common | bits({out})},
    {StageWord::shuffled_grouped, "shuffled_grouped", "(out, kernel, groups, name=...)", out_kernel_groups, 3,
     common | bits({out, groups})},
}};

constexpr std::array<std::string_view, forms.size()> form_names = [] {
    std::array<std::string_view, forms.size()> names;
    for (size_t i = 0; i < forms.size(); i++) names[i] = forms[i].text;
    return names;
}();

// Why a stage does not take an argument that others do.
std::string_view reason(const StageForm &form, ArgumentName name) {
    if (form.word == StageWord::shuffle) return "it only reorders channels";
    if (name == weights && form.word == StageWord::transposed)
        return "they serve a depthwise, or a conv from 1 channel to 1";
    if (name == weights) return "constant weights belong to one conv or depthwise, and this expands to several stages";
    if (name == output_padding) return "only transposed does";
    if (name == multiplier) return "only depthwise does";
    if (form.word == StageWord::depthwise && name == groups) return "every channel is a group of its own";
    if (form.word == StageWord::depthwise && name == out) return "its output channels are multiplier times its input's";
    return "conv, transposed and shuffled_grouped do";
}

class Binder {
public:
    Binder(const StageForm &form, const ast::Stage &stage, Reporter &reporter)
        : form_(form), stage_(stage), reporter_(reporter) {}

    BoundArguments bind() {
        for (const ast::Argument &argument : stage_.arguments) {
            if (argument.name) {
                bind_named(argument, *argument.name);
            } else {
                bind_unnamed(argument);
            }
        }
        for (size_t i = 0; i < form_.required && !bound_.mistaken && !stage_.broken; i++) {
            if (bound_[form_.positional[i]] != nullptr) continue;
            reporter_
                .report(stage_.name.range, diagnostic::argument_missing, form_.text, argument_text(form_.positional[i]))
                .note(fmt::format("the form is {}{}", form_.text, form_.signature));
        }
        return bound_;
    }

private:
    void bind_named(const ast::Argument &argument, const ast::Identifier &name) {
        for (size_t i = 0; i < argument_count; i++) {
            if (name.text == argument_texts[i]) return place(argument, static_cast<ArgumentName>(i), name.range);
        }
        bound_.mistaken = true;
        suggest(reporter_.report(name.range, diagnostic::unknown_argument, form_.text, excerpt(name.text)), name.text,
                name.range);
    }

    void bind_unnamed(const ast::Argument &argument) {
        const ast::Expression *word = lone_name(argument);
        if (word != nullptr && word->text == argument_text(flip)) return place(argument, flip, argument.range);
        if (next_positional_ < form_.positional.size()) {
            return place(argument, form_.positional[next_positional_++], argument.range);
        }
        if (word != nullptr) {
            bound_.mistaken = true;
            return suggest(
                reporter_.report(argument.range, diagnostic::unknown_argument, form_.text, excerpt(word->text)),
                word->text, argument.range);
        }
        reporter_.report(argument.range, diagnostic::argument_unexpected, form_.text, form_.signature);
    }

    void place(const ast::Argument &argument, ArgumentName name, SourceRange range) {
        if (!form_.accepts(name)) {
            reporter_.report(range, diagnostic::argument_not_taken, form_.text, argument_text(name),
                             reason(form_, name));
            return;
        }
        const ast::Argument *&slot = bound_.by_name[static_cast<size_t>(name)];
        if (slot != nullptr) {
            reporter_.report(range, diagnostic::argument_repeated, argument_text(name))
                .note(slot->name ? slot->name->range : slot->range, "it is given here");
            return;
        }
        slot = &argument;
    }

    void suggest(Diagnostics::Builder report, std::string_view word, SourceRange range) {
        if (!reporter_.may_suggest()) return;
        std::vector<std::string_view> candidates;
        for (size_t i = 0; i < argument_count; i++) {
            if (form_.accepts(static_cast<ArgumentName>(i))) candidates.push_back(argument_texts[i]);
        }
        const std::string_view near = nearest_name(word, candidates);
        if (!near.empty()) report.fixit(range, std::string(near));
    }

    const StageForm &form_;
    const ast::Stage &stage_;
    Reporter &reporter_;
    BoundArguments bound_;
    size_t next_positional_ = 0;
};

}  // namespace

std::string_view argument_text(ArgumentName name) {
    return argument_texts[static_cast<size_t>(name)];
}

const StageForm *stage_named(std::string_view text) {
    for (const StageForm &form : forms) {
        if (form.text == text) return &form;
    }
    return nullptr;
}

std::span<const std::string_view> stage_names() {
    return form_names;
}

BoundArguments bind_arguments(const StageForm &form, const ast::Stage &stage, Reporter &reporter) {
    return Binder(form, stage, reporter).bind();
}

const ast::Expression *sole_value(const ast::AxisValues &values) {
    return values.values.empty() ? nullptr : values.values.front().get();
}

const ast::Expression *lone_name(const ast::Argument &argument) {
    const auto *values = std::get_if<ast::AxisValues>(&argument.value);
    if (values == nullptr || values->form != ast::AxisValues::Form::every) return nullptr;
    const ast::Expression *expression = sole_value(*values);
    const bool bare =
        expression != nullptr && expression->kind == ast::Expression::Kind::name && !expression->parenthesised;
    return bare ? expression : nullptr;
}

}  // namespace convc::sema
