// winograd: convolution of stride 1 through fewer multiplications, by Winograd's minimal filtering along each axis with
// more than one tap (winograd_transform.h): F(4, 3) along both axes of a 3x3 kernel makes 36 products for 144.
//
// Idea. The output is cut into tiles of `outputs` along each such axis. The inputs of a tile, `outputs` + taps - 1, are
// transformed to as many points; the filters are transformed when they are packed; at each point a matrix product over
// input channels remains, of output channels x tiles; and the products are transformed back. A block of tiles goes
// through all of that at a time, so that what lies between stays in L2: the transformed inputs of the block, and the
// products of one tile of output channels.
//
// The product at a point is direct.cpp's loop: `vectors` of output channels x `columns` x `rows` tiles stay in
// registers. Transformed inputs lie as [point][channel / lanes][row][column][lane], so that its broadcasts walk through
// memory.
//
// A transposed convolution is one such convolution a stride phase, of a share of the taps (transposed.cpp): a 4x4
// kernel of stride 2 is four of 2x2. Where phases have fewer taps than others, the rest are zeros. Under dilation d an
// axis is d interleaved axes without; a block takes tiles of all of them, or small images under much dilation would
// leave it too few to read the weights for (3x3 d12 at 33 x 33: 144 phases of 3 x 3 outputs, a tile each). In both
// cases the outputs of a tile lie apart: they go to a buffer in the workspace and from there into their places.
//
// The input is read in place, its border left out as it is read, where vectors of channels lie side by side; else a
// task first copies its strip.
//
// Along an axis with one tap, or along depth, the sum is direct: over taps of depth inside the matrix product.
//
// The same pixel has to lie in the same place of the same tile whoever computes it, or its last bits would differ:
// parts are cut between blocks, and what tiles reach past the end is not stored, never shifted inwards.
#include <algorithm>

#include "schedules/algorithms.h"
#include "schedules/group_generator.h"
#include "schedules/padding.h"
#include "schedules/parallel_parts.h"
#include "schedules/single_stage.h"
#include "schedules/winograd_filter.h"
#include "schedules/winograd_schedule.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using winograd::channel_tile;
using winograd::TiledAxis;
using winograd::Tiling;

Tiling tiling(const KernelRequest &request) {
    return {request.group, *request.schedule.knob("outputs")};
}

// Packed weights: channel in the tile, input channel, tap of depth, points and phases of width and height, tile, group.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const Tiling tiles = tiling(request);
    const int64_t tile = channel_tile(request), channel_tiles = ceil_divided(group_channels(stage), tile);
    return single_stage_arguments(request.group, stage.groups,
                                  {tile, input_channels(stage), stage_axis(stage, view_depth).kernel, tiles.x.points(),
                                   tiles.y.points(), tiles.x.phases, tiles.y.phases, channel_tiles, stage.groups},
                                  tile * channel_tiles, false);
}

// ---- the kernel

class Winograd : public KernelGenerator<Winograd> {
public:
    GeneratorParam<int> outputs{"outputs", 2}, vectors{"vectors", 1}, columns{"columns", 1}, rows{"rows", 1};
    GeneratorParam<int> across{"across", 1}, down{"down", 1};
    GeneratorParam<int> parts{"parts", 1}, channel_parts{"channel_parts", 1}, unroll{"unroll", 1};

    void generate() {
        constrain_buffers();
        Placements placed = placements(true);
        for (const auto &[axis, tiled] : {std::pair(0, tiles().x), std::pair(1, tiles().y)}) {
            placed[static_cast<size_t>(axis)].before = size(tiled.before());
            if (tiled.transposed) placed[static_cast<size_t>(axis)].padded = true;
        }
        source_ = with_border(x(), stage(), placed);
        transform_inputs();
        multiply(placed[2]);
        transform_products();
        gathered_(v_.c, ix_, iy_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n) =
            outputs_(v_.c, ix_, iy_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n);
        const Place at_x = place(tiles().x, v_.x), at_y = place(tiles().y, v_.y);
        const Func tiled = scatters() ? gathered_ : outputs_;
        staged_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) =
            tiled(v_.c, at_x.in_tile, at_y.in_tile, at_x.tile, at_y.tile, at_x.phase, at_y.phase, v_.g, v_.z, v_.n);
        Func y = output();
        y(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = with_epilogues(staged_(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n), v_);
    }

