#include "compiler/sema/read_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "compiler/sema/expand_sugar.h"
#include "compiler/sema/read_epilogues.h"
#include "compiler/sema/read_weights.h"
#include "compiler/sema/sema_diagnostics.h"
#include "compiler/sema/spelling.h"
#include "compiler/sema/stage_arguments.h"

namespace convc::sema {
namespace {

class StageReader {
public:
    StageReader(const StageForm &form, const ast::Stage &stage, std::optional<size_t> rank, Evaluator &evaluator,
                Reporter &reporter)
        : form_(form),
          stage_(stage),
          rank_(rank),
          evaluator_(evaluator),
          reporter_(reporter),
          arguments_(bind_arguments(form, stage, reporter)) {}

    StageDraft read();

private:
    using Name = ArgumentName;

    const ast::Argument *argument(Name name) const { return arguments_[name]; }
    bool is_required(Name name) const;

    Located integer(Name name, int64_t absent, int64_t least);
    const ast::AxisValues *axis_values(Name name);
    std::vector<Located> per_axis(Name name, int64_t absent, int64_t least);
    void read_axes(StageDraft &draft);
    void read_pad(StageDraft &draft);
    bool read_pad_word(StageDraft &draft, const ast::Expression &word);
    void read_before_after(StageDraft &draft, const ast::AxisValues &values);
    void read_pad_mode(StageDraft &draft);
    void read_precision(StageDraft &draft);
    void read_flip(StageDraft &draft);
    void read_constant_weights(StageDraft &draft);
    Located checked(const ast::Expression *expression, std::string_view what, int64_t least);
    bool count_is_rank(const ast::AxisValues &values, Name name, size_t count);
    void unknown_word(const ast::Expression &word, std::string_view what, std::span<const std::string_view> known);

