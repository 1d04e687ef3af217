#include "tests/support/shrink_layer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

namespace convc::test {
namespace {

// ---- making a changed layer whole again ----

int64_t shrunk_extent(StageKind kind, int64_t extent, const Axis &axis) {
    const int64_t padding = axis.pad_before + axis.pad_after;
    if (kind == StageKind::transposed) {
        return (extent - 1) * axis.stride - padding + axis.effective_kernel() + axis.output_padding;
    }
    const int64_t room = extent + padding - axis.effective_kernel();
    return room < 0 ? 0 : room / axis.stride + 1;
}

// pad=same is written for all axes of a stage or none. It is a matter of run time for a stride beyond 1 and an extent
// that is not known, and numbers else.
void pad_same(Axis &axis, int64_t extent) {
    const int64_t span = axis.effective_kernel();
    const bool strided = axis.stride > 1 && span > 1;
    axis.same_at_run_time = strided && extent == runtime_extent;
    int64_t total = span - 1;
    if (axis.same_at_run_time) total = 0;
    if (strided && extent != runtime_extent) {
        total = std::max<int64_t>((extent - 1) / axis.stride * axis.stride + span - extent, 0);
    }
    axis.pad_before = total / 2;
    axis.pad_after = total - axis.pad_before;
}

bool is_same_at_run_time(const Stage &stage) {
    return std::any_of(stage.axes.begin(), stage.axes.end(), [](const Axis &axis) { return axis.same_at_run_time; });
}

bool fits_pad_mode(PadMode mode, const Axis &axis, int64_t extent) {
    const int64_t pad = std::max(axis.pad_before, axis.pad_after);
    if (extent == runtime_extent || pad == 0) return true;
    if (mode == PadMode::reflect) return pad < extent;
    return mode != PadMode::circular || pad <= extent;
}

bool rebuild_axes(Stage &stage, const TensorType &input) {
    if (stage.kind == StageKind::shuffle) return stage.axes.empty();
    if (stage.axes.size() != input.space.size()) return false;
    const bool same = is_same_at_run_time(stage);
    bool padded = false;
    for (size_t i = 0; i < stage.axes.size(); i++) {
        Axis &axis = stage.axes[i];
        const int64_t extent = input.space[i];
        if (same) pad_same(axis, extent);
        if (axis.output_padding > 0 && axis.output_padding >= std::max(axis.stride, axis.dilation)) return false;
        if (!fits_pad_mode(stage.pad_mode, axis, extent)) return false;
        padded = padded || axis.pad_before > 0 || axis.pad_after > 0 || axis.same_at_run_time;
        stage.output.space[i] = runtime_extent;
        if (extent == runtime_extent) continue;
        stage.output.space[i] = shrunk_extent(stage.kind, extent, axis);
        if (stage.output.space[i] < 1) return false;
    }
    if (!padded) stage.pad_mode = PadMode::zeros;
    if (stage.pad_mode != PadMode::constant) stage.pad_value = 0;
    return true;
}

void rebuild_channels(Stage &stage, int64_t channels) {
    const int64_t multiplier = stage.multiplier();
    stage.in_channels = channels;
    switch (stage.kind) {
        case StageKind::depthwise:
            stage.groups = channels;
            stage.out_channels = channels * multiplier;
            return;
        case StageKind::shuffle:
            stage.groups = std::gcd(stage.groups, channels);
            stage.out_channels = channels;
            return;
        default:
            stage.groups = std::gcd(stage.groups, std::gcd(channels, stage.out_channels));
    }
}

// Constant weights serve a depthwise, or one channel to one; a smaller kernel has fewer of them.
void rebuild_weights(Stage &stage) {
    if (!stage.weights) return;
    const bool allowed = stage.kind == StageKind::depthwise || (stage.in_channels == 1 && stage.out_channels == 1);
    stage.weights->resize(static_cast<size_t>(stage.kernel_volume()), 1.0);
    if (!allowed) stage.weights.reset();
}

int64_t broadcast_as(int64_t was, int64_t met, int64_t meets) {
    return was == 1 && met != 1 ? 1 : meets;
}

// The tensor of an add or mul keeps the axes along which it broadcasts; the rest follow the output.
TensorType rebuilt_operand(const TensorType &operand, const TensorType &old_output, const TensorType &output) {
    TensorType type = output;
    type.batch = broadcast_as(operand.batch, old_output.batch, output.batch);
    type.channels = broadcast_as(operand.channels, old_output.channels, output.channels);
    if (operand.space.size() != output.space.size()) return type;
    for (size_t i = 0; i < type.space.size(); i++) {
        type.space[i] = broadcast_as(operand.space[i], old_output.space[i], output.space[i]);
    }
    return type;
}

bool broadcasts_to(const TensorType &operand, const TensorType &output) {
    const auto fits = [](int64_t extent, int64_t whole) { return extent == 1 || extent == whole; };
    if (operand.layout != output.layout || !fits(operand.batch, output.batch)) return false;
    if (!fits(operand.channels, output.channels)) return false;
    for (size_t i = 0; i < output.space.size(); i++) {
        if (!fits(operand.space[i], output.space[i])) return false;
    }
    return true;
}

// Each further tensor once, in the order of first use. x itself serves where it still has a fitting shape.
class Operands {
public:
    explicit Operands(Layer &layer) : layer_(layer), old_(layer.inputs), taken_(layer.inputs.size(), -1) {
        layer_.inputs.resize(1);
    }

