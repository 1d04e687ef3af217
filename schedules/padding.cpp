#include "schedules/padding.h"

#include <algorithm>
#include <numeric>

#include "schedules/single_stage.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::Var;

// The input beyond `bounds`, which are undefined for axes without padding.
Func extended(const Func &input, const Stage &stage, const Halide::Region &bounds) {
    namespace border = Halide::BoundaryConditions;
    switch (stage.pad_mode) {
        case PadMode::zeros:
            break;
        case PadMode::reflect:
            return border::mirror_interior(input, bounds);
        case PadMode::replicate:
            return border::repeat_edge(input, bounds);
        case PadMode::circular:
            return border::repeat_image(input, bounds);
        case PadMode::constant:
            return border::constant_exterior(input, static_cast<float>(stage.pad_value), bounds);
    }
    return border::constant_exterior(input, 0.0f, bounds);
}

// The loops of a strip whose channels lie side by side. Pixels of few channels that lie side by side too are copied
// as one long row: 3 x 229 numbers take 15 vectors of 48, not 687 numbers (3 % of 7x7 stride 2 at 224 x 224).
void vectorize_pixels(Func padded, int lanes, const View &input) {
    constexpr int longest = 64;
    const Var channel = padded.args()[view_channel], element("element");
    const int channels = static_cast<int>(input[view_channel].extent), whole_pixels = std::lcm(lanes, channels);
    int vector = lanes;
    while (channels % vector != 0) vector /= 2;
    if (vector < 4 && whole_pixels <= longest && input[view_width].stride == channels) {
        padded.fuse(channel, padded.args()[view_width], element);
        padded.vectorize(element, whole_pixels, Halide::TailStrategy::GuardWithIf);
    } else if (vector > 1) {
        padded.vectorize(channel, vector);
    }
}

}  // namespace

Expr within(const Expr &position, const Placement &placed) {
    return position >= placed.before && position < placed.before + placed.extent;
}

Expr reaches_input(const Expr &first, int span, const Placement &placed) {
    const auto bits = [](const Expr &value) { return Halide::cast<uint32_t>(value); };
    return bits(first) + bits(span) - bits(placed.before) < bits(placed.extent) + bits(span);
}

Expr first_of_tile(const Expr &x, int columns, const Expr &tap, const Axis &axis) {
    return x / columns * columns * static_cast<int>(axis.stride) + tap * static_cast<int>(axis.dilation);
}

// As same_padding() in layer_sizes.h.
Expr padding_before(const Axis &axis, const Expr &extent) {
    if (!axis.same_at_run_time) return static_cast<int>(axis.pad_before);
    const int stride = static_cast<int>(axis.stride);
    const Expr last = (extent - 1) / stride * stride;
    return Halide::max(last + static_cast<int>(axis.effective_kernel()) - extent, 0) / 2;
}

Func with_border(Func input, const Stage &stage, const Placements &placements) {
    const Halide::Region nowhere(6, Halide::Range{Expr(), Expr()});
    Halide::Region padded = nowhere, overrun = nowhere;
    for (size_t i = 0; i < placements.size(); i++) {
        const Placement &placement = placements[i];
        if (placement.padded) padded[view_width + i] = {0, placement.extent};
        if (placement.tiled && !placement.padded) overrun[view_width + i] = {0, placement.extent};
    }
    // What a tile reads past the end of an axis without padding is not stored, but it must not be loaded from there.
    const Func inside = placements[0].tiled ? Halide::BoundaryConditions::repeat_edge(input, overrun) : input;
    const Func exterior = extended(inside, stage, padded);
    Var c("c"), g("g"), x("x"), y("y"), z("z"), n("n");
    Func bordered("bordered");
    bordered(c, g, x, y, z, n) =
        exterior(c, g, x - placements[0].before, y - placements[1].before, z - placements[2].before, n);
    return bordered;
}

Func in_place(const Func &input, const Placements &placements) {
    const auto clamped = [](const Expr &at, const Placement &placed) {
        return placed.padded ? Halide::clamp(at - placed.before, 0, placed.extent - 1) : at;
    };
    Var c("c"), g("g"), x("x"), y("y"), z("z"), n("n");
    const Expr column = placements[0].padded ? clamped(Halide::likely(x), placements[0]) : Expr(x);
    Func inside("inside");
    inside(c, g, x, y, z, n) = input(c, g, column, clamped(y, placements[1]), clamped(z, placements[2]), n);
    return inside;
}

bool may_fill_border(const Stage &stage) {
    return stage.pad_mode == PadMode::zeros || stage.pad_mode == PadMode::constant;
}

Stage without_border_rows(Stage stage) {
    if (stage.axes.size() < 2) return stage;
    Axis &height = stage.axes[stage.axes.size() - 2];
    height.pad_before = height.pad_after = 0;
    return stage;
}

