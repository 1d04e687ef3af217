#include "compiler/sema/expand_sugar.h"

#include "compiler/sema/axis_names.h"
#include "compiler/sema/sema_diagnostics.h"

namespace convc::sema {
namespace {

constexpr size_t every_axis = SIZE_MAX;

// A stage with the kernel of `whole` along one axis (or every one), 1 along the others. Its stride is 1, its padding
// none.
StageDraft part(const StageDraft &whole, StageKind kind, size_t axis) {
    StageDraft stage = whole;
    stage.kind = kind;
    stage.groups.value = 1;
    stage.multiplier.value = 1;
    stage.last_of_syntax = false;
    for (size_t i = 0; i < stage.axes.size(); i++) {
        AxisDraft &draft = stage.axes[i];
        if (axis != every_axis && axis != i) draft.kernel.value = 1;
        draft.stride.value = 1;
        if (draft.kernel.value == 1) draft.dilation.value = 1;
        if (draft.kernel.value == 1) draft.pad_before.value = draft.pad_after.value = 0;
    }
    return stage;
}

StageDraft pointwise(const StageDraft &whole) {
    StageDraft stage = part(whole, StageKind::convolution, every_axis);
    for (AxisDraft &draft : stage.axes) {
        draft.kernel.value = draft.dilation.value = 1;
        draft.pad_before.value = draft.pad_after.value = 0;
    }
    return stage;
}

std::vector<StageDraft> chain_of(StageWord word, const StageDraft &whole) {
    std::vector<StageDraft> chain;
    const size_t rank = whole.axes.size();
    switch (word) {
        case StageWord::depthwise_separable:
            chain = {part(whole, StageKind::depthwise, every_axis), pointwise(whole)};
            break;
        case StageWord::spatially_separable:
            for (size_t i = 0; i < rank; i++) chain.push_back(part(whole, StageKind::convolution, i));
            break;
        case StageWord::flattened:
            chain.push_back(pointwise(whole));
            for (size_t i = 0; i < rank; i++) chain.push_back(part(whole, StageKind::depthwise, i));
            break;
        case StageWord::shuffled_grouped: {
            StageDraft grouped = part(whole, StageKind::convolution, every_axis);
            grouped.groups = whole.groups;
            StageDraft shuffle;  // nothing of the convolutions': flip, pad_mode and precision mean nothing to it
            shuffle.kind = StageKind::shuffle;
            shuffle.syntax = whole.syntax;
            shuffle.groups = whole.groups;
            shuffle.last_of_syntax = false;
            chain = {grouped, shuffle, grouped};
            break;
        }
        default:
            break;
    }
    if (chain.empty()) chain.push_back(whole);  // the number of axes is not known
    return chain;
}

void place_strides(std::vector<StageDraft> &chain, const StageDraft &whole, Reporter &reporter) {
    for (size_t axis = 0; axis < whole.axes.size(); axis++) {
        StageDraft *first = nullptr;
        for (StageDraft &stage : chain) {
            const bool larger = !stage.axes.empty() && stage.axes[axis].kernel.value != 1;
            if (larger && first == nullptr) first = &stage;
        }
        const Located &before = whole.axes[axis].pad_before;
        const Located &after = whole.axes[axis].pad_after;
        const bool some = before.value.value_or(0) > 0 || after.value.value_or(0) > 0;
        const bool padded = whole.pad_form == PadForm::numbers && some;
        if (first == nullptr && padded) {
            reporter.report(before.range, diagnostic::padding_unused, axis_name(whole.axes.size(), axis));
        }
        (first != nullptr ? *first : chain.front()).axes[axis].stride = whole.axes[axis].stride;
    }
}

}  // namespace

std::vector<StageDraft> expand_sugar(StageWord word, StageDraft whole, Reporter &reporter) {
    if (word < StageWord::depthwise_separable) return {std::move(whole)};
    std::vector<StageDraft> chain = chain_of(word, whole);
    place_strides(chain, whole, reporter);
    chain.back().last_of_syntax = true;
    return chain;
}

}  // namespace convc::sema