    void schedule() {
        const Var task("task");
        if (scatters() || stages()) {
            const Var row = schedule_rows(task);
            if (stages()) schedule_staged(row);
            if (scatters()) schedule_gathered(row);
        } else {
            schedule_output(task);
        }
        schedule_outputs();
        schedule_products();
        schedule_inputs();
        if (copies_strip()) schedule_source(task);
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }
    Tiling tiles() const { return tiling(request()); }
    int tile_channels() const { return size(channel_tile(request())); }
    bool scatters() const { return tiles().scatters(); }
    bool channels_last() const { return arguments()[0].view[view_channel].stride == 1; }
    // Whether a task copies its input with the border around it: where channels lie apart, and where there are so few
    // that the border would be told apart for each number (3x3 of 3 channels at 224 x 224: 0.66 ms, not 1.15).
    bool copies_strip() const { return !channels_last() || lanes_in() < 4; }
    // Whether outputs are computed with channels side by side first, then put into their planes: vectors of channels
    // would be stored number by number, each into another line of the same few sets of L1 where planes lie so. (Blocks
    // of 4 pixels transposed in registers, 12 shuffles for 64 numbers, of the strip or of the outputs: 0.96 to 1.06 of
    // the time at 14 x 14 to 112 x 112. The planes are waited for, not the shuffles.)
    bool stages() const { return !channels_last() && pixel_vector() > 1; }
    // Whose loops run over blocks and tiles.
    Func consumer() { return scatters() ? gathered_ : stages() ? staged_ : output(); }
    int lanes_in() const { return size(channel_block(stage(), request().target)); }

    struct Place {
        Expr in_tile, tile, phase;
    };

    // Of an output of the layer along an axis.
    static Place place(const TiledAxis &axis, const Expr &at) {
        const int phases = size(axis.phases), rows = size(axis.interleaved), outputs = size(axis.outputs);
        const Expr in_row = at / phases / rows;
        return {in_row % outputs, in_row / outputs * rows + at / phases % rows, at % phases};
    }

    // The input, counted from the border's first, that comes as number i to a tile of a phase.
    static Expr input_at(const TiledAxis &axis, const Expr &tile, const Expr &phase, const Expr &i) {
        const int rows = size(axis.interleaved), outputs = size(axis.outputs);
        const Expr first = tile / rows * (outputs * rows) + tile % rows;
        const int phases = size(axis.phases), pad = size(axis.pad);
        return first + i * rows + (axis.transposed ? (phase + pad) / phases - pad / phases : 0);
    }

    void transform_inputs() {
        const TiledAxis ax = tiles().x, ay = tiles().y;
        const WinogradTransform wx = ax.transform(), wy = ay.transform();
        std::vector<Expr> elements;
        elements.reserve(static_cast<size_t>(std::max(wx.inputs(), wy.inputs())));
        for (int i = 0; i < wx.inputs(); i++) {
            elements.push_back(source_(cb_ * lanes_in() + cl_, v_.g, input_at(ax, tx_, qx_, i),
                                       input_at(ay, ty_, qy_, iy_), v_.z, v_.n));
        }
        along_rows_(cl_, px_, iy_, tx_, ty_, cb_, qx_, qy_, v_.g, v_.z, v_.n) =
            Halide::mux(px_, wx.of_inputs(elements));
        elements.clear();
        for (int i = 0; i < wy.inputs(); i++) {
            elements.push_back(along_rows_(cl_, px_, i, tx_, ty_, cb_, qx_, qy_, v_.g, v_.z, v_.n));
        }
        inputs_(cl_, px_, py_, tx_, ty_, cb_, qx_, qy_, v_.g, v_.z, v_.n) = Halide::mux(py_, wy.of_inputs(elements));
    }