FilledPlane with_filled_border(const Func &input, const Stage &stage, const Placements &placements, const View &view,
                               const std::array<int, 3> &read) {
    const auto width = static_cast<int>(view[view_width].extent), height = static_cast<int>(view[view_height].extent);
    const auto before = [&](ViewAxis axis) { return static_cast<int>(stage_axis(stage, axis).pad_before); };
    const Expr border = stage.pad_mode == PadMode::zeros ? 0.0f : static_cast<float>(stage.pad_value);
    Var c("c"), g("g"), x("x"), y("y"), z("z"), n("n"), at("at");
    Expr inside = Halide::Internal::const_true(), plane = z;
    if (placements[2].padded) {
        inside = within(z, placements[2]);
        plane = Halide::clamp(z - placements[2].before, 0, placements[2].extent - 1);
    }
    FilledPlane filled;
    filled.read = read;
    const int between = std::max(before(view_width), static_cast<int>(stage_axis(stage, view_width).pad_after));
    filled.pitch = width + between;
    const int first = before(view_height) * filled.pitch + before(view_width), end = first + height * filled.pitch;
    filled.extent = std::max((read[1] - 1) * filled.pitch + read[0], end);  // strides may leave out the last rows
    // Vectors of a row's end reach into the next row of the input, from which nothing is taken; the last row has none.
    const Halide::RDom above(0, first, "above"), below(end - between, filled.extent - end + between, "below");
    const Halide::RDom row(0, filled.pitch, 0, height - 1, "row"), last(0, width, height - 1, 1, "last");
    const Expr column = between <= width ? Expr(row[0]) : Halide::min(row[0], width - 1);
    const auto place = [&](const Halide::RDom &at_row) { return first + at_row[1] * filled.pitch + at_row[0]; };
    filled.pixels(c, g, at, z, n) = Halide::undef<float>();
    if (first > 0) filled.pixels(c, g, above, z, n) = border;
    if (height > 1) {
        const Expr in_row = inside && row[0] < width;
        filled.pixels(c, g, place(row), z, n) = Halide::select(in_row, input(c, g, column, row[1], plane, n), border);
    }
    filled.pixels(c, g, place(last), z, n) = Halide::select(inside, input(c, g, last[0], last[1], plane, n), border);
    if (filled.extent > end - between) filled.pixels(c, g, below, z, n) = border;
    filled.bordered(c, g, x, y, z, n) = filled.pixels(c, g, y * filled.pitch + x, z, n);
    return filled;
}

void schedule_filled_plane(FilledPlane &filled, const Func &consumer, const Var &loop, int channels, int lanes) {
    Func pixels = filled.pixels;
    const Var channel = pixels.args()[0], at = pixels.args()[2], depth = pixels.args()[3];
    pixels.compute_at(consumer, loop).store_in(Halide::MemoryType::Heap);
    pixels.reorder_storage(at, depth, channel, pixels.args()[1], pixels.args()[4]).align_storage(at, lanes);
    pixels.bound(at, 0, filled.extent).bound(depth, 0, filled.read[2]);
    pixels.bound_extent(channel, channels).bound_extent(pixels.args()[1], 1).bound_extent(pixels.args()[4], 1);
    for (int i = 0; i < pixels.num_update_definitions(); i++) {
        Halide::Stage part = pixels.update(i);
        const std::vector<Halide::RVar> rvars = pixels.rvars(i);
        const Halide::RVar outer("outer"), inner("inner");
        part.allow_race_conditions();  // pixels of a row lie side by side, which Halide does not prove
        part.split(rvars[0], outer, inner, lanes, Halide::TailStrategy::GuardWithIf);
        std::vector<Halide::VarOrRVar> order{inner, outer};
        if (rvars.size() > 1) order.emplace_back(rvars[1]);
        order.insert(order.end(), {depth, channel});
        part.reorder(order).vectorize(inner);
    }
}

void schedule_strip(Func padded, Func consumer, const Var &task, int lanes, const View &input) {
    const std::vector<Var> args = padded.args();
    padded.compute_at(consumer, task).store_in(Halide::MemoryType::Heap);
    // Vectors along whatever lies densely in memory; the widest that divides the channels, so that no tail is needed.
    // Of numbers that lie apart Halide 21 loads whole vectors, some from before the first of them or behind the last.
    const ViewDimension &channel = input[view_channel], &column = input[view_width];
    if (channel.stride == 1 && channel.extent > 1) {
        vectorize_pixels(padded, lanes, input);
    } else if (channel.extent == 1 || column.stride == 1) {
        padded.reorder_storage(args[view_width], args[view_height], args[view_depth], args[view_channel],
                               args[view_group], args[view_batch]);
        padded.reorder(args[view_width], args[view_height], args[view_depth], args[view_channel]);
        if (column.stride == 1) padded.vectorize(args[view_width], lanes, Halide::TailStrategy::GuardWithIf);
    }
}

void schedule_tile_strip(Func bordered, Func consumer, const Var &task, int lanes, const View &input,
                         const Stage &stage, int columns, int rows) {
    schedule_strip(bordered, std::move(consumer), task, lanes, input);
    const std::vector<Var> args = bordered.args();
    const std::array<int, 3> tile{columns, rows, 1};
    for (size_t i = 0; i < tile.size(); i++) {
        const Axis axis = stage_axis(stage, static_cast<ViewAxis>(view_width + i));
        bordered.bound_extent(args[view_width + i], static_cast<int>(input_span(axis, tile[i])));
    }
    bordered.bound_extent(args[view_group], 1).bound_extent(args[view_batch], 1);
}

std::vector<Expr> raw_taps(const Stage &stage, const std::vector<Expr> &taps) {
    std::vector<Expr> where;
    for (size_t i = 0; i < stage.axes.size(); i++) {
        const auto kernel = static_cast<int>(stage_axis(stage, static_cast<ViewAxis>(view_width + i)).kernel);
        where.push_back(stage.flip ? kernel - 1 - taps[i] : taps[i]);
    }
    return where;
}

std::vector<Expr> raw_weight(const Stage &stage, const std::vector<Expr> &taps, const Expr &group,
                             const Expr &input_of_group, const Expr &output_of_group) {
    const auto inputs = static_cast<int>(stage.in_channels / stage.groups),
               outputs = static_cast<int>(stage.out_channels / stage.groups);
    std::vector<Expr> where = raw_taps(stage, taps);
    if (stage.kind == StageKind::transposed) {
        where.insert(where.end(), {output_of_group, group * inputs + input_of_group});
    } else {
        where.insert(where.end(), {input_of_group, group * outputs + output_of_group});
    }
    return where;
}

}  // namespace convc
