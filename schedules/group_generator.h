// The base of every generator: it is handed a KernelRequest before it is built, declares the request's buffers and
// knobs as Halide's, and gives the derived class its stage, inputs and output under the field's names.
#pragma once

#include <Halide.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "schedules/algorithm.h"
#include "schedules/epilogue.h"
#include "schedules/padding.h"
#include "schedules/single_stage.h"

namespace convc {

// The index variables of an activation, in the order of ViewAxis.
struct ActivationVars {
    Halide::Var c{"c"}, g{"g"}, x{"x"}, y{"y"}, z{"z"}, n{"n"};
    std::vector<Halide::Expr> exprs() const { return {c, g, x, y, z, n}; }
    std::vector<Halide::Var> vars() const { return {c, g, x, y, z, n}; }
};

// What a compiler driver sees of any generator of ours.
class RequestReceiver {
public:
    virtual ~RequestReceiver() = default;
    void receive(KernelRequest request, std::vector<KernelArgument> arguments) {
        request_ = std::move(request);
        arguments_ = std::move(arguments);
    }

protected:
    const KernelRequest &request() const { return request_; }
    const std::vector<KernelArgument> &arguments() const { return arguments_; }
    const Stage &stage(int i = 0) const { return request_.group.stage(i); }
    int knob(std::string_view name) const { return static_cast<int>(request_.schedule.knob(name).value_or(1)); }
    int lanes() const { return request_.target.vector_lanes(); }

private:
    KernelRequest request_;
    std::vector<KernelArgument> arguments_;
};

// Whether the pack function writes it.
inline bool is_packed(KernelArgument::Role role) {
    return role == KernelArgument::Role::parameter || role == KernelArgument::Role::nonfinite;
}

// Fixes a Halide buffer's extents and strides to a view's, as far as they are known.
template <class Buffer>
void constrain(Buffer &buffer, const View &view) {
    for (size_t i = 0; i < view.size(); i++) {
        auto dimension = buffer.dim(static_cast<int>(i));
        dimension.set_min(0);
        if (view[i].extent.known()) dimension.set_extent(static_cast<int>(view[i].extent));
        // Said of every stride: Halide takes the innermost for 1 where nothing is said.
        dimension.set_stride(view[i].stride.known() ? Halide::Expr(static_cast<int>(view[i].stride)) : Halide::Expr());
    }
}

// The kernel itself: int kernel(user_context, x, parameters..., operands..., y).
template <class Derived>
class KernelGenerator : public Halide::Generator<Derived>, public RequestReceiver {
public:
    void configure() {
        for (const KernelArgument &argument : arguments()) {
            const int dimensions = static_cast<int>(argument.view.size());
            if (argument.role == KernelArgument::Role::output) {
                output_ = this->template add_output<Halide::Buffer<>>(argument.name(), Halide::Float(32), dimensions);
            } else {
                inputs_[argument.name()] =
                    this->template add_input<Halide::Buffer<>>(argument.name(), Halide::Float(32), dimensions);
            }
        }
    }

protected:
    using Input = Halide::GeneratorInput<Halide::Buffer<>>;

    void constrain_buffers() {
        for (const KernelArgument &argument : arguments()) {
            if (argument.role == KernelArgument::Role::output) {
                constrain(*output_, argument.view);
            } else {
                constrain(*inputs_.at(argument.name()), argument.view);
            }
        }
    }

    Input &x() { return *inputs_.at("x"); }
    Input &parameter(Parameter::Role role, int in_stage = 0) {
        const Parameter wanted{role, request().group.first + in_stage, {}};
        return *inputs_.at(wanted.c_name());
    }
    // Whether some weight is NaN or infinite: it would turn the zeros of a strip's border into NaN, so such a layer
    // takes a slower loop that leaves the border out. Where all are finite, this is one well predicted branch a tile.
    Halide::Expr nonfinite() { return (*inputs_.at("nonfinite"))(0) > 0.5f; }

    // What an output at `position` reads through a tap, in padded coordinates.
    static Halide::Expr under_tap(const Halide::Expr &position, const Halide::Expr &tap, const Axis &axis) {
        return position * static_cast<int>(axis.stride) + tap * static_cast<int>(axis.dilation);
    }

    Halide::Func output() { return *output_; }