    const StageForm &form_;
    const ast::Stage &stage_;
    std::optional<size_t> rank_;
    Evaluator &evaluator_;
    Reporter &reporter_;
    BoundArguments arguments_;
};

bool StageReader::is_required(Name name) const {
    const auto required = form_.positional.first(form_.required);
    return std::find(required.begin(), required.end(), name) != required.end();
}

Located StageReader::checked(const ast::Expression *expression, std::string_view what, int64_t least) {
    if (expression == nullptr) return {std::nullopt, stage_.name.range};
    Located found{evaluator_.integer(expression), expression->range};
    if (found.value && *found.value < least) {
        reporter_.report(expression->range, diagnostic::value_too_small, what, *found.value, least);
        found.value.reset();
    }
    return found;
}

// The values of an argument that takes integers; nullptr when it is absent or a list of constants (which is reported).
const ast::AxisValues *StageReader::axis_values(Name name) {
    if (argument(name) == nullptr) return nullptr;
    const auto *values = std::get_if<ast::AxisValues>(&argument(name)->value);
    if (values == nullptr) {
        const std::string_view form = name == Name::pad
                                          ? "an integer, one an axis as in 1x2, or [before:after, before:after]"
                                          : "an integer, or one an axis as in 3x3";
        reporter_.report(argument(name)->range, diagnostic::argument_form, argument_text(name), form);
    }
    return values;
}

Located StageReader::integer(Name name, int64_t absent, int64_t least) {
    if (argument(name) == nullptr) {
        const bool required = absent < least;
        return {required ? Value() : Value(absent), stage_.name.range};
    }
    const ast::AxisValues *values = axis_values(name);
    if (values == nullptr) return {std::nullopt, argument(name)->range};
    if (values->form != ast::AxisValues::Form::every) {
        reporter_.report(values->range, diagnostic::argument_form, argument_text(name), "one integer");
        return {std::nullopt, values->range};
    }
    return checked(sole_value(*values), argument_text(name), least);
}

bool StageReader::count_is_rank(const ast::AxisValues &values, Name name, size_t count) {
    if (!rank_ || count == *rank_) return true;
    reporter_.report(values.range, diagnostic::axis_count, argument_text(name), counted(count, "axis", "axes"), *rank_);
    return false;
}

// `rank_` values; all empty when a mistake hides them. A required argument that is absent hides them too.
std::vector<Located> StageReader::per_axis(Name name, int64_t absent, int64_t least) {
    using Form = ast::AxisValues::Form;
    const size_t rank = rank_.value_or(0);
    if (argument(name) == nullptr) {
        return std::vector<Located>(rank, {absent < least ? Value() : Value(absent), stage_.name.range});
    }
    std::vector<Located> hidden(rank, {std::nullopt, argument(name)->range});
    const ast::AxisValues *values = axis_values(name);
    if (values == nullptr) return hidden;
    if (values->form == Form::before_after) {
        reporter_.report(values->range, diagnostic::argument_form, argument_text(name),
                         "an integer, or one an axis as in 3x3");
        return hidden;
    }
    std::vector<Located> found;
    found.reserve(values->values.size());
    for (const ast::ExpressionPtr &value : values->values)
        found.push_back(checked(value.get(), argument_text(name), least));
    if (found.empty()) return hidden;
    if (values->form == Form::every) return std::vector<Located>(rank, found.front());
    if (!count_is_rank(*values, name, found.size())) return hidden;
    return found;
}

void StageReader::read_axes(StageDraft &draft) {
    const std::vector<Located> kernel = per_axis(Name::kernel, 0, 1);
    const std::vector<Located> stride = per_axis(Name::stride, 1, 1);
    const std::vector<Located> dilation = per_axis(Name::dilation, 1, 1);
    const std::vector<Located> output_padding = per_axis(Name::output_padding, 0, 0);
    draft.axes.resize(rank_.value_or(0));
    for (size_t i = 0; i < draft.axes.size(); i++) {
        const Located none{0, stage_.name.range};
        draft.axes[i] = {kernel[i], stride[i], dilation[i], none, none, output_padding[i]};
    }
}

void StageReader::unknown_word(const ast::Expression &word, std::string_view what,
                               std::span<const std::string_view> known) {
    auto report = reporter_.report(word.range, diagnostic::unknown_word, what, excerpt(word.text));
    const std::string_view near = nearest_name(word.text, known);
    if (!near.empty()) report.fixit(word.range, std::string(near));
    std::string list;
    for (const std::string_view name : known) list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
    report.note(fmt::format("known are {}", list));
}

// valid, same, half, full; false when it is none of them and may name an integer.
bool StageReader::read_pad_word(StageDraft &draft, const ast::Expression &word) {
    static constexpr std::array<std::string_view, 4> words{"valid", "same", "half", "full"};
    if (word.text == "valid") return true;
    if (word.text == "same") {
        draft.pad_form = PadForm::same;
        if (draft.kind == StageKind::transposed) reporter_.report(word.range, diagnostic::pad_same_transposed);
        return true;
    }
    if (word.text == "half" || word.text == "full") {
        draft.pad_form = word.text == "half" ? PadForm::half : PadForm::full;
        return true;
    }
    if (evaluator_.knows(word.text)) return false;
    unknown_word(word, "padding", words);
    for (AxisDraft &axis : draft.axes) axis.pad_before.value = axis.pad_after.value = std::nullopt;
    return true;
}

void StageReader::read_before_after(StageDraft &draft, const ast::AxisValues &values) {
    std::vector<Located> found;
    found.reserve(values.values.size());
    for (const ast::ExpressionPtr &value : values.values)
        found.push_back(checked(value.get(), argument_text(Name::pad), 0));
    const bool right_count = count_is_rank(values, Name::pad, found.size() / 2);
    for (size_t i = 0; i < draft.axes.size(); i++) {
        const Located hidden{std::nullopt, values.range};
        draft.axes[i].pad_before = right_count ? found[2 * i] : hidden;
        draft.axes[i].pad_after = right_count ? found[2 * i + 1] : hidden;
    }
}

void StageReader::read_pad(StageDraft &draft) {
    const ast::Argument *written = argument(Name::pad);
    draft.pad_range = written != nullptr ? written->range : stage_.name.range;
    if (written == nullptr) return;
    const ast::Expression *word = lone_name(*written);
    if (word != nullptr && read_pad_word(draft, *word)) return;
    const auto *values = std::get_if<ast::AxisValues>(&written->value);
    if (values != nullptr && values->form == ast::AxisValues::Form::before_after) {
        return read_before_after(draft, *values);
    }
    const std::vector<Located> pads = per_axis(Name::pad, 0, 0);
    for (size_t i = 0; i < draft.axes.size(); i++) draft.axes[i].pad_before = draft.axes[i].pad_after = pads[i];
}

void StageReader::read_pad_mode(StageDraft &draft) {
    static constexpr std::array<std::string_view, 4> words{"zeros", "reflect", "replicate", "circular"};
    const ast::Argument *written = argument(Name::pad_mode);
    draft.pad_mode_range = written != nullptr ? written->range : stage_.name.range;
    if (written == nullptr) return;
    const auto *values = std::get_if<ast::AxisValues>(&written->value);
    if (values == nullptr || values->form != ast::AxisValues::Form::every) {
        reporter_.report(written->range, diagnostic::argument_form, "pad_mode",
                         "zeros, reflect, replicate, circular or a number");
        return;
    }
    const ast::Expression *word = lone_name(*written);
    if (word != nullptr && !evaluator_.knows(word->text)) {
        const auto *found = std::find(words.begin(), words.end(), word->text);
        if (found == words.end()) return unknown_word(*word, "pad_mode", words);
        draft.pad_mode = static_cast<PadMode>(found - words.begin());
    } else {
        const std::optional<double> value = evaluator_.real(sole_value(*values));
        draft.pad_value = value.value_or(0);
        draft.pad_mode = draft.pad_value != 0 ? PadMode::constant : PadMode::zeros;
        if (draft.pad_mode == PadMode::zeros) draft.pad_value = 0;
    }
    if (draft.kind == StageKind::transposed && draft.pad_mode != PadMode::zeros) {
        reporter_.report(written->range, diagnostic::pad_mode_transposed);
        draft.pad_mode = PadMode::zeros;
    }
}

void StageReader::read_precision(StageDraft &draft) {
    static constexpr std::array<std::string_view, 3> words{"strict", "default", "fast"};
    const ast::Argument *written = argument(Name::precision);
    if (written == nullptr) return;
    const ast::Expression *word = lone_name(*written);
    if (word == nullptr) {
        reporter_.report(written->range, diagnostic::argument_form, "precision", "strict, default or fast");
        return;
    }
    const auto *found = std::find(words.begin(), words.end(), word->text);
    if (found == words.end()) return unknown_word(*word, "precision", words);
    draft.precision = static_cast<Precision>(found - words.begin());
}

void StageReader::read_flip(StageDraft &draft) {
    const ast::Argument *written = argument(Name::flip);
    if (written == nullptr) return;
    draft.flip = true;
    if (!written->name) return;
    reporter_.report(written->range, diagnostic::argument_form, "flip", "a word by itself, without a value")
        .fixit(written->range, "flip");
}

void StageReader::read_constant_weights(StageDraft &draft) {
    const ast::Argument *written = argument(Name::weights);
    if (written == nullptr) return;
    draft.weights_range = written->range;
    const auto *list = std::get_if<ast::ConstantList>(&written->value);
    if (list == nullptr) {
        reporter_.report(written->range, diagnostic::argument_form, "weights",
                         "a list of numbers such as [1, 2, 1] or [[0, 1], [1, 0]]");
        return;
    }
    std::vector<Value> kernel;
    kernel.reserve(draft.axes.size());
    for (const AxisDraft &axis : draft.axes) kernel.push_back(axis.kernel.value);
    draft.weights = read_weights(*list, kernel, evaluator_, reporter_);
}

StageKind kind_of(StageWord word) {
    switch (word) {
        case StageWord::depthwise:
            return StageKind::depthwise;
        case StageWord::transposed:
            return StageKind::transposed;
        case StageWord::shuffle:
            return StageKind::shuffle;
        default:
            return StageKind::convolution;
    }
}

StageDraft StageReader::read() {
    StageDraft draft;
    draft.kind = kind_of(form_.word);
    draft.syntax = &stage_;
    draft.groups = integer(Name::groups, is_required(Name::groups) ? 0 : 1, 1);
    draft.out = integer(Name::out, 0, 1);
    draft.multiplier = integer(Name::multiplier, 1, 1);
    if (draft.kind == StageKind::shuffle) return draft;
    read_axes(draft);
    read_pad(draft);
    read_pad_mode(draft);
    read_precision(draft);
    read_flip(draft);
    read_constant_weights(draft);
    return draft;
}

}  // namespace

std::vector<StageDraft> read_stage(const ast::Stage &stage, std::optional<size_t> rank, Evaluator &evaluator,
                                   Reporter &reporter) {
    const StageForm *form = stage_named(stage.name.text);
    if (form != nullptr) {
        const StageDraft draft = StageReader(*form, stage, rank, evaluator, reporter).read();
        return expand_sugar(form->word, draft, reporter);
    }
    if (is_epilogue_name(stage.name.text)) {
        reporter.report(stage.name.range, diagnostic::epilogue_as_stage, stage.name.text);
        return {};
    }
    auto report = reporter.report(stage.name.range, diagnostic::unknown_stage, excerpt(stage.name.text));
    const std::string_view near = nearest_name(stage.name.text, stage_names());
    if (!near.empty()) report.fixit(stage.name.range, std::string(near));
    return {};
}

}  // namespace convc::sema
