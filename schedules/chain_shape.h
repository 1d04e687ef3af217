// The geometry of a fused chain: which stages compute, in what order their channels lie in the strips between them, how
// large those strips are, and what computing the halo between parts again costs. No Halide here; chain.cpp uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schedules/algorithm.h"
#include "schedules/machine_model.h"

namespace convc {

// A stage of the chain that computes. Shuffles lie between links and are folded into the indices of the next one.
//
// A strip holds the channels in the order of the last convolution that summed over channels: depthwise stages and
// shuffles behind it keep that order, and the parameters they read are packed in it.
struct ChainLink {
    int stage = 0;  // in the group
    bool depthwise = false;
    int64_t groups = 1;    // that the channels fall into, as they lie in the strip
    int64_t channels = 1;  // in one of them
};
std::vector<ChainLink> chain_links(const StageGroup &group);

// first <= i < end along one axis.
struct Range {
    int64_t first = 0;
    int64_t end = 1;
    int64_t size() const { return end - first; }
};

// A chain under one schedule.
class ChainShape {
public:
    explicit ChainShape(const KernelRequest &request);

    const std::vector<ChainLink> &links() const { return links_; }
    int last() const { return static_cast<int>(links_.size()) - 1; }
    const ChainLink &link(int i) const { return links_[static_cast<size_t>(i)]; }
    const Stage &stage(int i) const { return request_.group.stage(link(i).stage); }

    // Strips run along the height, or with knob `along_width` along the width.
    bool along_width() const { return *request_.schedule.knob("along_width") != 0; }
    ViewAxis strip_axis() const { return along_width() ? view_width : view_height; }
    int64_t rows() const { return *request_.schedule.knob("rows"); }
    int64_t piece() const;  // of the strip axis, in one parallel part

    // The strip before the one link (behind the first) that reaches across rows; -1 where none does, and where strips
    // run along the width. Its rows stay as long as a later strip needs them. Those before it are computed row by row.
    int ring() const;
    bool has_one_ring() const;  // no second link reaches across rows: whether strips may be of rows
    bool slides() const;        // two strips of a part need the same rows, which are kept
    int64_t tasks() const;

    int64_t vectors(int i) const;  // in the register tile; 1 for depthwise
    int64_t columns(int i) const;
    int64_t lanes(int i) const;  // fewer than the target's for a depthwise link of few channels
    int64_t channel_tile(int i) const { return vectors(i) * lanes(i); }
    int64_t channel_tiles(int i) const;    // of a group
    int64_t stored_channels(int i) const;  // of a group: whole tiles, except for depthwise links

    // How link i finds its input.
    bool copies_input() const;      // link 0: from a strip with the border around it, in padded coordinates
    bool bordered(int i) const;     // link i > 0: the strip before it has zeros on either side of a row
    bool guarded(int i) const;      // columns in the padding are told apart at the ends of a row
    bool reads_zeros(int i) const;  // zeros in place of padding, which must not meet a weight that is NaN or infinite
    bool needs_flag() const;
    // Whether link i is computed, to no use, beyond the first and last column (row) of its output.
    bool exceeds_width(int i) const;
    bool exceeds_height(int i) const;

    // Of the strip behind link i, for i < last(): what is alive at a time.
    int64_t strip_extent(int i) const;  // along the strip axis
    Range strip_columns(int i) const;   // where the strip axis is the height
    Range strip_height(int i) const;    // where it is the width
    int64_t strip_bytes(int i) const;
    // Of the copy of the input.
    int64_t copy_extent() const;
    int64_t copy_bytes() const;

    int64_t cache_bytes() const;      // of all strips of one task
    int64_t workspace_bytes() const;  // of the tasks that may run at once, without gaps between them
    // Multiply-adds of the slowest thread when the tasks are spread over the target's, with what is computed twice.
    double thread_work() const;
    // Of that, what is computed because two parts or strips need it.
    double repeated_work() const;

private:
    bool reaches_across_rows(int i) const;
    double rows_work(Range part) const;
    double columns_work(Range part) const;
    KernelRequest request_;
    std::vector<ChainLink> links_;
};

double stage_work(const Stage &stage);                      // multiply-adds
double chain_work(const StageGroup &group);                 // of all links, each once
int64_t intermediate_bytes(const StageGroup &group);        // of the tensors between links
int64_t sequence_workspace_bytes(const StageGroup &group);  // one kernel a link, inputs copied into borders
int64_t extent_along(const TensorType &type, ViewAxis axis);

}  // namespace convc
