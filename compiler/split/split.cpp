#include "compiler/split/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace convc {
namespace {

// These leave every channel where it is.
bool is_identity_shuffle(const Stage &stage) {
    return stage.kind == StageKind::shuffle && (stage.groups == 1 || stage.groups == stage.in_channels);
}

// Into how many runs of channels a stage by itself can be cut.
int64_t independent_groups(const Stage &stage) {
    if (stage.kind != StageKind::shuffle) return stage.groups;
    return is_identity_shuffle(stage) ? stage.in_channels : 1;
}

// Part `index` of `parts` of `groups`.
Share share_of_groups(int64_t groups, int64_t parts, int64_t index) {
    const int64_t more = groups % parts;
    const int64_t begin = groups / parts * index + std::min(index, more);
    return {begin, begin + groups / parts + (index < more ? 1 : 0), groups};
}

// The share of channels that belongs to a share of the groups.
Share scaled(const Share &groups, int64_t channels) {
    const int64_t each = channels / groups.whole;
    return {groups.begin * each, groups.end * each, channels};
}

int64_t length(const Share &share) {
    return share.end - share.begin;
}

Stage part_of_stage(const Stage &whole, const Share &groups) {
    Stage stage = whole;
    stage.in_channels = length(scaled(groups, whole.in_channels));
    stage.out_channels = length(scaled(groups, whole.out_channels));
    stage.output.channels = stage.out_channels;
    if (whole.kind != StageKind::shuffle) {
        stage.groups = length(scaled(groups, whole.groups));
    } else if (whole.groups == whole.in_channels) {
        stage.groups = stage.in_channels;
    }
    return stage;
}

LayerPart part_of_layer(const Layer &whole, const Share &groups, int64_t index) {
    LayerPart part;
    part.groups = groups;
    part.layer.name = fmt::format("{}_part{}", whole.c_name(), index);
    for (const NamedTensor &input : whole.inputs) {
        const int64_t channels = input.type.channels;
        // One channel under several groups is an operand that is repeated over the channels: every part needs it.
        part.inputs.push_back(channels == 1 ? Share{0, 1, 1} : scaled(groups, channels));
        part.layer.inputs.push_back(input);
        part.layer.inputs.back().type.channels = length(part.inputs.back());
    }
    for (const Stage &stage : whole.stages) part.layer.stages.push_back(part_of_stage(stage, groups));
    // Dimension 0 holds the channels out, and for `transposed` the channels in; the other holds those of one group.
    for (const Parameter &parameter : whole.parameters()) part.parameters.push_back(scaled(groups, parameter.shape[0]));
    part.output = scaled(groups, whole.output().channels);
    return part;
}

std::string why_one_group(const Layer &layer, int index) {
    const Stage &stage = layer.stages[static_cast<size_t>(index)];
    if (stage.kind == StageKind::shuffle) {
        return fmt::format("shuffle({}) hands the channels of each group on to several others", stage.groups);
    }
    if (stage.in_channels == 1) return "the stage reads one channel, which cannot be shared out";
    return fmt::format("every output channel reads all {} input channels: there are no groups to cut between",
                       stage.in_channels);
}

}  // namespace

int64_t common_groups(const Layer &layer) {
    int64_t groups = 0;  // gcd(0, n) is n
    for (const Stage &stage : layer.stages) groups = std::gcd(groups, independent_groups(stage));
    return groups;
}

std::optional<SplitObstacle> obstacle_to_split(const Layer &layer) {
    if (common_groups(layer) > 1) return std::nullopt;
    for (int i = 0; i < static_cast<int>(layer.stages.size()); i++) {
        const Stage &stage = layer.stages[static_cast<size_t>(i)];
        if (independent_groups(stage) == 1) return SplitObstacle{i, why_one_group(layer, i)};
    }
    int64_t before = 0;
    for (int i = 0;; i++) {
        const int64_t groups = independent_groups(layer.stages[static_cast<size_t>(i)]);
        if (std::gcd(before, groups) == 1) {
            return SplitObstacle{i, fmt::format("the stage's {} groups and the {} of the stages before it have no "
                                                "boundary in common",
                                                groups, before)};
        }
        before = std::gcd(before, groups);
    }
}

Result<std::vector<LayerPart>> split_layer(const Layer &layer, int64_t parts) {
    const int64_t groups = common_groups(layer);
    if (parts < 1 || parts > groups) {
        return Error{Failure::usage,
                     fmt::format("{} falls into {} independent group{} of channels, and cannot be split into {} parts",
                                 layer.name, groups, groups == 1 ? "" : "s", parts)};
    }
    std::vector<LayerPart> all;
    all.reserve(static_cast<size_t>(parts));
    for (int64_t i = 0; i < parts; i++) all.push_back(part_of_layer(layer, share_of_groups(groups, parts, i), i));
    return all;
}

}  // namespace convc
