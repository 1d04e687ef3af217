// gpu_winograd: convolution of stride 1 on a GPU through fewer multiplications, by Winograd's minimal filtering
// (winograd_transform.h), in three kernels.
//
// Idea. As in winograd.cpp, the output is cut into tiles, whose inputs are transformed to points; at each point a
// matrix product over input channels remains, of output channels x tiles; and the products are transformed back. Here
// each step is a kernel over all tiles (the "non-fused" form of Lavin & Gray, "Fast Algorithms for Convolutional Neural
// Networks", arXiv 1509.09308), and what lies between them is in device memory: for one image, L2. One kernel for all
// would keep its sums at every point in shared memory, 16 or 36 times those of a direct sum, and read the weights again
// for each few tiles.
//
// The transforms: a thread has one channel of one tile, all of it in registers; neighbours have neighbouring channels.
//
// The products at a point are a 1x1, computed as gpu_tiled.cpp does: a sum over chunks of input channels, the chunk's
// inputs staged in shared memory, weights through L1. Taps of depth are more chunks.
//
// It is the default where the model says so (reluctance()). On an H100, of gpu_tiled's best time: 3x3 of 512 channels
// at 7 x 7 0.6, 256 at 14 x 14 0.76, 64 at 112 x 112 0.74, 3x3x3 0.4; 1x7 and 1x3 1.4 and 1.1, which gpu_tiled keeps.
#include <algorithm>

#include "schedules/algorithms.h"
#include "schedules/gpu_chunks.h"
#include "schedules/gpu_winograd_schedule.h"
#include "schedules/group_generator.h"
#include "schedules/single_stage.h"
#include "schedules/winograd_filter.h"

namespace convc {
namespace {

using gpu_winograd::Tile;
using Halide::Expr;
using Halide::Func;
using Halide::MemoryType;
using Halide::RDom;
using Halide::Var;
using winograd::TiledAxis;

// Packed weights: channel in the group, padded to whole blocks, group, input channel, tap of depth, points.
std::vector<KernelArgument> arguments(const KernelRequest &request) {
    const Stage &stage = request.group.stage(0);
    const Tile tile(request);
    const int64_t channels = gpu_winograd::products_view(request.group, tile)[view_channel].extent;
    return single_stage_arguments(request.group, stage.groups,
                                  {channels, stage.groups, input_channels(stage), tile.depth.kernel,
                                   tile.tiles.x.points(), tile.tiles.y.points()},
                                  channels, false);
}

// ---- the kernel

class GpuWinograd : public KernelGenerator<GpuWinograd> {
public:
    GeneratorParam<int> outputs{"outputs", 2}, columns{"columns", 1}, channel_threads{"channel_threads", 1},
        column_threads{"column_threads", 1}, row_threads{"row_threads", 1}, chunk{"chunk", 1}, split{"split", 1};

    void generate() {
        constrain_buffers();
        tile_.emplace(request());
        transform_inputs();
        multiply();
        transform_products();
    }

    void schedule() {
        schedule_inputs();
        schedule_products();
        schedule_output();
    }

private:
    static int size(int64_t value) { return static_cast<int>(value); }
    const TiledAxis &along_x() const { return tile_->tiles.x; }
    const TiledAxis &along_y() const { return tile_->tiles.y; }