    // Where the input lies in its border, width first. With `tiled`, every axis has a border to its right, for tiles
    // that reach past the end.
    Placements placements(bool tiled, int in_stage = 0) {
        Placements all;
        for (size_t i = 0; i < all.size(); i++) {
            const auto axis = static_cast<ViewAxis>(view_width + i);
            const Axis geometry = stage_axis(stage(in_stage), axis);
            const Size &extent = arguments()[0].view[axis].extent;
            const int dimension = static_cast<int>(axis);
            all[i].extent =
                extent.known() ? Halide::Expr(static_cast<int>(extent)) : Halide::Expr(x().dim(dimension).extent());
            all[i].before = padding_before(geometry, all[i].extent);
            all[i].padded = is_padded(geometry);
            all[i].tiled = tiled;
        }
        return all;
    }

    // The constant kernel of a stage, width first, as a table in the object. Of one name, Halide takes no two in a
    // layer: the second has the first one's values.
    Halide::Buffer<float> constant_taps(int in_stage = 0) const {
        const Stage &constant = stage(in_stage);
        std::vector<int> extents;
        for (const ViewAxis along : {view_width, view_height, view_depth}) {
            extents.push_back(static_cast<int>(stage_axis(constant, along).kernel));
        }
        Halide::Buffer<float> table(extents, "taps" + std::to_string(request().group.first + in_stage));
        std::vector<double> values = *constant.weights;
        if (constant.flip) std::reverse(values.begin(), values.end());
        std::copy(values.begin(), values.end(), table.begin());
        return table;
    }

    // How a row of outputs falls into vectors of pixels: the last one shifted inwards. Of a row shorter than the one
    // that holds it, what is past its end is not stored; nor are there further tensors to load it from.
    Halide::TailStrategy tail_of_row(int vector) const {
        if (vector <= arguments().back().view[view_width].extent) return Halide::TailStrategy::ShiftInwards;
        return reads_operands() ? Halide::TailStrategy::Predicate : Halide::TailStrategy::PredicateStores;
    }

    bool reads_operands() const {
        for (const KernelArgument &argument : arguments()) {
            if (argument.role == KernelArgument::Role::operand) return true;
        }
        return false;
    }

    // An epilogue's value as the target's code can say it.
    Halide::Expr for_target(const Halide::Expr &value) const {
        return request().target.gpu == Gpu::opencl ? doubles_by_bits(value) : value;
    }

    // `value` after the epilogues of a stage, at `at`.
    Halide::Expr with_epilogues(const Halide::Expr &value, const ActivationVars &at, int in_stage = 0) {
        return for_target(apply_epilogues(stage(in_stage), value, epilogue_operands(at, in_stage)));
    }

    // The same of a sum in registers, and what that sum starts from.
    Halide::Expr start_of_sum(const ActivationVars &at, int in_stage = 0) {
        return convc::start_of_sum(stage(in_stage), epilogue_operands(at, in_stage));
    }
    Halide::Expr finish_sum(const Halide::Expr &sum, const ActivationVars &at, int in_stage = 0) {
        return for_target(convc::finish_sum(stage(in_stage), sum, epilogue_operands(at, in_stage)));
    }

    // Of Layer::inputs[index], which is broadcast along its extents of 1.
    Halide::Expr operand_at(int index, std::vector<Halide::Expr> where) {
        for (const KernelArgument &argument : arguments()) {
            if (argument.role != KernelArgument::Role::operand || argument.operand != index) continue;
            // A tile may reach past the last channel: what is computed there is not stored, but it must not be loaded.
            const int last = static_cast<int>(argument.view[view_channel].extent) - 1;
            where[view_channel] = Halide::min(Halide::likely(where[view_channel]), last);
            for (size_t i = 0; i < where.size(); i++) {
                if (argument.view[i].extent == 1) where[i] = 0;
            }
            return (*inputs_.at(argument.name()))(where);
        }
        return 0.0f;
    }

private:
    EpilogueOperands epilogue_operands(const ActivationVars &at, int in_stage) {
        const auto of_channel = [this, at, in_stage](Parameter::Role role) {
            return [this, at, in_stage, role] { return Halide::Expr(parameter(role, in_stage)(at.c, at.g)); };
        };
        return {of_channel(Parameter::Role::bias), of_channel(Parameter::Role::scale),
                [this, at](int index) { return operand_at(index, at.exprs()); }};
    }

