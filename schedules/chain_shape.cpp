#include "schedules/chain_shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/kernel_runtime/kernel_runtime.h"
#include "schedules/single_stage.h"

namespace convc {
namespace {

int64_t divided_up(int64_t value, int64_t by) {
    return (value + by - 1) / by;
}

int64_t power_of_two_at_most(int64_t value) {
    int64_t power = 1;
    while (power * 2 <= value) power *= 2;
    return power;
}

int64_t block_bytes(int64_t elements) {
    return static_cast<int64_t>(convc_kernel_block_bytes(static_cast<uint64_t>(elements) * sizeof(float)));
}

}  // namespace

int64_t extent_along(const TensorType &type, ViewAxis axis) {
    return activation_view(type, 1, false)[axis].extent;
}

std::vector<ChainLink> chain_links(const StageGroup &group) {
    std::vector<ChainLink> links;
    for (int i = 0; i < group.count; i++) {
        const Stage &stage = group.stage(i);
        if (stage.kind == StageKind::shuffle) continue;
        ChainLink link{i, is_depthwise(stage), stage.groups, stage.out_channels / stage.groups};
        if (link.depthwise && links.empty()) link.groups = 1, link.channels = stage.out_channels;
        if (link.depthwise && !links.empty()) {
            link.groups = links.back().groups;
            link.channels = links.back().channels * stage.multiplier();
        }
        links.push_back(link);
    }
    return links;
}

ChainShape::ChainShape(const KernelRequest &request) : request_(request), links_(chain_links(request.group)) {}

int64_t ChainShape::piece() const {
    return divided_up(extent_along(request_.group.output(), strip_axis()), *request_.schedule.knob("parts"));
}

bool ChainShape::reaches_across_rows(int i) const {
    const Axis axis = stage_axis(stage(i), view_height);
    return i > 0 && (axis.kernel > 1 || is_padded(axis));
}

int ChainShape::ring() const {
    for (int i = last(); i > 0 && !along_width(); i--) {
        if (reaches_across_rows(i)) return i - 1;
    }
    return -1;
}

bool ChainShape::has_one_ring() const {
    int reaching = 0;
    for (int i = 1; i <= last(); i++) reaching += reaches_across_rows(i) ? 1 : 0;
    return reaching <= 1;
}

bool ChainShape::slides() const {
    if (ring() < 0 || rows() >= piece()) return false;
    const Axis axis = stage_axis(stage(ring() + 1), view_height);
    return axis.effective_kernel() > axis.stride;
}

int64_t ChainShape::tasks() const {
    const TensorType &output = request_.group.output();
    return output.batch * divided_up(extent_along(output, strip_axis()), piece());
}

int64_t ChainShape::vectors(int i) const {
    return request_.schedule.knob(fmt::format("vectors{}", link(i).stage)).value_or(1);
}

int64_t ChainShape::columns(int i) const {
    return *request_.schedule.knob(fmt::format("columns{}", link(i).stage));
}

int64_t ChainShape::lanes(int i) const {
    const int64_t all = request_.target.vector_lanes();
    return link(i).depthwise ? std::min(all, power_of_two_at_most(link(i).channels)) : all;
}

int64_t ChainShape::channel_tiles(int i) const {
    return divided_up(link(i).channels, channel_tile(i));
}

int64_t ChainShape::stored_channels(int i) const {
    return link(i).depthwise ? link(i).channels : channel_tiles(i) * channel_tile(i);
}

// ---- borders

bool ChainShape::copies_input() const {
    const Stage &first = stage(0);
    if (!link(0).depthwise) return has_padding(first);
    const View view = activation_view(request_.group.input(), 1, false);
    const bool dense = view[view_channel].stride == 1 || view[view_channel].extent == 1;
    return !dense || (has_padding(first) && !pads_with_zeros(first));
}

bool ChainShape::bordered(int i) const {
    return i > 0 && is_padded(stage_axis(stage(i), view_width)) && (along_width() || !link(i).depthwise);
}

bool ChainShape::guarded(int i) const {
    if (!link(i).depthwise || bordered(i) || (i == 0 && copies_input())) return false;
    return is_padded(stage_axis(stage(i), view_width));
}

bool ChainShape::reads_zeros(int i) const {
    if (stage(i).weights) return false;
    return i == 0 ? copies_input() && pads_with_zeros(stage(0)) : bordered(i);
}

bool ChainShape::needs_flag() const {
    for (int i = 0; i <= last(); i++) {
        if (reads_zeros(i)) return true;
    }
    return false;
}

bool ChainShape::exceeds_width(int i) const {
    for (int later = i + 1; later <= last(); later++) {
        if (bordered(later)) return true;
    }
    return false;
}

bool ChainShape::exceeds_height(int i) const {
    return i == ring();
}

// ---- extents

namespace {

// What these outputs read, padding included.
Range needed(const Axis &axis, Range outputs) {
    return {outputs.first * axis.stride - axis.pad_before,
            (outputs.end - 1) * axis.stride - axis.pad_before + axis.effective_kernel()};
}

Range within(Range range, int64_t extent) {
    return {std::clamp<int64_t>(range.first, 0, extent - 1), std::clamp<int64_t>(range.end, 1, extent)};
}

}  // namespace

int64_t ChainShape::strip_extent(int i) const {
    if (i < ring()) return 1;
    int64_t extent = rows();
    for (int later = last(); later > i; later--) {
        const Axis axis = stage_axis(stage(later), strip_axis());
        extent = input_span(axis, extent);
    }
    return extent;
}

Range ChainShape::strip_columns(int i) const {
    Range range{0, extent_along(request_.group.output(), view_width)};
    for (int later = last(); later > i; later--) {
        range = needed(stage_axis(stage(later), view_width), range);
        if (guarded(later)) range = within(range, extent_along(stage(later - 1).output, view_width));
    }
    return range;
}

Range ChainShape::strip_height(int i) const {
    Range range{0, extent_along(request_.group.output(), view_height)};
    for (int later = last(); later > i; later--) {
        range = within(needed(stage_axis(stage(later), view_height), range),
                       extent_along(stage(later - 1).output, view_height));
    }
    return range;
}

int64_t ChainShape::strip_bytes(int i) const {
    const int64_t pixels = strip_extent(i) * (along_width() ? strip_height(i) : strip_columns(i)).size();
    return block_bytes(pixels * link(i).groups * stored_channels(i));
}

int64_t ChainShape::copy_extent() const {
    const Axis axis = stage_axis(stage(0), strip_axis());
    return input_span(axis, strip_extent(0));
}

int64_t ChainShape::copy_bytes() const {
    if (!copies_input()) return 0;
    const ViewAxis across = along_width() ? view_height : view_width;
    const Range outputs = along_width() ? strip_height(0) : strip_columns(0);
    return block_bytes(copy_extent() * needed(stage_axis(stage(0), across), outputs).size() *
                       stage_axis(stage(0), view_depth).effective_kernel() * stage(0).in_channels);
}

int64_t ChainShape::cache_bytes() const {
    int64_t bytes = copy_bytes();
    for (int i = 0; i < last(); i++) bytes += strip_bytes(i);
    return bytes;
}

int64_t ChainShape::workspace_bytes() const {
    return std::min<int64_t>(tasks(), request_.target.tasks_at_once()) * cache_bytes();
}

// ---- work

namespace {

// Multiply-adds of a link along one step of `axis`, over the whole batch.
double work_of_step(const Stage &stage, ViewAxis axis) {
    const auto outputs = static_cast<double>(stage.output.elements().value_or(0));
    const int64_t taps_of_output = stage.in_channels / stage.groups * stage.kernel_volume();
    const auto taps = static_cast<double>(taps_of_output);
    return outputs * taps / static_cast<double>(extent_along(stage.output, axis));
}

}  // namespace

// Rows of the ring in the padding take no work.
double ChainShape::rows_work(Range part) const {
    double work = 0;
    Range range = part;
    for (int i = last(); i >= 0; i--) {
        work += static_cast<double>(range.size()) * work_of_step(stage(i), view_height);
        if (i == 0) break;
        range =
            within(needed(stage_axis(stage(i), view_height), range), extent_along(stage(i - 1).output, view_height));
    }
    return work;
}

// Strips are of one size, the last of a part shifted inwards.
double ChainShape::columns_work(Range part) const {
    const auto strips = static_cast<double>(divided_up(part.size(), rows()));
    double work = 0;
    for (int i = 0; i <= last(); i++) {
        work += strips * static_cast<double>(strip_extent(i)) * work_of_step(stage(i), view_width);
    }
    return work;
}

double ChainShape::thread_work() const {
    const TensorType &output = request_.group.output();
    const int64_t extent = extent_along(output, strip_axis());
    double slowest = 0;
    for (int64_t at = 0; at < extent; at += piece()) {
        const int64_t first = std::min(at, extent - piece());
        const Range part{first, first + piece()};
        slowest = std::max(slowest, along_width() ? columns_work(part) : rows_work(part));
    }
    const int64_t rounds = divided_up(tasks(), planned_threads(request_.target));
    return slowest / static_cast<double>(output.batch) * static_cast<double>(rounds);
}

double ChainShape::repeated_work() const {
    const TensorType &output = request_.group.output();
    const auto pieces = static_cast<double>(divided_up(tasks(), planned_threads(request_.target)) * piece());
    const auto all = static_cast<double>(output.batch * extent_along(output, strip_axis()));
    return thread_work() - chain_work(request_.group) * pieces / all;
}

double stage_work(const Stage &stage) {
    return work_of_step(stage, view_height) * static_cast<double>(extent_along(stage.output, view_height));
}

double chain_work(const StageGroup &group) {
    double work = 0;
    for (const ChainLink &link : chain_links(group)) work += stage_work(group.stage(link.stage));
    return work;
}

int64_t intermediate_bytes(const StageGroup &group) {
    int64_t elements = 0;
    for (const ChainLink &link : chain_links(group)) {
        if (link.stage != group.count - 1) elements += group.stage(link.stage).output.elements().value_or(0);
    }
    return elements * static_cast<int64_t>(sizeof(float));
}

namespace {

// What a stage that pads copies of its input when it is computed alone, if all its tasks run at once.
int64_t padded_input_bytes(const Stage &stage, const TensorType &input) {
    if (!has_padding(stage) || (is_depthwise(stage) && pads_with_zeros(stage))) return 0;
    int64_t elements = input.batch * input.channels;
    for (ViewAxis axis : {view_width, view_height, view_depth}) {
        const Axis geometry = stage_axis(stage, axis);
        elements *= input_span(geometry, extent_along(stage.output, axis));
    }
    return block_bytes(elements);
}

}  // namespace

// As compiler/codegen lays memory out: two intermediates are alive at a time and take turns in two places, each with
// room for a vector behind it, and the kernels take turns in the rest.
int64_t sequence_workspace_bytes(const StageGroup &group) {
    constexpr int64_t alignment = 64;
    const std::vector<ChainLink> links = chain_links(group);
    int64_t places[2] = {0, 0}, copies = 0;
    for (size_t i = 0; i < links.size(); i++) {
        const Stage &stage = group.stage(links[i].stage);
        const TensorType &input = i == 0 ? group.input() : group.stage(links[i - 1].stage).output;
        copies = std::max(copies, padded_input_bytes(stage, input));
        if (i + 1 == links.size()) break;
        const int64_t bytes = stage.output.elements().value_or(0) * static_cast<int64_t>(sizeof(float));
        places[i % 2] = std::max(places[i % 2], divided_up(bytes, alignment) * alignment + alignment);
    }
    return places[0] + places[1] + copies;
}

}  // namespace convc
