// Layers as plain data: names, derived extents, and the canonical line.
#include "convc/layer.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

namespace convc {
namespace {

struct LayoutFacts {
    Layout layout;
    const char *name;
    int rank;
    bool channels_last;
};

constexpr std::array<LayoutFacts, 6> layouts{{
    {Layout::nwc, "nwc", 1, true},
    {Layout::ncw, "ncw", 1, false},
    {Layout::nhwc, "nhwc", 2, true},
    {Layout::nchw, "nchw", 2, false},
    {Layout::ndhwc, "ndhwc", 3, true},
    {Layout::ncdhw, "ncdhw", 3, false},
}};

const LayoutFacts &facts(Layout layout) {
    return layouts[static_cast<size_t>(layout)];
}

}  // namespace

int spatial_rank(Layout layout) {
    return facts(layout).rank;
}
bool channels_last(Layout layout) {
    return facts(layout).channels_last;
}
const char *layout_name(Layout layout) {
    return facts(layout).name;
}

std::optional<Layout> layout_named(std::string_view name) {
    for (const LayoutFacts &row : layouts) {
        if (name == row.name) return row.layout;
    }
    return std::nullopt;
}

std::vector<int64_t> TensorType::extents() const {
    std::vector<int64_t> all{batch};
    if (!channels_last(layout)) all.push_back(channels);
    all.insert(all.end(), space.begin(), space.end());
    if (channels_last(layout)) all.push_back(channels);
    return all;
}

bool TensorType::has_runtime_extent() const {
    for (int64_t extent : extents()) {
        if (extent == runtime_extent) return true;
    }
    return false;
}

std::optional<int64_t> TensorType::elements() const {
    int64_t product = 1;
    for (int64_t extent : extents()) {
        if (extent == runtime_extent || __builtin_mul_overflow(product, extent, &product)) return std::nullopt;
    }
    return product;
}

int64_t Stage::kernel_volume() const {
    int64_t volume = 1;
    for (const Axis &axis : axes) volume *= axis.kernel;
    return volume;
}

bool Stage::has_epilogue(EpilogueKind kind_) const {
    for (const Epilogue &epilogue : epilogues) {
        if (epilogue.kind == kind_) return true;
    }
    return false;
}

std::string Parameter::name() const {
    static constexpr std::array<const char *, 3> roles{"weight", "bias", "scale"};
    return fmt::format("{}.{}", stage, roles[static_cast<size_t>(role)]);
}

std::string Parameter::c_name() const {
    static constexpr std::array<char, 3> letters{'w', 'b', 's'};
    return fmt::format("{}{}", letters[static_cast<size_t>(role)], stage);
}

int64_t Parameter::elements() const {
    int64_t product = 1;
    for (int64_t extent : shape) product *= extent;
    return product;
}

const TensorType &Layer::stage_input(int stage) const {
    return stage == 0 ? inputs[0].type : stages[static_cast<size_t>(stage) - 1].output;
}

std::vector<Parameter> Layer::stage_parameters(int index) const {
    const Stage &stage = stages[static_cast<size_t>(index)];
    std::vector<Parameter> all;
    if (stage.kind != StageKind::shuffle && !stage.weights) {
        Parameter weight{Parameter::Role::weight, index, {stage.out_channels, stage.in_channels / stage.groups}};
        if (stage.kind == StageKind::transposed) weight.shape = {stage.in_channels, stage.out_channels / stage.groups};
        for (const Axis &axis : stage.axes) weight.shape.push_back(axis.kernel);
        all.push_back(std::move(weight));
    }
    if (stage.has_epilogue(EpilogueKind::bias)) all.push_back({Parameter::Role::bias, index, {stage.out_channels}});
    if (stage.has_epilogue(EpilogueKind::scale)) all.push_back({Parameter::Role::scale, index, {stage.out_channels}});
    return all;
}

std::vector<Parameter> Layer::parameters() const {
    std::vector<Parameter> all;
    for (int i = 0; i < static_cast<int>(stages.size()); i++) {
        for (Parameter &parameter : stage_parameters(i)) all.push_back(std::move(parameter));
    }
    return all;
}

std::string Layer::c_name() const {
    std::string text;
    for (char c : name) {
        if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
            text += c;
        } else if (c == '[' || c == ',') {
            text += '_';
        } else if (c == '-') {
            text += 'm';  // body[-1] beside body[1]
        }
    }
    return text;
}