    void multiply(const Placement &depth) {
        const Axis az = stage_axis(stage(), view_depth);
        const int blocks = size(input_channels(stage())) / lanes_in();
        const int blocks_of_sum = (blocks + partial_sums() - 1) / partial_sums();
        r_ = RDom(0, lanes_in(), 0, blocks_of_sum, 0, size(az.kernel), "r");
        const Expr z_at = under_tap(v_.z, r_[2], az);
        if (depth.padded && pads_with_zeros(stage())) r_.where(reaches_input(z_at, 0, depth));
        Func weights = parameter(Parameter::Role::weight);
        Expr block = r_[1];
        std::vector<Expr> at{k_, px_, py_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n};
        if (partial_sums() > 1) {
            at.push_back(part_);
            block += part_ * blocks_of_sum;
            if (blocks % partial_sums() != 0) r_.where(block < blocks);
        }
        sum_(at) = 0.0f;
        sum_(at) += weights(k_ % tile_channels(), block * lanes_in() + r_[0], r_[2], px_, py_, qx_, qy_,
                            k_ / tile_channels(), v_.g) *
                    inputs_(r_[0], px_, py_, tx_, ty_, block, qx_, qy_, v_.g, z_at, v_.n);
        products_(at) = sum_(at);
    }

    int partial_sums() const { return input_channels(stage()) > lanes_in() ? size(tiles().partial_sums()) : 1; }

    // The product at a point of the width: of all its sums over channels.
    Expr product(int px) {
        std::vector<Expr> at{k_, px, py_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n};
        if (partial_sums() == 1) return products_(at);
        at.emplace_back(0);
        Expr sum = products_(at);
        for (int part = 1; part < partial_sums(); part++) {
            at.back() = part;
            sum += products_(at);
        }
        return sum;
    }

    void transform_products() {
        const TiledAxis ax = tiles().x, ay = tiles().y;
        std::vector<Expr> products;
        products.reserve(static_cast<size_t>(std::max(ax.points(), ay.points())));
        for (int i = 0; i < ax.points(); i++) {
            products.push_back(product(i));
        }
        along_width_(k_, ix_, py_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n) =
            Halide::mux(ix_, ax.transform().of_products(products));
        products.clear();
        for (int i = 0; i < ay.points(); i++) {
            products.push_back(along_width_(k_, ix_, i, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n));
        }
        outputs_(k_, ix_, iy_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n) =
            Halide::mux(iy_, ay.transform().of_products(products));
    }

    static void bind(Func func, const std::vector<std::pair<Var, int>> &extents) {
        for (const auto &[var, extent] : extents) func.bound_extent(var, extent);
    }

    void bind_singles(const Func &func) const { bind(func, {{qx_, 1}, {qy_, 1}, {v_.g, 1}, {v_.z, 1}, {v_.n, 1}}); }

    std::vector<Var> tasks(const Var &part, const Var &channel_part) const {
        return task_loops({part, channel_part}, v_.g, v_.n, groups_share_lines(request().group));
    }

    void schedule_output(const Var &task) {
        const View view = arguments().back().view;
        Func y = output();
        const Var cl("cl"), cp("cp"), ix("ix"), iy("iy"), tx("tx"), ty("ty"), bx("bx"), by("by"), part("part");
        const int channels = size(view[view_channel].extent), whole = tile_channels();
        if (channels % whole == 0) {
            y.split(v_.c, co_, cv_, whole).split(cv_, cv_, cl, lanes());
        } else {
            const bool whole_vectors = channels % lanes() == 0;
            y.split(v_.c, cv_, cl, lanes(), whole_vectors ? TailStrategy::RoundUp : TailStrategy::PredicateStores);
            y.split(cv_, co_, cv_, vectors, TailStrategy::GuardWithIf);
        }
        y.split(v_.x, tx, ix, size(tiles().x.outputs), TailStrategy::GuardWithIf);
        y.split(tx, bx, tx, across, TailStrategy::GuardWithIf);
        y.split(v_.y, ty, iy, size(tiles().y.outputs), TailStrategy::GuardWithIf);
        y.split(ty, by, ty, down, TailStrategy::GuardWithIf);
        // The loop over parts cuts the outermost axis between its blocks.
        const ViewAxis axis = parallel_axis(view);
        const Var along = axis == view_width ? bx : axis == view_height ? by : v_.z;
        y.split(along, part, along, size(blocks_of_part(axis)), TailStrategy::GuardWithIf);
        const int channel_tiles = (channels + whole - 1) / whole;
        y.split(co_, cp, co_, channel_tiles / channel_parts);
        make_tasks(y, {cl, ix, iy, cv_, tx, ty, co_, bx, by, v_.z}, tasks(part, cp), task);
        y.vectorize(cl).unroll(ix).unroll(iy).never_partition_all();
        block_ = bx;
    }

