#include "schedules/chain_channels.h"

#include "schedules/chain_shape.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

using Halide::Expr;

bool keeps_order(const StageGroup &group, int stage) {
    return group.stage(stage).kind == StageKind::shuffle || (stage > 0 && is_depthwise(group.stage(stage)));
}

// Of one group, in the strip behind a stage.
int stored_channels(const StageGroup &group, int stage) {
    int64_t channels = 1;
    for (const ChainLink &link : chain_links(group)) {
        if (link.stage <= stage) channels = link.channels;
    }
    return static_cast<int>(channels);
}

int as_int(int64_t value) {
    return static_cast<int>(value);
}

}  // namespace

bool is_permuted(const StageGroup &group, int stage) {
    for (; keeps_order(group, stage); stage--) {
        if (group.stage(stage).kind == StageKind::shuffle) return true;
    }
    return false;
}

// shuffle(s) sees C channels as (s, C/s) and transposes: channel i * C/s + j becomes j * s + i.
Expr channel_at(const StageGroup &group, int stage, const StoredChannel &at) {
    if (!is_permuted(group, stage)) return at.group * stored_channels(group, stage) + at.channel;
    const Stage &s = group.stage(stage);
    if (s.kind == StageKind::shuffle) {
        const Expr before = channel_at(group, stage - 1, at);
        const int groups = as_int(s.groups), rest = as_int(s.in_channels / s.groups);
        return before % rest * groups + before / rest;
    }
    const int multiplier = as_int(s.multiplier());
    const Expr before = channel_at(group, stage - 1, {at.channel / multiplier, at.group});
    return before * multiplier + at.channel % multiplier;
}

StoredChannel place_of(const StageGroup &group, int stage, const Expr &channel) {
    if (!is_permuted(group, stage)) {
        const int channels = stored_channels(group, stage);
        if (channels == group.stage(stage).out_channels) return {channel, 0};
        return {channel % channels, channel / channels};
    }
    const Stage &s = group.stage(stage);
    if (s.kind == StageKind::shuffle) {
        const int groups = as_int(s.groups), rest = as_int(s.in_channels / s.groups);
        return place_of(group, stage - 1, channel % groups * rest + channel / groups);
    }
    const int multiplier = as_int(s.multiplier());
    const StoredChannel before = place_of(group, stage - 1, channel / multiplier);
    return {before.channel * multiplier + channel % multiplier, before.group};
}

}  // namespace convc