    bool rebuild(Epilogue &epilogue, const TensorType &old_output, const TensorType &output) {
        if (epilogue.operand < 0) return true;
        const auto index = static_cast<size_t>(epilogue.operand);
        if (index > 0 && taken_[index] < 0) {
            taken_[index] = static_cast<int>(layer_.inputs.size());
            layer_.inputs.push_back({old_[index].name, rebuilt_operand(old_[index].type, old_output, output)});
        }
        if (index > 0) epilogue.operand = taken_[index];
        const TensorType &type = layer_.inputs[static_cast<size_t>(epilogue.operand)].type;
        return broadcasts_to(type, output) && !(index == 0 && type.has_runtime_extent());
    }

private:
    Layer &layer_;
    std::vector<NamedTensor> old_;
    std::vector<int> taken_;
};

// ---- simpler layers ----

class Simpler {
public:
    explicit Simpler(const Layer &layer) : layer_(layer) {}

    std::vector<Layer> all() {
        drop_parts();
        shrink_input();
        for (size_t i = 0; i < layer_.stages.size(); i++) shrink_stage(i);
        return std::move(all_);
    }

private:
    // `change` alters a copy, which counts where a valid and different layer comes of it.
    template <class Change>
    void offer(Change change) {
        Layer simpler = layer_;
        change(simpler);
        if (rebuild(simpler) && !(simpler == layer_)) all_.push_back(std::move(simpler));
    }

    // The plainest value, half the way there, and one less: `change(layer, value)` sets it.
    template <class Change>
    void offer_less(int64_t value, int64_t plain, Change change) {
        if (value <= plain) return;
        int64_t last = value;
        for (const int64_t less : {plain, plain + (value - plain) / 2, value - 1}) {
            if (less != last) offer([&](Layer &layer) { change(layer, less); });
            last = less;
        }
    }

    void drop_parts() {
        for (size_t i = 0; layer_.stages.size() > 1 && i < layer_.stages.size(); i++) {
            offer([&](Layer &layer) { layer.stages.erase(layer.stages.begin() + static_cast<std::ptrdiff_t>(i)); });
        }
        for (size_t axis = 0; layer_.inputs[0].type.space.size() > 1 && axis < layer_.inputs[0].type.space.size();
             axis++) {
            offer([&](Layer &layer) { drop_axis(layer, static_cast<std::ptrdiff_t>(axis)); });
        }
        for (size_t i = 0; i < layer_.stages.size(); i++) {
            for (size_t j = 0; j < layer_.stages[i].epilogues.size(); j++) {
                offer([&](Layer &layer) {
                    std::vector<Epilogue> &epilogues = layer.stages[i].epilogues;
                    epilogues.erase(epilogues.begin() + static_cast<std::ptrdiff_t>(j));
                });
            }
        }
    }

    static void drop_axis(Layer &layer, std::ptrdiff_t axis) {
        const bool last = channels_last(layer.inputs[0].type.layout);
        const bool three = layer.inputs[0].type.space.size() == 3;
        const Layout layout = three ? (last ? Layout::nhwc : Layout::nchw) : (last ? Layout::nwc : Layout::ncw);
        const auto drop = [&](TensorType &type) {
            type.layout = layout;
            type.space.erase(type.space.begin() + axis);
        };
        for (NamedTensor &input : layer.inputs) drop(input.type);
        for (Stage &stage : layer.stages) {
            drop(stage.output);
            if (stage.axes.empty()) continue;
            stage.axes.erase(stage.axes.begin() + axis);
            if (stage.weights) stage.weights->resize(static_cast<size_t>(stage.kernel_volume()), 1.0);
        }
    }

    void shrink_input() {
        const TensorType &x = layer_.inputs[0].type;
        shrink_extent(x.batch, [](Layer &layer) -> int64_t & { return layer.inputs[0].type.batch; });
        offer_less(x.channels, 1, [](Layer &layer, int64_t value) { layer.inputs[0].type.channels = value; });
        for (size_t i = 0; i < x.space.size(); i++) {
            shrink_extent(x.space[i], [i](Layer &layer) -> int64_t & { return layer.inputs[0].type.space[i]; });
        }
        if (!channels_last(x.layout)) offer(to_channels_last);
        if (layer_.inputs[0].name != "x") offer([](Layer &layer) { layer.inputs[0].name.assign(1, 'x'); });
    }

