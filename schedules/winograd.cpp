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
// Under dilation d an axis is d interleaved axes without, its phases: each has tiles of its own, whose outputs go to a
// buffer in the workspace and from there into their places.
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
#include "schedules/winograd_schedule.h"
#include "schedules/winograd_transform.h"

namespace convc {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RDom;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using winograd::channel_block;
using winograd::channel_tile;
using winograd::TiledAxis;
using winograd::Tiling;

Tiling tiling(const KernelRequest &request) {
    return {request.group, *request.schedule.knob("outputs")};
}

// Packed weights: channel in the tile, input channel, tap of depth, points of width and height, tile, group.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const Tiling tiles = tiling(request);
    const int64_t tile = channel_tile(request), channel_tiles = ceil_divided(group_channels(stage), tile);
    return single_stage_arguments(request.group, stage.groups,
                                  {tile, input_channels(stage), stage_axis(stage, view_depth).kernel, tiles.x.points(),
                                   tiles.y.points(), channel_tiles, stage.groups},
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
        const Placements placed = placements(true);
        source_ = with_border(x(), stage(), placed);
        transform_inputs();
        multiply(placed);
        transform_products();
        phases_(v_.c, v_.x, v_.y, qx_, qy_, v_.g, v_.z, v_.n) = output_in_tiles(v_.x, v_.y, qx_, qy_);
        const int dx = size(tiles().x.phases), dy = size(tiles().y.phases);
        const Expr value = has_phases() ? phases_(v_.c, v_.x / dx, v_.y / dy, v_.x % dx, v_.y % dy, v_.g, v_.z, v_.n)
                                        : output_in_tiles(v_.x, v_.y, 0, 0);
        Func y = output();
        y(v_.c, v_.g, v_.x, v_.y, v_.z, v_.n) = with_epilogues(value, v_);
    }

    void schedule() {
        const Var task("task");
        if (has_phases())
            schedule_phases(task);
        else
            schedule_output(task);
        schedule_outputs();
        schedule_products();
        schedule_inputs();
        schedule_source(task);
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }
    Tiling tiles() const { return tiling(request()); }
    int tile_channels() const { return size(channel_tile(request())); }
    bool has_phases() const { return tiles().phases() > 1; }
    // Whose loops run over blocks and tiles.
    Func consumer() { return has_phases() ? phases_ : output(); }
    int lanes_in() const { return size(channel_block(stage(), request().target)); }

    // At a position within a phase.
    Expr output_in_tiles(const Expr &x_at, const Expr &y_at, const Expr &qx, const Expr &qy) {
        const int wide = size(tiles().x.outputs), high = size(tiles().y.outputs);
        return outputs_(v_.c, x_at % wide, y_at % high, x_at / wide, y_at / high, qx, qy, v_.g, v_.z, v_.n);
    }

    void transform_inputs() {
        const TiledAxis ax = tiles().x, ay = tiles().y;
        std::vector<Expr> taps;
        taps.reserve(static_cast<size_t>(std::max(ax.points(), ay.points())));
        for (int i = 0; i < ax.points(); i++) {
            taps.push_back(source_(cb_ * lanes_in() + cl_, v_.g, (tx_ * size(ax.outputs) + i) * size(ax.phases) + qx_,
                                   (ty_ * size(ay.outputs) + py_) * size(ay.phases) + qy_, v_.z, v_.n));
        }
        along_rows_(cl_, px_, py_, tx_, ty_, cb_, qx_, qy_, v_.g, v_.z, v_.n) =
            Halide::mux(px_, WinogradTransform(ax.outputs, ax.taps).of_inputs(taps));
        taps.clear();
        for (int i = 0; i < ay.points(); i++) {
            taps.push_back(along_rows_(cl_, px_, i, tx_, ty_, cb_, qx_, qy_, v_.g, v_.z, v_.n));
        }
        inputs_(cl_, px_, py_, tx_, ty_, cb_, qx_, qy_, v_.g, v_.z, v_.n) =
            Halide::mux(py_, WinogradTransform(ay.outputs, ay.taps).of_inputs(taps));
    }