// ---- the canonical line

std::string print_extent(int64_t extent) {
    return extent == runtime_extent ? "?" : std::to_string(extent);
}

std::string print_number(double value) {
    std::array<char, 64> buffer{};
    const bool is_integer = std::abs(value) < 1e15 && std::trunc(value) == value;  // 100000, not 1e+05
    const auto [end, error] =
        is_integer ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), static_cast<int64_t>(value))
                   : std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return error == std::errc() ? std::string(buffer.data(), end) : std::string("0");
}

std::string print_tensor(const TensorType &type) {
    std::string text = fmt::format("f32 {}[", layout_name(type.layout));
    bool first = true;
    for (int64_t extent : type.extents()) {
        text += (first ? "" : ", ") + print_extent(extent);
        first = false;
    }
    return text + "]";
}

std::string print_pad_mode(const Stage &stage) {
    switch (stage.pad_mode) {
        case PadMode::zeros:
            return "zeros";
        case PadMode::reflect:
            return "reflect";
        case PadMode::replicate:
            return "replicate";
        case PadMode::circular:
            return "circular";
        case PadMode::constant:
            return print_number(stage.pad_value);
    }
    return "";
}

std::string print_epilogue(const Layer &layer, const Epilogue &epilogue) {
    static constexpr std::array<const char *, 14> names{"bias",        "relu",  "relu6", "leaky_relu", "clip",
                                                        "sigmoid",     "tanh",  "silu",  "gelu",       "hardswish",
                                                        "hardsigmoid", "scale", "add",   "mul"};
    std::string name = names[static_cast<size_t>(epilogue.kind)];
    switch (epilogue.kind) {
        case EpilogueKind::leaky_relu:
            return fmt::format("{}({})", name, print_number(epilogue.low));
        case EpilogueKind::clip:
            return fmt::format("{}({}, {})", name, print_number(epilogue.low), print_number(epilogue.high));
        case EpilogueKind::add:
        case EpilogueKind::mul:
            return fmt::format("{}({})", name, layer.inputs[static_cast<size_t>(epilogue.operand)].name);
        default:
            return name;
    }
}

