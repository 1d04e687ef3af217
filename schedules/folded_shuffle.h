// A channel shuffle folded into the convolution beside it: into the order in which its weights are packed, into how it
// finds its input channels, or into where it stores its output channels. None of that is a pass over memory.
//
// shuffle(G) of C channels sends channel k * (C/G) + j to channel j * G + k (ShuffleNet, arXiv 1707.01083).
#pragma once

#include <Halide.h>

#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"

namespace convc {

struct FoldedShuffle {
    enum class Fold {
        nothing,
        input_weights,   // before a convolution of one group: its weights are packed in the order of x
        input_indices,   // before one of several groups: it looks up each input channel, or its copy with a border does
        output_weights,  // behind a convolution of one group: its filters are packed in the order of y
        output_strides,  // behind one of as many groups as the shuffle's: it stores its channels G apart
    };
    Fold fold = Fold::nothing;
    int convolution = 0;               // which stage of the group it is
    int64_t channels = 1, groups = 1;  // of the shuffle

    // Where the shuffle takes channel `at` of its output from, and where it sends channel `at` of its input. For
    // integers and Halide's Exprs.
    template <class Index>
    Index source(const Index &at) const {
        return at % int(groups) * int(channels / groups) + at / int(groups);
    }
    template <class Index>
    Index destination(const Index &at) const {
        return at % int(channels / groups) * int(groups) + at / int(channels / groups);
    }

    // Which filter, and which input channel of the weights as the user gave them, is packed at `at`.
    template <class Index>
    Index packed_filter(const Index &at) const {
        return fold == Fold::output_weights ? source(at) : at;
    }
    template <class Index>
    Index packed_input(const Index &at) const {
        return fold == Fold::input_weights ? destination(at) : at;
    }
};

// Of a group of one convolution, alone or with a shuffle; nothing where fold_refusal() says why not.
FoldedShuffle folded_shuffle(const StageGroup &group);

// The convolution alone.
StageGroup convolution_of(const StageGroup &group);

// Why a group of two stages is no convolution with a shuffle to fold.
std::optional<std::string> fold_refusal(const StageGroup &group);

// How it is folded, for `explain --plan`.
std::vector<std::string> fold_notes(const KernelRequest &request);

// A request for both as one for the convolution alone.
KernelRequest convolution_of(const KernelRequest &request);

// The knob `stages` in front, where there are two.
std::vector<Knob> with_stages_knob(const StageGroup &group, std::vector<Knob> knobs);
Schedule with_stages_knob(const StageGroup &group, Schedule schedule);

// The input as the convolution's groups of so many channels see it, behind a shuffle of its indices.
Halide::Func input_of_groups(const Halide::Func &x, const FoldedShuffle &folded, int channels_of_group);

// The buffers of the convolution alone become those of the group.
void fold_views(const StageGroup &group, std::vector<KernelArgument> &arguments);

}  // namespace convc
