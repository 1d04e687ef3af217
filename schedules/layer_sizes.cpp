// Convolution arithmetic on Sizes; compiler/reference/runtime_extents.cpp is its counterpart on numbers.
#include "schedules/layer_sizes.h"

namespace convc {
namespace {

// Kernels count in 32 bits, and their tiles reach past the end of an output by less than 2^20 elements.
constexpr int64_t most = (int64_t{1} << 31) - (int64_t{1} << 20);

// No tile has more outputs along an axis: 64 register tiles of 30 vectors of 16 lanes.
constexpr int64_t longest_tile = 1 << 15;

// Before and after the axis together: what its last output's taps need beyond it.
Size same_padding_in_all(const Axis &axis, const Size &extent) {
    const Size last = times(quotient(minus(extent, 1), axis.stride), axis.stride);
    return larger(minus(plus(last, axis.effective_kernel()), extent), 0);
}

class SizeInference {
public:
    explicit SizeInference(const Layer &layer) : layer_(layer) {}

    LayerSizes infer() {
        sizes_.inputs.resize(layer_.inputs.size());
        read_input();
        for (size_t i = 1; i < layer_.inputs.size(); i++) sizes_.inputs[i] = declared(layer_.inputs[i].type);
        resolved_.assign(layer_.inputs.size(), false);
        resolved_[0] = true;
        for (const Stage &stage : layer_.stages) add_stage(stage);
        for (size_t i = 0; i < layer_.inputs.size(); i++) {
            limit(sizes_.inputs[i].elements(layer_.inputs[i].type.channels), 0, most);
        }
        return std::move(sizes_);
    }

private:
    // What is known has been checked before the kernel was compiled.
    void limit(const Size &size, int64_t low, int64_t high) {
        if (size.known()) return;
        sizes_.limits.push_back({size, low, high});
    }

    static TensorSizes declared(const TensorType &type) {
        TensorSizes sizes{type.batch, {}};
        for (int64_t extent : type.space) sizes.space.emplace_back(extent);
        return sizes;
    }

    Size argument_or(int64_t extent, int64_t low) {
        if (extent != runtime_extent) return extent;
        const Size argument = Size::argument(sizes_.arguments++);
        limit(argument, low, most);
        return argument;
    }

    void read_input() {
        const TensorType &type = layer_.inputs[0].type;
        sizes_.inputs[0].batch = argument_or(type.batch, 0);
        for (int64_t extent : type.space) sizes_.inputs[0].space.push_back(argument_or(extent, 1));
    }

    void add_stage(const Stage &stage) {
        const TensorSizes &x = sizes_.outputs.empty() ? sizes_.inputs[0] : sizes_.outputs.back();
        TensorSizes output{x.batch, x.space};
        for (size_t i = 0; i < stage.axes.size(); i++)
            output.space[i] = output_extent(stage, stage.axes[i], x.space[i]);
        limit(output.elements(stage.out_channels), 0, most);
        for (const Epilogue &epilogue : stage.epilogues) {
            if (epilogue.operand >= 0) meet(static_cast<size_t>(epilogue.operand), output);
        }
        sizes_.outputs.push_back(std::move(output));
    }

    Size output_extent(const Stage &stage, const Axis &axis, const Size &extent) {
        if (axis.same_at_run_time) {
            limit_same_padding(stage, axis, extent);
            return plus(quotient(minus(extent, 1), axis.stride), 1);
        }
        const int64_t padding = axis.pad_before + axis.pad_after;
        const int64_t pad = std::max(axis.pad_before, axis.pad_after);
        if (stage.pad_mode == PadMode::reflect && pad > 0) limit(extent, pad + 1, most);
        if (stage.pad_mode == PadMode::circular) limit(extent, pad, most);
        if (stage.kind == StageKind::transposed) {
            const Size output =
                plus(times(minus(extent, 1), axis.stride), axis.effective_kernel() + axis.output_padding - padding);
            limit(output, 1, most);
            return output;
        }
        limit_positions(axis, padding, extent);
        const Size room = plus(extent, padding - axis.effective_kernel());
        limit(room, 0, most);
        return plus(quotient(room, axis.stride), 1);
    }

    // Those of the padded input, up to what the last tile reads past the end.
    void limit_positions(const Axis &axis, int64_t padding, const Size &extent) {
        const int64_t beyond = padding + longest_tile * (axis.stride - 1);
        if (beyond > 0 && !extent.known()) limit(plus(extent, beyond), 0, most);
    }

    // Reflected padding reaches one element less far than the input is long, circular padding as far. The larger half
    // of pad=same goes after.
    void limit_same_padding(const Stage &stage, const Axis &axis, const Size &extent) {
        const Size after = quotient(plus(same_padding_in_all(axis, extent), 1), 2);
        limit_positions(axis, axis.effective_kernel(), extent);
        if (stage.pad_mode == PadMode::reflect) limit(minus(extent, after), 1, most);
        if (stage.pad_mode == PadMode::circular) limit(minus(extent, after), 0, most);
    }

    // A tensor of an add or mul takes its `?` from the output; numbers must fit, 1 fits everything.
    void meet(size_t index, const TensorSizes &output) {
        TensorSizes &operand = sizes_.inputs[index];
        const TensorType &type = layer_.inputs[index].type;
        meet(operand.batch, type.batch, output.batch, resolved_[index]);
        for (size_t i = 0; i < operand.space.size(); i++) {
            meet(operand.space[i], type.space[i], output.space[i], resolved_[index]);
        }
        resolved_[index] = true;
    }

    void meet(Size &size, int64_t declared_extent, const Size &output, bool resolved) {
        if (declared_extent == 1) return;
        if (declared_extent == runtime_extent && !resolved) size = output;
        if (!same(size, output)) limit(minus(size, output), 0, 0);
    }

    const Layer &layer_;
    LayerSizes sizes_;
    std::vector<bool> resolved_;
};

}  // namespace

Size TensorSizes::elements(int64_t channels) const {
    Size product = times(batch, channels);
    for (const Size &extent : space) product = times(product, extent);
    return product;
}

LayerSizes layer_sizes(const Layer &layer) {
    return SizeInference(layer).infer();
}

Size same_padding(const Axis &axis, const Size &extent) {
    return quotient(same_padding_in_all(axis, extent), 2);
}

}  // namespace convc