namespace {

// `3x3`; where `collapse`, a single integer when every axis has it.
std::string print_axes(const std::vector<Axis> &axes, int64_t Axis::*member, bool collapse) {
    bool same = collapse;
    std::string text;
    for (const Axis &axis : axes) {
        same = same && axis.*member == axes[0].*member;
        text += fmt::format("{}{}", text.empty() ? "" : "x", axis.*member);
    }
    return same ? std::to_string(axes[0].*member) : text;
}

bool any_differs(const std::vector<Axis> &axes, int64_t Axis::*member, int64_t from) {
    for (const Axis &axis : axes) {
        if (axis.*member != from) return true;
    }
    return false;
}

std::string print_pad(const Stage &stage) {
    bool symmetric = true;
    for (const Axis &axis : stage.axes) {
        if (axis.same_at_run_time) return ", pad=same";
        symmetric = symmetric && axis.pad_before == axis.pad_after;
    }
    if (symmetric) {
        if (!any_differs(stage.axes, &Axis::pad_before, 0)) return "";
        return ", pad=" + print_axes(stage.axes, &Axis::pad_before, true);
    }
    std::string text = ", pad=[";
    for (size_t i = 0; i < stage.axes.size(); i++) {
        text += fmt::format("{}{}:{}", i ? ", " : "", stage.axes[i].pad_before, stage.axes[i].pad_after);
    }
    return text + "]";
}

// Flat where at most one axis exceeds 1, else nested in the kernel's shape.
std::string print_weights(const std::vector<double> &values, const std::vector<int64_t> &shape, size_t axis,
                          size_t offset) {
    int64_t stride = 1;
    for (size_t i = axis + 1; i < shape.size(); i++) stride *= shape[i];
    std::string text = "[";
    for (int64_t i = 0; i < shape[axis]; i++) {
        const size_t at = offset + static_cast<size_t>(i * stride);
        if (i) text += ", ";
        text += axis + 1 == shape.size() ? print_number(values[at]) : print_weights(values, shape, axis + 1, at);
    }
    return text + "]";
}

std::string print_constant_weights(const Stage &stage) {
    std::vector<int64_t> shape;
    int longer_axes = 0;
    for (const Axis &axis : stage.axes) {
        shape.push_back(axis.kernel);
        longer_axes += axis.kernel > 1;
    }
    if (longer_axes <= 1) shape = {stage.kernel_volume()};
    return ", weights=" + print_weights(*stage.weights, shape, 0, 0);
}

std::string print_geometry(const Stage &stage) {
    std::string text;
    if (any_differs(stage.axes, &Axis::stride, 1)) text += ", stride=" + print_axes(stage.axes, &Axis::stride, true);
    text += print_pad(stage);
    if (any_differs(stage.axes, &Axis::dilation, 1)) {
        text += ", dilation=" + print_axes(stage.axes, &Axis::dilation, true);
    }
    if (any_differs(stage.axes, &Axis::output_padding, 0)) {
        text += ", output_padding=" + print_axes(stage.axes, &Axis::output_padding, true);
    }
    if (stage.kind != StageKind::depthwise && stage.groups != 1) text += fmt::format(", groups={}", stage.groups);
    if (stage.kind == StageKind::depthwise && stage.multiplier() != 1) {
        text += fmt::format(", multiplier={}", stage.multiplier());
    }
    if (stage.flip) text += ", flip";
    if (stage.pad_mode != PadMode::zeros) text += ", pad_mode=" + print_pad_mode(stage);
    if (stage.precision == Precision::strict) text += ", precision=strict";
    if (stage.precision == Precision::fast) text += ", precision=fast";
    if (stage.weights) text += print_constant_weights(stage);
    return text;
}

std::string print_core(const Stage &stage) {
    const std::string kernel = stage.axes.empty() ? "" : print_axes(stage.axes, &Axis::kernel, false);
    switch (stage.kind) {
        case StageKind::shuffle:
            return fmt::format("shuffle({})", stage.groups);
        case StageKind::depthwise:
            return fmt::format("depthwise({}{})", kernel, print_geometry(stage));
        case StageKind::convolution:
            return fmt::format("conv({}, {}{})", stage.out_channels, kernel, print_geometry(stage));
        case StageKind::transposed:
            return fmt::format("transposed({}, {}{})", stage.out_channels, kernel, print_geometry(stage));
    }
    return "";
}

}  // namespace

std::string print_stage(const Layer &layer, int index) {
    const Stage &stage = layer.stages[static_cast<size_t>(index)];
    std::string text = print_core(stage);
    for (const Epilogue &epilogue : stage.epilogues) text += " + " + print_epilogue(layer, epilogue);
    return text;
}

std::string Layer::canonical_line() const {
    std::string text;
    if (inputs.size() == 1 && inputs[0].name == "x") {
        text = print_tensor(inputs[0].type);
    } else {
        for (const NamedTensor &input : inputs) {
            text += fmt::format("{}{}: {}", text.empty() ? "(" : ", ", input.name, print_tensor(input.type));
        }
        text += ")";
    }
    for (int i = 0; i < static_cast<int>(stages.size()); i++) text += " -> " + print_stage(*this, i);
    return text;
}

}  // namespace convc