    // Indices of a tile: v_, in which x and y count tiles, and more behind them.
    std::vector<Var> vars_with(const std::vector<Var> &more) const {
        std::vector<Var> all = v_.vars();
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    std::vector<Expr> with(const std::vector<Expr> &more) const {
        std::vector<Expr> all = v_.exprs();
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    // ---- the sum

    void transform_inputs() {
        Placements placed = placements(true);
        placed[0].before = size(along_x().before());
        placed[1].before = size(along_y().before());
        const Func source = with_border(x(), stage(), placed);
        const WinogradTransform wx = along_x().transform(), wy = along_y().transform();
        std::vector<Expr> elements;
        elements.reserve(static_cast<size_t>(std::max(wx.inputs(), wy.inputs())));
        for (int i = 0; i < wx.inputs(); i++) {
            elements.push_back(source(v_.c, v_.g, v_.x * size(along_x().outputs) + i,
                                      v_.y * size(along_y().outputs) + iy_, v_.z, v_.n));
        }
        input_rows_(vars_with({px_, iy_})) = Halide::mux(px_, wx.of_inputs(elements));
        elements.clear();
        for (int i = 0; i < wy.inputs(); i++) elements.push_back(input_rows_(with({px_, i})));
        inputs_(vars_with({px_, py_})) = Halide::mux(py_, wy.of_inputs(elements));
    }

    void multiply() {
        // A block may reach past the last tile.
        const Expr tile_x = Halide::min(v_.x, size(along_x().tiles()) - 1);
        const Expr tile_y = Halide::min(v_.y, size(along_y().tiles()) - 1);
        staged_(vars_with({px_, py_})) = inputs_(v_.c, v_.g, tile_x, tile_y, v_.z, v_.n, px_, py_);
        // One number of a vector of input channels; vectors of a chunk.
        const int unroll = size(tile_->unroll()), vectors = size(tile_->vectors());
        r_ = RDom(0, unroll, 0, vectors, "r");
        chunks_ = RDom(0, size(input_channels(stage()) / (tile_->chunk * tile_->split)), 0, size(tile_->depth.kernel),
                       "chunks");
        const Expr channel = ((k_ * size(tile_->split) + s_) * vectors + r_[1]) * unroll + r_[0];
        const Expr weight = parameter(Parameter::Role::weight)(v_.c, v_.g, channel, kz_, px_, py_);
        const Expr input = staged_(channel, v_.g, v_.x, v_.y, under_tap(v_.z, kz_, tile_->depth), v_.n, px_, py_);
        part_(vars_with({px_, py_, s_, k_, kz_})) = 0.0f;
        part_(with({px_, py_, s_, k_, kz_})) += weight * input;
        sum_(vars_with({px_, py_, s_})) = 0.0f;
        sum_(with({px_, py_, s_})) += part_(with({px_, py_, s_, chunks_[0], chunks_[1]}));
        Expr all = sum_(with({px_, py_, 0}));
        for (int i = 1; i < split; i++) all += sum_(with({px_, py_, i}));
        products_(vars_with({px_, py_})) = all;
    }

    void transform_products() {
        const WinogradTransform wx = along_x().transform(), wy = along_y().transform();
        std::vector<Expr> elements;
        elements.reserve(static_cast<size_t>(std::max(wx.points(), wy.points())));
        for (int i = 0; i < wx.points(); i++) elements.push_back(products_(with({i, py_})));
        output_rows_(vars_with({ix_, py_})) = Halide::mux(ix_, wx.of_products(elements));
        elements.clear();
        for (int i = 0; i < wy.points(); i++) elements.push_back(output_rows_(with({ix_, i})));
        outputs_(vars_with({ix_, iy_})) = Halide::mux(iy_, wy.of_products(elements));
        const int width = size(along_x().outputs), height = size(along_y().outputs);
        const Expr value = outputs_(v_.c, v_.g, v_.x / width, v_.y / height, v_.z, v_.n, v_.x % width, v_.y % height);
        output()(v_.vars()) = with_epilogues(value, v_);
    }

    // ---- its loops

    struct Bound {
        Var var;
        int64_t extent;
    };
    static void bind(Func func, const std::vector<Bound> &bounds) {
        for (const Bound &bound : bounds) func.bound_extent(bound.var, size(bound.extent));
    }
    // Of what a thread computes, those that there are one of.
    void bind_one(const Func &func, const std::vector<Var> &vars) const {
        for (const Var &var : vars) bind(func, {{var, 1}});
    }

    View inputs_view() const {
        View view = products_view();
        view[view_channel].extent = input_channels(stage());
        view[view_depth].extent = tile_->depth_inputs;
        return view;
    }
    View products_view() const { return gpu_winograd::products_view(request().group, *tile_); }

    // All of it, in device memory.
    void keep(Func func, const View &view) const {
        func.compute_root();
        const std::vector<Var> vars = v_.vars();
        for (size_t i = 0; i < vars.size(); i++) func.bound(vars[i], 0, size(view[i].extent));
        func.bound(px_, 0, size(along_x().points())).bound(py_, 0, size(along_y().points()));
    }

    static ThreadBlock transform_threads(const View &view) {
        constexpr int64_t threads = 128;
        return thread_block(
            {view[view_channel].extent * view[view_group].extent, view[view_width].extent, view[view_height].extent},
            false, threads);
    }

    void schedule_inputs() {
        const View view = inputs_view();
        keep(inputs_, view);
        OutputLoops loops{v_.c, v_.g, v_.x, v_.y, v_.z, v_.n};
        loops.inner = {px_, py_};
        const Var thread = spread_over_threads(inputs_, loops, view, {}, transform_threads(view));
        inputs_.unroll(px_).unroll(py_);
        input_rows_.compute_at(inputs_, thread).store_in(MemoryType::Register);
        bind_one(input_rows_, v_.vars());
        bind(input_rows_, {{px_, along_x().points()}, {iy_, along_y().transform().inputs()}});
        input_rows_.unroll(px_).unroll(iy_).never_partition_all();
    }

    void schedule_products() {
        const View view = products_view();
        keep(products_, view);
        OutputLoops loops{v_.c, v_.g, v_.x, v_.y, v_.z, v_.n};
        loops.others = {px_, py_};
        const Var block = spread_over_blocks(products_, loops, view, *tile_, true);
        keep_sums(sum_, products_, block, loops, s_, *tile_);
        const Var thread = spread_sums(sum_.update(), loops, s_, {chunks_[0], chunks_[1]}, *tile_);
        keep_part(part_, sum_, thread, loops, {s_, k_, kz_}, *tile_);
        part_.update().reorder({v_.c, v_.x, r_[0], r_[1]}).vectorize(v_.c).unroll(v_.x).unroll(r_[0]);
        load_staged(staged_, part_, r_[1], tile_->columns, *tile_);
        schedule_staged();
    }

    void schedule_staged() {
        staged_.compute_at(sum_, chunks_[0]);
        bind(staged_,
             {{v_.c, tile_->chunk * tile_->split}, {v_.x, tile_->block_columns()}, {v_.y, tile_->row_threads}});
        bind_one(staged_, {v_.g, v_.z, v_.n, px_, py_});
        spread_staged(staged_, {.columns = v_.x}, *tile_);
    }

    void schedule_output() {
        const View view = arguments().back().view;
        ThreadTile pixels{1, size(along_x().outputs), size(along_y().outputs)};
        pixels.shifts = false;  // tiles stay where their products are
        View tiles = view;
        tiles[view_width].extent = along_x().tiles();
        tiles[view_height].extent = along_y().tiles();
        const Var thread =
            spread_over_threads(output(), {v_.c, v_.g, v_.x, v_.y, v_.z, v_.n}, view, pixels, transform_threads(tiles));
        outputs_.compute_at(output(), thread).store_in(MemoryType::Register);
        bind_one(outputs_, v_.vars());
        bind(outputs_, {{ix_, along_x().outputs}, {iy_, along_y().outputs}});
        outputs_.unroll(ix_).unroll(iy_).never_partition_all();
        output_rows_.compute_at(output(), thread).store_in(MemoryType::Register);
        bind_one(output_rows_, v_.vars());
        bind(output_rows_, {{ix_, along_x().outputs}, {py_, along_y().points()}});
        output_rows_.unroll(ix_).unroll(py_).never_partition_all();
    }

    ActivationVars v_;
    // Point, place of an input or output in its tile, share of a chunk, chunk, tap of depth.
    Var px_{"px"}, py_{"py"}, ix_{"ix"}, iy_{"iy"}, s_{"s"}, k_{"k"}, kz_{"kz"};
    RDom r_, chunks_;
    std::optional<Tile> tile_;
    Func input_rows_{"input_rows"}, inputs_{"inputs"}, staged_{"staged"}, part_{"part"}, sum_{"sum"},
        products_{"products"}, output_rows_{"output_rows"}, outputs_{"outputs_of_tiles"};
};

// ---- weight packing

class GpuWinogradPack : public PackGenerator<GpuWinogradPack> {
public:
    void pack_weights(Func raw, Func packed) const {
        const int channels = static_cast<int>(group_channels(stage()));
        Var c("c"), g("g"), i("i"), kz("kz"), px("px"), py("py");
        const winograd::TransformedWeight at{
            .px = px, .py = py, .kz = kz, .group = g, .input = i, .output = Halide::min(c, channels - 1)};
        const Expr weight = winograd::transformed_weight(raw, stage(), Tile(request()).tiles, at);
        packed(c, g, i, kz, px, py) = Halide::select(c < channels, weight, 0.0f);
    }
};

}  // namespace

Algorithm gpu_winograd_algorithm() {
    Algorithm row{"gpu_winograd",
                  "fewer multiplications, through Winograd's transforms of tiles, a kernel each step",
                  gpu_winograd::refusal,
                  gpu_winograd::knobs,
                  gpu_winograd::conflict,
                  gpu_winograd::default_schedule,
                  arguments};
    row.on_gpu = true;
    row.reluctance = gpu_winograd::reluctance;
    return row;
}

}  // namespace convc

HALIDE_REGISTER_GENERATOR(convc::GpuWinograd, gpu_winograd)
HALIDE_REGISTER_GENERATOR(convc::GpuWinogradPack, gpu_winograd_pack)