    void multiply(const Placements &placed) {
        const Axis az = stage_axis(stage(), view_depth);
        r_ = RDom(0, lanes_in(), 0, size(input_channels(stage())) / lanes_in(), 0, size(az.kernel), "r");
        const Expr z_at = under_tap(v_.z, r_[2], az);
        if (placed[2].padded && pads_with_zeros(stage())) r_.where(reaches_input(z_at, 0, placed[2]));
        Func weights = parameter(Parameter::Role::weight);
        const std::vector<Expr> at{k_, px_, py_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n};
        sum_(at) = 0.0f;
        sum_(at) +=
            weights(k_ % tile_channels(), r_[1] * lanes_in() + r_[0], r_[2], px_, py_, k_ / tile_channels(), v_.g) *
            inputs_(r_[0], px_, py_, tx_, ty_, r_[1], qx_, qy_, v_.g, z_at, v_.n);
        products_(at) = sum_(at);
    }

    void transform_products() {
        const TiledAxis ax = tiles().x, ay = tiles().y;
        std::vector<Expr> products;
        products.reserve(static_cast<size_t>(std::max(ax.points(), ay.points())));
        for (int i = 0; i < ax.points(); i++) {
            products.push_back(products_(k_, i, py_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n));
        }
        along_width_(k_, ix_, py_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n) =
            Halide::mux(ix_, WinogradTransform(ax.outputs, ax.taps).of_products(products));
        products.clear();
        for (int i = 0; i < ay.points(); i++) {
            products.push_back(along_width_(k_, ix_, i, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n));
        }
        outputs_(k_, ix_, iy_, tx_, ty_, qx_, qy_, v_.g, v_.z, v_.n) =
            Halide::mux(iy_, WinogradTransform(ay.outputs, ay.taps).of_products(products));
    }

    static void bind(Func func, const std::vector<std::pair<Var, int>> &extents) {
        for (const auto &[var, extent] : extents) func.bound_extent(var, extent);
    }

    void bind_singles(const Func &func) const { bind(func, {{qx_, 1}, {qy_, 1}, {v_.g, 1}, {v_.z, 1}, {v_.n, 1}}); }

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
        const int blocks = size(blocks_along(axis));
        y.split(along, part, along, (blocks + parts - 1) / parts, TailStrategy::GuardWithIf);
        const int channel_tiles = (channels + whole - 1) / whole;
        y.split(co_, cp, co_, channel_tiles / channel_parts);
        y.reorder({cl, ix, iy, cv_, tx, ty, co_, bx, by, v_.z, part, cp, v_.g, v_.n});
        y.vectorize(cl).unroll(ix).unroll(iy);
        fuse_all(y, {part, cp, v_.g, v_.n}, task);
        y.parallel(task).never_partition_all();
        block_ = bx;
    }

    // Tasks are shares of the channels; each fills all phases before it puts them into their places.
    void schedule_phases(const Var &task) {
        const View view = arguments().back().view;
        Func y = output();
        const Var cl("cl"), cp("cp");
        const int channels = size(view[view_channel].extent), whole = tile_channels();
        const int part_tiles = (channels + whole - 1) / whole / channel_parts;
        const bool whole_vectors = channels % lanes() == 0;
        y.split(v_.c, v_.c, cl, lanes(), whole_vectors ? TailStrategy::RoundUp : TailStrategy::PredicateStores);
        y.split(v_.c, cp, v_.c, vectors * part_tiles, TailStrategy::GuardWithIf);
        y.reorder({cl, v_.c, v_.x, v_.y, v_.z, cp, v_.g, v_.n}).vectorize(cl);
        fuse_all(y, {cp, v_.g, v_.n}, task);
        y.parallel(task).never_partition_all();

        const TiledAxis ax = tiles().x, ay = tiles().y;
        const Var ix("ix"), iy("iy"), tx("tx"), ty("ty"), bx("bx"), by("by");
        phases_.compute_at(y, task).store_in(Halide::MemoryType::Heap);
        bind(phases_, {{v_.c, whole * part_tiles},
                       {v_.x, size(blocks_along(view_width) * across * ax.outputs)},
                       {v_.y, size(blocks_along(view_height) * down * ay.outputs)},
                       {qx_, size(ax.phases)},
                       {qy_, size(ay.phases)}});
        bind(phases_, {{v_.g, 1}, {v_.z, 1}, {v_.n, 1}});
        phases_.split(v_.c, co_, cv_, whole).split(cv_, cv_, cl, lanes());
        phases_.split(v_.x, tx, ix, size(ax.outputs)).split(tx, bx, tx, across);
        phases_.split(v_.y, ty, iy, size(ay.outputs)).split(ty, by, ty, down);
        phases_.reorder({cl, ix, iy, cv_, tx, ty, co_, bx, by, qx_, qy_}).vectorize(cl).unroll(ix).unroll(iy);
        block_ = bx;
    }

    int64_t blocks_along(ViewAxis axis) const {
        if (axis == view_width) return ceil_divided(tiles().x.tiles(), across);
        if (axis == view_height) return ceil_divided(tiles().y.tiles(), down);
        return grouped_output(request().group)[axis].extent;
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
        products_.reorder({k_, txi, tyi, txo, tyo, px_, py_});
        products_.vectorize(k_, lanes()).unroll(k_).unroll(txi).unroll(tyi);
        sum_.compute_at(products_, txo);
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
        along_rows_.compute_at(inputs_, tx_).vectorize(cl_).unroll(px_).unroll(py_);
        bind(along_rows_, {{cl_, lanes_in()}, {tx_, 1}, {ty_, 1}, {cb_, 1}});
        bind_singles(along_rows_);
    }

    // Whatever the layout, channels of the strip lie side by side: its transform runs along them.
    void schedule_source(const Var &task) {
        const std::vector<Var> args = source_.args();
        source_.compute_at(output(), task).store_in(Halide::MemoryType::Heap).vectorize(args[view_channel], lanes_in());
        const ViewAxis cut = parallel_axis(grouped_output(request().group));
        const auto tiles_of_part = [&](ViewAxis along, int in_block) {
            const int64_t blocks = blocks_along(along);
            return (along == cut ? ceil_divided(blocks, parts) : blocks) * in_block;
        };
        const int width = size(tiles().x.span(tiles_of_part(view_width, across)));
        const int height = size(tiles().y.span(tiles_of_part(view_height, down)));
        const int depth = size(input_span(stage_axis(stage(), view_depth), tiles_of_part(view_depth, 1)));
        bind(source_, {{args[view_width], width}, {args[view_height], height}, {args[view_depth], depth}});
        bind(source_,
             {{args[view_channel], size(input_channels(stage()))}, {args[view_group], 1}, {args[view_batch], 1}});
    }

    ActivationVars v_;
    // Lane and block of an input channel, output channel, point, output in its tile, tile.
    Var cl_{"cl"}, cb_{"cb"}, k_{"k"}, px_{"px"}, py_{"py"}, ix_{"ix"}, iy_{"iy"}, tx_{"tx"}, ty_{"ty"};
    Var qx_{"qx"}, qy_{"qy"};          // phase
    Var cv_{"cv"}, co_{"co"}, block_;  // loops of the output
    RDom r_;
    Func source_{"source"}, along_rows_{"along_rows"}, inputs_{"inputs"}, sum_{"sum"}, products_{"products"},
        along_width_{"along_width"}, outputs_{"outputs_of_tiles"}, phases_{"phases"};
};

