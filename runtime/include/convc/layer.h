// A Layer: one checked convolution layer as plain data. Sugar is expanded and every shape is resolved; nothing in it
// refers to source text. It prints as one canonical line, which the language reads back:
//
//     f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu
//
// That line names the layer in every cache, log and database. Layers are made by compiler/sema from source text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace convc {

// An extent that is known only when the kernel is called, written `?`. Batch and spatial extents only.
inline constexpr int64_t runtime_extent = -1;

enum class DataType { f32 };

// Where batch n, channels c and the spatial axes (d, h, w) stand in memory, outermost first.
enum class Layout { nwc, ncw, nhwc, nchw, ndhwc, ncdhw };

int spatial_rank(Layout layout);         // 1, 2 or 3
bool channels_last(Layout layout);       // nwc, nhwc, ndhwc
const char *layout_name(Layout layout);  // "nhwc"
std::optional<Layout> layout_named(std::string_view name);

struct TensorType {
    DataType dtype = DataType::f32;
    Layout layout = Layout::nhwc;
    int64_t batch = 1;
    int64_t channels = 1;
    std::vector<int64_t> space;  // depth, height, width, as far as the layout has them

    int rank() const { return static_cast<int>(space.size()); }
    std::vector<int64_t> extents() const;  // in the layout's order
    bool has_runtime_extent() const;
    std::optional<int64_t> elements() const;  // nullopt: a run-time extent, or more than 2^63 - 1
    bool operator==(const TensorType &) const = default;
};

enum class StageKind { convolution, depthwise, transposed, shuffle };
enum class PadMode { zeros, reflect, replicate, circular, constant };
enum class Precision { strict, standard, fast };  // `standard` is written `default`

// The geometry along one spatial axis.
struct Axis {
    int64_t kernel = 1;
    int64_t stride = 1;
    int64_t dilation = 1;
    int64_t pad_before = 0;  // of a transposed stage: what the forward layer was padded by
    int64_t pad_after = 0;
    int64_t output_padding = 0;  // transposed only
    // pad=same on an axis whose extent is known only at run time and whose stride exceeds 1: the padding follows from
    // the extent when the kernel is called, and pad_before and pad_after mean nothing.
    bool same_at_run_time = false;

    int64_t effective_kernel() const { return kernel + (kernel - 1) * (dilation - 1); }
    bool operator==(const Axis &) const = default;
};

enum class EpilogueKind {
    bias,
    relu,
    relu6,
    leaky_relu,
    clip,
    sigmoid,
    tanh,
    silu,
    gelu,
    hardswish,
    hardsigmoid,
    scale,
    add,
    mul,
};

struct Epilogue {
    EpilogueKind kind = EpilogueKind::relu;
    double low = 0;    // leaky_relu's slope, clip's lower limit
    double high = 0;   // clip's upper limit
    int operand = -1;  // add, mul: index into Layer::inputs
    bool operator==(const Epilogue &) const = default;
};

struct Stage {
    StageKind kind = StageKind::convolution;
    int64_t in_channels = 1;
    int64_t out_channels = 1;  // depthwise: in_channels * multiplier
    int64_t groups = 1;        // depthwise: in_channels. shuffle: its groups.
    std::vector<Axis> axes;    // one a spatial axis; empty for shuffle
    bool flip = false;         // true convolution
    PadMode pad_mode = PadMode::zeros;
    double pad_value = 0;  // PadMode::constant
    Precision precision = Precision::standard;
    // Constant weights in the kernel's shape, row-major; the same for every channel of a depthwise, or a 1 -> 1 conv.
    std::optional<std::vector<double>> weights;
    std::vector<Epilogue> epilogues;
    TensorType output;

    int64_t multiplier() const { return out_channels / in_channels; }
    int64_t kernel_volume() const;  // taps of one filter over space; 1 for shuffle
    bool has_epilogue(EpilogueKind kind) const;
    bool operator==(const Stage &) const = default;
};

struct NamedTensor {
    std::string name;
    TensorType type;
    bool operator==(const NamedTensor &) const = default;
};

// A tensor of learned numbers that a stage reads, named and shaped as in PyTorch's Sequential.
struct Parameter {
    enum class Role { weight, bias, scale };
    Role role = Role::weight;
    int stage = 0;
    std::vector<int64_t> shape;  // weight [out, in/groups, k...], transposed [in, out/groups, k...]; bias, scale [out]

    std::string name() const;    // "0.weight"
    std::string c_name() const;  // "w0", "b0", "s0": the member of NAME_weights
    int64_t elements() const;
    bool operator==(const Parameter &) const = default;
};

struct Layer {
    std::string name = "layer";       // as declared; a family member is "body[64, 1]"
    std::vector<NamedTensor> inputs;  // inputs[0] is what the first stage reads; further ones serve add and mul
    std::vector<Stage> stages;

    const TensorType &output() const { return stages.back().output; }
    const TensorType &stage_input(int stage) const;
    std::vector<Parameter> parameters() const;  // by stage: weight (unless constant), bias, scale
    std::vector<Parameter> stage_parameters(int stage) const;
    std::string c_name() const;          // "body_64_1"
    std::string canonical_line() const;  // without the name
    bool operator==(const Layer &) const = default;
};

// `12`, `?`; shortest decimal that reads back as the same double.
std::string print_extent(int64_t extent);
std::string print_number(double value);
std::string print_tensor(const TensorType &type);  // f32 nhwc[1, 56, 56, 64]
std::string print_pad_mode(const Stage &stage);    // zeros, reflect, replicate, circular, or the constant
std::string print_epilogue(const Layer &layer, const Epilogue &epilogue);  // relu, clip(0, 6), add(x)
std::string print_stage(const Layer &layer, int stage);                    // conv(64, 3x3, pad=1) + bias + relu

}  // namespace convc