    // An extent of run time becomes a number of moderate size, which then shrinks.
    template <class Place>
    void shrink_extent(int64_t extent, Place place) {
        const auto set = [&](Layer &layer, int64_t value) { place(layer) = value; };
        if (extent != runtime_extent) return offer_less(extent, 1, set);
        for (const int64_t fixed : {3, 8, 17}) offer([&](Layer &layer) { set(layer, fixed); });
    }

    static void to_channels_last(Layer &layer) {
        const auto turn = [](TensorType &type) {
            type.layout = type.rank() == 1 ? Layout::nwc : type.rank() == 2 ? Layout::nhwc : Layout::ndhwc;
        };
        for (NamedTensor &input : layer.inputs) turn(input.type);
        for (Stage &stage : layer.stages) turn(stage.output);
    }

    void shrink_stage(size_t i) {
        const Stage &stage = layer_.stages[i];
        if (stage.kind == StageKind::convolution || stage.kind == StageKind::transposed) {
            offer_less(stage.groups, 1, [i](Layer &layer, int64_t value) { layer.stages[i].groups = value; });
            offer_less(stage.out_channels, 1,
                       [i](Layer &layer, int64_t value) { layer.stages[i].out_channels = value; });
        }
        if (stage.kind == StageKind::depthwise) {
            offer_less(stage.multiplier(), 1, [i](Layer &layer, int64_t value) {
                layer.stages[i].out_channels = layer.stages[i].in_channels * value;
            });
        }
        for (size_t axis = 0; axis < stage.axes.size(); axis++) shrink_axis(i, axis);
        make_plain(i);
    }

    void shrink_axis(size_t i, size_t j) {
        const Axis &axis = layer_.stages[i].axes[j];
        const auto less = [&](int64_t Axis::*field, int64_t plain) {
            offer_less(axis.*field, plain,
                       [=](Layer &layer, int64_t value) { layer.stages[i].axes[j].*field = value; });
        };
        less(&Axis::kernel, 1);
        less(&Axis::output_padding, 0);
        less(&Axis::dilation, 1);
        less(&Axis::stride, 1);
        less(&Axis::pad_before, 0);
        less(&Axis::pad_after, 0);
    }

    void make_plain(size_t i) {
        const auto set = [&](auto change) { offer([&](Layer &layer) { change(layer.stages[i]); }); };
        set([](Stage &stage) {
            for (Axis &axis : stage.axes) axis.same_at_run_time = false;
        });
        set([](Stage &stage) { stage.pad_mode = PadMode::zeros; });
        set([](Stage &stage) { stage.pad_value = stage.pad_mode == PadMode::constant ? 1 : 0; });
        set([](Stage &stage) { stage.precision = Precision::standard; });
        set([](Stage &stage) { stage.flip = false; });
        set([](Stage &stage) { stage.weights.reset(); });
        set([](Stage &stage) {
            if (stage.weights) std::fill(stage.weights->begin(), stage.weights->end(), 1.0);
        });
        set([](Stage &stage) {
            for (Epilogue &epilogue : stage.epilogues) epilogue.low = std::round(epilogue.low);
            for (Epilogue &epilogue : stage.epilogues) epilogue.high = std::round(epilogue.high);
        });
    }

    const Layer &layer_;
    std::vector<Layer> all_;
};

}  // namespace

bool rebuild(Layer &layer) {
    if (layer.stages.empty()) return false;
    Operands operands(layer);
    TensorType input = layer.inputs[0].type;
    for (Stage &stage : layer.stages) {
        const TensorType old_output = std::exchange(stage.output, input);
        rebuild_channels(stage, input.channels);
        stage.output.channels = stage.out_channels;
        if (!rebuild_axes(stage, input)) return false;
        rebuild_weights(stage);
        for (Epilogue &epilogue : stage.epilogues) {
            if (!operands.rebuild(epilogue, old_output, stage.output)) return false;
        }
        input = stage.output;
    }
    return true;
}

std::vector<Layer> simpler_layers(const Layer &layer) {
    return Simpler(layer).all();
}

Shrunk shrink_layer(const Layer &layer, const Fails &fails, int most_attempts) {
    Shrunk shrunk{layer, 0};
    size_t next = 0;     // among the simpler layers of the present one
    size_t in_vain = 0;  // since the last that failed
    std::vector<Layer> simpler = simpler_layers(layer);
    while (in_vain < simpler.size() && shrunk.attempts < most_attempts) {
        const Layer &candidate = simpler[next % simpler.size()];
        shrunk.attempts++;
        if (fails(candidate)) {
            shrunk.layer = candidate;
            simpler = simpler_layers(shrunk.layer);
            in_vain = 0;  // and `next` stays: what stands there now has most likely not been tried yet
        } else {
            next++;
            in_vain++;
        }
    }
    return shrunk;
}

}  // namespace convc::test