// ---- weight packing

class WinogradPack : public PackGenerator<WinogradPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const Stage &s = stage();
        const Tiling t = tiling(request());
        const int tile = static_cast<int>(channel_tile(request())), channels = static_cast<int>(group_channels(s));
        Var c("c"), i("i"), kz("kz"), px("px"), py("py"), o("o"), g("g");
        const Expr channel = o * tile + c;
        Expr sum = Halide::cast<double>(0);
        for (int ky = 0; ky < t.y.taps; ky++) {
            for (int kx = 0; kx < t.x.taps; kx++) {
                std::vector<Expr> where = raw_taps(s, {kx, ky, kz});
                where.emplace_back(i);
                where.push_back(g * channels + Halide::min(channel, channels - 1));
                sum += factor(t.x, px, kx) * factor(t.y, py, ky) * Halide::cast<double>(raw(where));
            }
        }
        packed(c, i, kz, px, py, o, g) = Halide::select(channel < channels, Halide::cast<float>(sum), 0.0f);
    }

private:
    static Expr factor(const TiledAxis &axis, const Expr &point, int tap) {
        const std::vector<std::vector<double>> matrix = WinogradTransform(axis.outputs, axis.taps).filter_matrix();
        std::vector<Expr> column;
        column.reserve(matrix.size());
        for (const std::vector<double> &row : matrix) column.emplace_back(row[static_cast<size_t>(tap)]);
        return column.size() == 1 ? column[0] : Halide::mux(point, column);
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
            winograd::reluctance};
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::Winograd, winograd)
HALIDE_REGISTER_GENERATOR(convc::WinogradPack, winograd_pack)
