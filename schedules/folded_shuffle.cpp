// Which shuffles fold into a convolution, and how.
#include "schedules/folded_shuffle.h"

#include <algorithm>

#include "schedules/single_stage.h"

namespace convc {
namespace {

using Fold = FoldedShuffle::Fold;

bool is_shuffle(const Stage &stage) {
    return stage.kind == StageKind::shuffle;
}

Fold fold_of(bool shuffle_first, const Stage &convolution, const Stage &shuffle) {
    if (shuffle_first) return convolution.groups == 1 ? Fold::input_weights : Fold::input_indices;
    if (convolution.groups == 1) return Fold::output_weights;
    return convolution.groups == shuffle.groups ? Fold::output_strides : Fold::nothing;
}

bool reads_tensors(const Stage &stage) {
    return std::any_of(stage.epilogues.begin(), stage.epilogues.end(),
                       [](const Epilogue &epilogue) { return epilogue.operand >= 0; });
}

}  // namespace

FoldedShuffle folded_shuffle(const StageGroup &group) {
    if (group.count != 2 || is_shuffle(group.stage(0)) == is_shuffle(group.stage(1))) return {};
    const bool first = is_shuffle(group.stage(0));
    const Stage &shuffle = group.stage(first ? 0 : 1), &convolution = group.stage(first ? 1 : 0);
    return {fold_of(first, convolution, shuffle), first ? 1 : 0, shuffle.in_channels, shuffle.groups};
}

StageGroup convolution_of(const StageGroup &group) {
    return {group.layer, group.first + folded_shuffle(group).convolution, 1};
}

std::optional<std::string> fold_refusal(const StageGroup &group) {
    if (group.count != 2 || is_shuffle(group.stage(0)) == is_shuffle(group.stage(1))) {
        return "computes one convolution, and a shuffle beside it";
    }
    const FoldedShuffle folded = folded_shuffle(group);
    const Stage &shuffle = group.stage(1 - folded.convolution), &convolution = group.stage(folded.convolution);
    if (!shuffle.epilogues.empty()) return "folds no shuffle that has epilogues of its own";
    if (is_depthwise(convolution) && convolution.groups > 1) return "folds no shuffle into a depthwise stage";
    if (folded.fold == Fold::nothing) return "folds a shuffle into grouped filters of as many groups only";
    if (folded.fold == Fold::output_weights && reads_tensors(convolution)) {
        return "folds no shuffle behind an epilogue that reads another tensor";
    }
    return std::nullopt;
}

std::vector<std::string> fold_notes(const KernelRequest &request) {
    switch (folded_shuffle(request.group).fold) {
        case Fold::nothing:
            break;
        case Fold::input_weights:
            return {"the shuffle is folded into the order of the packed weights' input channels"};
        case Fold::input_indices:
            return {"the shuffle is folded into the indices of the input channels"};
        case Fold::output_weights:
            return {"the shuffle is folded into the order of the packed filters"};
        case Fold::output_strides:
            return {"the shuffle is folded into where the output channels are stored"};
    }
    return {};
}

KernelRequest convolution_of(const KernelRequest &request) {
    return {convolution_of(request.group), request.schedule, request.target};
}

std::vector<Knob> with_stages_knob(const StageGroup &group, std::vector<Knob> knobs) {
    if (group.count == 1) return knobs;
    knobs.insert(knobs.begin(), {"stages", "of the layer, a shuffle among them", group.count, group.count});
    return knobs;
}

Schedule with_stages_knob(const StageGroup &group, Schedule schedule) {
    if (group.count > 1) schedule.knobs.insert(schedule.knobs.begin(), {"stages", group.count});
    return schedule;
}

Halide::Func input_of_groups(const Halide::Func &x, const FoldedShuffle &folded, int channels_of_group) {
    if (folded.fold != Fold::input_indices) return x;
    Halide::Var c("c"), g("g");
    Halide::Func shuffled("shuffled");
    shuffled(c, g, Halide::_) = x(folded.source(Halide::Expr(g * channels_of_group + c)), 0, Halide::_);
    return shuffled;
}

void fold_views(const StageGroup &group, std::vector<KernelArgument> &arguments) {
    const FoldedShuffle folded = folded_shuffle(group);
    if (folded.fold == Fold::input_indices) {
        View &x = arguments.front().view;
        x[view_channel].extent = folded.channels;
        x[view_group].extent = 1;
    }
    if (folded.fold == Fold::output_strides) {
        View &y = arguments.back().view;
        y[view_group].stride = y[view_channel].stride;
        y[view_channel].stride = times(y[view_channel].stride, folded.groups);
    }
}

}  // namespace convc