    // The axis along which a task falls into rows of blocks, and what is cut into parts if the depth is not.
    ViewAxis row_axis() const { return arguments().back().view[view_height].extent > 1 ? view_height : view_width; }
    // Tiles of such a row; of a part where rows of tiles are interleaved.
    int64_t tiles_of_row() const {
        const bool along_width = row_axis() == view_width;
        const TiledAxis axis = along_width ? tiles().x : tiles().y;
        const int64_t block = along_width ? across : down;
        return axis.interleaved > 1 ? axis.tiles_of_part(block, parts_along(row_axis())) : block;
    }
    // The same in whole blocks, or all blocks of a part across rows.
    int blocks_of_row(ViewAxis axis, int block) const {
        return size(axis == row_axis() ? ceil_divided(tiles_of_row(), block) : blocks_of_part(axis));
    }
    int part_channels() const {
        const int64_t channel_tiles = ceil_divided(group_channels(stage()), tile_channels());
        return size(channel_tiles / channel_parts) * tile_channels();
    }

    // Pixels of a vector that the output is stored in, where channels lie apart; 1 where rows do not fall into vectors.
    int pixel_vector() const {
        const View view = arguments().back().view;
        int64_t vector = lanes();
        while (vector > view[view_width].extent) vector /= 2;
        const bool whole = view[view_width].extent % vector == 0 && tiles().x.outputs_of(tiles_of_row()) % vector == 0;
        return row_axis() == view_height || whole ? size(vector) : 1;
    }