    std::map<std::string, Input *> inputs_;
    Halide::GeneratorOutput<Halide::Buffer<>> *output_ = nullptr;
};

// Weight packing: int pack(user_context, parameters in PyTorch's order..., the same parameters packed...).
template <class Derived>
class PackGenerator : public Halide::Generator<Derived>, public RequestReceiver {
public:
    void configure() {
        for (const KernelArgument &argument : arguments()) {
            if (argument.role != KernelArgument::Role::parameter) continue;
            raw_[argument.name()] = this->template add_input<Halide::Buffer<>>(
                argument.name(), Halide::Float(32), static_cast<int>(argument.parameter.shape.size()));
        }
        for (const KernelArgument &argument : arguments()) {
            if (!is_packed(argument.role)) continue;
            packed_[argument.name()] = this->template add_output<Halide::Buffer<>>(
                "packed_" + argument.name(), Halide::Float(32), static_cast<int>(argument.view.size()));
        }
    }

    // Which channel's bias and scale stand at `at`.
    Halide::Expr output_channel(const Halide::Expr &at) const { return at; }

    void generate() {
        for (const KernelArgument &argument : arguments()) {
            if (argument.role == KernelArgument::Role::nonfinite) find_nonfinite(*packed_.at(argument.name()));
            if (argument.role != KernelArgument::Role::parameter) continue;
            constrain(*raw_.at(argument.name()), parameter_view(argument.parameter));
            constrain(*packed_.at(argument.name()), argument.view);
            Halide::Func raw(argument.name() + "_raw"), packed = *packed_.at(argument.name());
            raw(Halide::_) = (*raw_.at(argument.name()))(Halide::_);
            static_cast<Derived *>(this)->pack_parameter(argument, raw, packed);
        }
    }

    // Bias and scale are padded with zeros to whole tiles; weights are the derived class's business. A derived class
    // may pack all parameters its own way.
    void pack_parameter(const KernelArgument &argument, const Halide::Func &raw, const Halide::Func &packed) {
        if (argument.parameter.role == Parameter::Role::weight) {
            static_cast<Derived *>(this)->pack_weights(raw, packed);
        } else {
            pack_channels(argument, raw, packed);
        }
    }

protected:
    // The stage of the group that a parameter belongs to.
    int stage_of(const KernelArgument &argument) const { return argument.parameter.stage - request().group.first; }

    // packed(c, g) = raw(g * channels + c), 0 past the group's channels.
    void pack_channels(const KernelArgument &argument, const Halide::Func &raw, Halide::Func packed) {
        const int groups = static_cast<int>(argument.view[1].extent);
        const int channels = static_cast<int>(stage(stage_of(argument)).out_channels) / groups;
        Halide::Var c("c"), g("g");
        const Halide::Expr channel =
            g * channels + static_cast<Derived *>(this)->output_channel(Halide::min(c, channels - 1));
        packed(c, g) = Halide::select(c < channels, raw(channel), 0.0f);
    }

private:
    // packed(0) = 1 if some weight's exponent is all ones, in any stage, else 0.
    void find_nonfinite(Halide::Func packed) {
        Halide::Expr any = 0;
        for (const KernelArgument &argument : arguments()) {
            if (argument.role != KernelArgument::Role::parameter) continue;
            if (argument.parameter.role != Parameter::Role::weight) continue;
            any = Halide::max(any, nonfinite_in(argument));
        }
        Halide::Var i("i");
        packed(i) = Halide::cast<float>(any);
    }

    Halide::Expr nonfinite_in(const KernelArgument &weight) {
        Halide::Region bounds;
        for (const ViewDimension &dimension : parameter_view(weight.parameter)) {
            bounds.emplace_back(0, static_cast<int>(dimension.extent));
        }
        const Halide::RDom r(bounds, "r");
        std::vector<Halide::Expr> where;
        where.reserve(static_cast<size_t>(r.dimensions()));
        for (int i = 0; i < r.dimensions(); i++) where.emplace_back(r[i]);
        const Halide::Expr bits = Halide::reinterpret<int32_t>((*raw_.at(weight.name()))(where));
        Halide::Func found("found");
        found() = 0;
        found() = Halide::max(found(), Halide::select((bits & 0x7f800000) == 0x7f800000, 1, 0));
        found.compute_root();
        return found();
    }

    std::map<std::string, Halide::GeneratorInput<Halide::Buffer<>> *> raw_;
    std::map<std::string, Halide::GeneratorOutput<Halide::Buffer<>> *> packed_;
};

}  // namespace convc