    // The loops of an output whose tiles are computed a row of blocks at a time, of all phases, before they are put
    // into their places; returns the loop over rows.
    Var schedule_rows(const Var &task) {
        const View view = arguments().back().view;
        Func y = output();
        const Var cl("cl"), xl("xl"), cp("cp"), part("part"), row("row");
        const ViewAxis rows_along = row_axis(), cut = parallel_axis(view);
        const bool staged = stages();
        if (staged) {
            const int vector = pixel_vector();
            const bool whole = view[view_width].extent % vector == 0;
            y.split(v_.c, cp, v_.c, part_channels(), TailStrategy::GuardWithIf);
            y.split(v_.c, v_.c, cl, lanes(), TailStrategy::GuardWithIf);
            if (rows_along == view_height) {
                y.split(v_.x, v_.x, xl, vector, whole ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
            }
        } else {
            const bool whole_vectors = view[view_channel].extent % lanes() == 0;
            y.split(v_.c, v_.c, cl, lanes(), whole_vectors ? TailStrategy::RoundUp : TailStrategy::PredicateStores);
            y.split(v_.c, cp, v_.c, part_channels() / lanes(), TailStrategy::GuardWithIf);
        }
        const Var along = rows_along == view_width ? v_.x : v_.y;
        const TiledAxis axis = rows_along == view_width ? tiles().x : tiles().y;
        if (cut == view_depth) {
            y.split(v_.z, part, v_.z, size(blocks_of_part(view_depth)), TailStrategy::GuardWithIf);
        } else {
            const int64_t of_part = axis.tiles_of_part(cut == view_width ? across : down, parts);
            y.split(along, part, along, size(axis.outputs_of(of_part)), TailStrategy::GuardWithIf);
        }
        y.split(along, row, along, size(axis.outputs_of(tiles_of_row())), TailStrategy::GuardWithIf);
        if (staged && rows_along == view_width) y.split(v_.x, v_.x, xl, pixel_vector(), TailStrategy::RoundUp);
        std::vector<Halide::VarOrRVar> order{cl, v_.c, v_.x, v_.y, row, v_.z};
        if (staged) order = {xl, cl, v_.x, v_.c, v_.y, row, v_.z};
        make_tasks(y, order, tasks(part, cp), task);
        y.vectorize(staged ? xl : cl).never_partition_all();
        return row;
    }

    // A row of blocks, channels side by side.
    void schedule_staged(const Var &row) {
        const int wide = blocks_of_row(view_width, across) * across, high = blocks_of_row(view_height, down) * down;
        staged_.compute_at(output(), row).store_in(Halide::MemoryType::Heap);
        bind(staged_, {{v_.c, part_channels()},
                       {v_.x, size(tiles().x.outputs_of(wide))},
                       {v_.y, size(tiles().y.outputs_of(high))},
                       {v_.g, 1},
                       {v_.z, 1},
                       {v_.n, 1}});
        const Var cl("cl"), ix("ix"), iy("iy"), tx("tx"), ty("ty"), bx("bx"), by("by");
        if (scatters()) {
            staged_.vectorize(v_.c, lanes());
            return;
        }
        staged_.split(v_.c, co_, cv_, tile_channels()).split(cv_, cv_, cl, lanes());
        staged_.split(v_.x, tx, ix, size(tiles().x.outputs)).split(tx, bx, tx, across);
        staged_.split(v_.y, ty, iy, size(tiles().y.outputs)).split(ty, by, ty, down);
        staged_.reorder({cl, ix, iy, cv_, tx, ty, co_, bx, by}).vectorize(cl).unroll(ix).unroll(iy);
        staged_.never_partition_all();
        block_ = bx;
    }

    // A row of blocks, the outputs of a tile side by side.
    void schedule_gathered(const Var &row) {
        const Var cl("cl"), bx("bx"), by("by");
        gathered_.compute_at(output(), row).store_in(Halide::MemoryType::Heap);
        bind(gathered_, {{v_.c, part_channels()},
                         {ix_, size(tiles().x.outputs)},
                         {iy_, size(tiles().y.outputs)},
                         {tx_, blocks_of_row(view_width, across) * across},
                         {ty_, blocks_of_row(view_height, down) * down},
                         {qx_, size(tiles().x.phases)},
                         {qy_, size(tiles().y.phases)}});
        bind(gathered_, {{v_.g, 1}, {v_.z, 1}, {v_.n, 1}});
        gathered_.split(v_.c, co_, cv_, tile_channels()).split(cv_, cv_, cl, lanes());
        gathered_.split(tx_, bx, tx_, across).split(ty_, by, ty_, down);
        gathered_.reorder({cl, ix_, iy_, cv_, tx_, ty_, co_, bx, by, qx_, qy_});
        gathered_.vectorize(cl).unroll(ix_).unroll(iy_);
        block_ = bx;
    }

    int64_t parts_along(ViewAxis axis) const {
        return axis == parallel_axis(grouped_output(request().group)) ? int64_t{parts} : 1;
    }
    int64_t blocks_of_part(ViewAxis axis) const {
        if (axis == view_width) return tiles().x.blocks_of_part(across, parts_along(axis));
        if (axis == view_height) return tiles().y.blocks_of_part(down, parts_along(axis));
        return ceil_divided(grouped_output(request().group)[axis].extent, parts_along(axis));
    }

    void schedule_outputs() {
        for (Func func : {outputs_, along_width_}) {
            func.compute_at(consumer(), cv_).vectorize(k_, lanes());
            func.unroll(func.args()[1]).unroll(func.args()[2]);
            bind(func, {{k_, lanes()}, {tx_, 1}, {ty_, 1}});
            bind_singles(func);
        }
    }

    void schedule_products() {
        const Var txo("txo"), txi("txi"), tyo("tyo"), tyi("tyi");
        products_.compute_at(consumer(), co_).store_in(Halide::MemoryType::Heap);
        bind(products_, {{k_, tile_channels()}, {tx_, across}, {ty_, down}});
        bind_singles(products_);
        products_.split(tx_, txo, txi, columns).split(ty_, tyo, tyi, rows);
        const bool whole_sums = partial_sums() == 1;
        if (whole_sums) {
            products_.reorder({k_, txi, tyi, txo, tyo, px_, py_});
        } else {
            products_.bound_extent(part_, partial_sums()).reorder({k_, txi, tyi, part_, txo, tyo, px_, py_});
            sum_.bound_extent(part_, 1);
        }
        products_.vectorize(k_, lanes()).unroll(k_).unroll(txi).unroll(tyi);
        sum_.compute_at(products_, whole_sums ? txo : part_);
        bind(sum_, {{k_, tile_channels()}, {tx_, columns}, {ty_, rows}});
        bind_singles(sum_);
        sum_.vectorize(k_, lanes()).unroll(k_).unroll(tx_).unroll(ty_);
        const RVar ro("ro"), ri("ri");
        sum_.update()
            .split(r_[0], ro, ri, unroll)
            .reorder({k_, tx_, ty_, ri, ro, r_[1], r_[2]})
            .vectorize(k_, lanes())
            .unroll(k_)
            .unroll(tx_)
            .unroll(ty_)
            .unroll(ri);
    }

    void schedule_inputs() {
        const int blocks = size(input_channels(stage())) / lanes_in();
        inputs_.compute_at(consumer(), block_).store_in(Halide::MemoryType::Heap);
        bind(inputs_, {{cl_, lanes_in()}, {tx_, across}, {ty_, down}, {cb_, blocks}});
        bind(inputs_, {{qx_, 1}, {qy_, 1}, {v_.g, 1}, {v_.n, 1}});
        inputs_.reorder_storage({cl_, tx_, ty_, cb_, px_, py_});
        inputs_.vectorize(cl_).unroll(px_).unroll(py_);
        along_rows_.compute_at(inputs_, tx_).vectorize(cl_).unroll(px_).unroll(iy_);
        bind(along_rows_, {{cl_, lanes_in()}, {tx_, 1}, {ty_, 1}, {cb_, 1}});
        bind_singles(along_rows_);
    }

    // Whatever the layout, channels of the strip lie side by side: its transform runs along them.
    void schedule_source(const Var &task) {
        const std::vector<Var> args = source_.args();
        const int width = size(tiles().x.span(blocks_of_part(view_width) * across));
        const int height = size(tiles().y.span(blocks_of_part(view_height) * down));
        const int depth = size(input_span(stage_axis(stage(), view_depth), blocks_of_part(view_depth)));
        bind(source_, {{args[view_width], width}, {args[view_height], height}, {args[view_depth], depth}});
        bind(source_,
             {{args[view_channel], size(input_channels(stage()))}, {args[view_group], 1}, {args[view_batch], 1}});
        const View input = with_channels(arguments()[0].view, input_channels(stage()));
        if (channels_last()) return schedule_strip(source_, output(), task, lanes(), input);
        // Planes may lie so that all channels of a pixel fall into one set of L1, of 8 ways: 8 channels of 16 pixels,
        // which share their cache lines, at a time.
        source_.compute_at(output(), task).store_in(Halide::MemoryType::Heap);
        const int channels = std::min(lanes_in(), 8);
        const Var line("line"), block("block");
        source_.split(args[view_channel], block, args[view_channel], channels);
        source_.split(args[view_width], line, args[view_width], 16, TailStrategy::GuardWithIf);
        source_.reorder(args[view_channel], args[view_width], block, line).vectorize(args[view_channel]);
    }

    ActivationVars v_;
    // Lane and block of an input channel, output channel, point, output in its tile, tile.
    Var cl_{"cl"}, cb_{"cb"}, k_{"k"}, px_{"px"}, py_{"py"}, ix_{"ix"}, iy_{"iy"}, tx_{"tx"}, ty_{"ty"};
    Var qx_{"qx"}, qy_{"qy"};          // stride phase
    Var part_{"part_of_sum"};          // of partial_sums()
    Var cv_{"cv"}, co_{"co"}, block_;  // loops of the output
    RDom r_;
    Func source_{"source"}, along_rows_{"along_rows"}, inputs_{"inputs"}, sum_{"sum"}, products_{"products"},
        along_width_{"along_width"}, outputs_{"outputs_of_tiles"}, gathered_{"gathered"}, staged_{"staged"};
};

// ---- weight packing

class WinogradPack : public PackGenerator<WinogradPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const int tile = static_cast<int>(channel_tile(request())),
                  channels = static_cast<int>(group_channels(stage()));
        Var c("c"), i("i"), kz("kz"), px("px"), py("py"), qx("qx"), qy("qy"), o("o"), g("g");
        const Expr channel = o * tile + c, stored = Halide::min(channel, channels - 1);
        const Expr weight =
            winograd::transformed_weight(raw, stage(), tiling(request()), {px, py, qx, qy, kz, g, i, stored});
        packed(c, i, kz, px, py, qx, qy, o, g) = Halide::select(channel < channels, weight, 0.0f);
    }
};

}  // namespace

Algorithm winograd_algorithm() {
    return {"winograd",
            "fewer multiplications, through Winograd's transforms of tiles",
            winograd::refusal,
            winograd::knobs,
            winograd::conflict,
            winograd::default_schedule,
            arguments,
            nullptr,
            1,
            winograd::reluctance,
            winograd::time,
            winograd::worthwhile,
            winograd::cycles};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Winograd, winograd)
HALIDE_REGISTER_GENERATOR(convc::WinogradPack, winograd_pack)
