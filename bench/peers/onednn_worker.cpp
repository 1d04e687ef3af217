// oneDNN as a library under test (worker.h has the protocol). Written for its version 3 interface and built against
// whichever installation the benchmark wants.
//
// Each stage is one primitive with its epilogues as post-ops; a shuffle is a primitive of its own. A layer is built
// twice, with every tensor in the layout that the primitives ask for and with all channels last, and the faster is
// kept. Weights and the first input are brought into their layouts beforehand; what has to be reordered between stages
// counts.
#include <fstream>
#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "bench/peers/worker.h"

namespace convc::bench {
namespace {

using dnnl::memory;

// ---- arrays in files: little-endian f32 in C order, as the benchmark writes them

struct Array {
    memory::dims shape;
    std::vector<float> values;
};

int64_t elements(const memory::dims &dims) {
    int64_t product = 1;
    for (const int64_t extent : dims) product *= extent;
    return product;
}

Array read_array(const std::string &path, memory::dims shape) {
    std::ifstream file(path, std::ios::binary);
    unsigned char head[10] = {};
    file.read(reinterpret_cast<char *>(head), sizeof head);
    file.seekg(10 + head[8] + 256 * head[9]);
    Array array{std::move(shape), {}};
    array.values.resize(static_cast<size_t>(elements(array.shape)));
    file.read(reinterpret_cast<char *>(array.values.data()),
              static_cast<std::streamsize>(array.values.size() * sizeof(float)));
    if (!file) throw Failed{"cannot read " + path};
    return array;
}

void write_array(const std::string &path, const Array &array) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    for (const int64_t extent : array.shape) header += std::to_string(extent) + ", ";
    header += "), }";
    header.resize((header.size() + 10 + 1 + 63) / 64 * 64 - 10 - 1, ' ');
    header += '\n';
    std::ofstream file(path, std::ios::binary);
    file << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size() & 255)
         << static_cast<char>(header.size() >> 8) << header;
    file.write(reinterpret_cast<const char *>(array.values.data()),
               static_cast<std::streamsize>(array.values.size() * sizeof(float)));
    if (!file) throw Failed{"cannot write " + path};
}

// ---- descriptions

// A tensor in oneDNN's logical order: batch, channels, space.
struct Tensor {
    memory::dims dims;
    memory::desc plain;  // as it lies in the files
};

memory::format_tag last_tag(size_t rank) {
    return rank == 3 ? memory::format_tag::nwc : rank == 4 ? memory::format_tag::nhwc : memory::format_tag::ndhwc;
}

memory::format_tag first_tag(size_t rank) {
    return rank == 3 ? memory::format_tag::ncw : rank == 4 ? memory::format_tag::nchw : memory::format_tag::ncdhw;
}

Tensor tensor_of(const Json &json) {
    memory::dims dims = json.at("extents");
    const std::string layout = json.at("layout");
    const bool last = layout.back() == 'c';
    if (last) {
        dims.insert(dims.begin() + 1, dims.back());
        dims.pop_back();
    }
    return {dims, {dims, memory::data_type::f32, last ? last_tag(dims.size()) : first_tag(dims.size())}};
}

memory::dims file_shape(const Json &json) {
    return json.at("extents");
}

enum class Layouts { chosen, channels_last };

memory::desc wanted(const Tensor &tensor, Layouts layouts) {
    const auto tag = layouts == Layouts::chosen ? memory::format_tag::any : last_tag(tensor.dims.size());
    return {tensor.dims, memory::data_type::f32, tag};
}

struct Geometry {
    memory::dims kernel, strides, dilations, before, after;
    explicit Geometry(const Json &stage) {
        for (const Json &axis : stage.at("axes")) {
            kernel.push_back(axis.at("kernel"));
            strides.push_back(axis.at("stride"));
            dilations.push_back(axis.at("dilation").get<int64_t>() - 1);
            before.push_back(axis.at("pad_before"));
            after.push_back(axis.at("pad_after").get<int64_t>() - axis.at("output_padding").get<int64_t>());
        }
    }
};

// Weights as in the files: PyTorch's order, which for oneDNN is [group,] out, in, kernel; transposed ones have in
// before out.
memory::desc plain_weights(const Json &stage, const Geometry &geometry, int64_t in, int64_t out) {
    const int64_t groups = stage.at("groups");
    const bool transposed = stage.at("kind") == "transposed";
    const int64_t volume = elements(geometry.kernel);
    in /= groups;
    out /= groups;
    memory::dims dims{groups, out, in};
    memory::dims strides{in * out * volume, transposed ? volume : in * volume, transposed ? out * volume : volume};
    int64_t step = volume;
    for (const int64_t extent : geometry.kernel) {
        step /= extent;
        dims.push_back(extent);
        strides.push_back(step);
    }
    if (groups == 1) {
        dims.erase(dims.begin());
        strides.erase(strides.begin());
    }
    return {dims, memory::data_type::f32, strides};
}

// ---- a layer as primitives

struct Step {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> arguments;
};

class Network {
public:
    Network(const Json &layer, std::string folder, Layouts layouts)
        : layer_(layer), folder_(std::move(folder)), layouts_(layouts) {
        if (layer.at("inputs").size() > 2) throw Failed{"more than two inputs"};
        const size_t count = layer.at("stages").size();
        for (size_t i = 0; i < count; i++) add_stage(layer.at("stages")[i], i);
        stream_.wait();
    }

    void run() {
        for (const Step &step : steps_) step.primitive.execute(stream_, step.arguments);
        stream_.wait();
    }

    Array output() {
        Array array{file_shape(layer_.at("output")), {}};
        array.values.resize(static_cast<size_t>(elements(array.shape)));
        memory plain(tensor_of(layer_.at("output")).plain, engine_, array.values.data());
        dnnl::reorder(current_, plain).execute(stream_, current_, plain);
        stream_.wait();
        return array;
    }

    const std::string &note() const { return note_; }

private:
    memory load(const std::string &name, const memory::desc &plain, memory::dims shape) {
        arrays_.push_back(std::make_unique<Array>(read_array(folder_ + "/" + name + ".npy", std::move(shape))));
        return {plain, engine_, arrays_.back()->values.data()};
    }

    memory reordered(memory from, const memory::desc &to) {
        memory result(to, engine_);
        dnnl::reorder(from, result).execute(stream_, from, result);
        stream_.wait();
        return result;
    }

    memory weights(const Json &stage, size_t index, const memory::desc &plain, const memory::desc &chosen) {
        if (stage.at("flip")) throw Failed{"true convolution"};
        return reordered(load(std::to_string(index) + ".weight", plain, plain.get_dims()), chosen);
    }

    // What the stage reads, in the layout that it wants. The first one's reorder is not part of the layer.
    memory source(const memory::desc &chosen) {
        if (!current_) {
            const Json &x = layer_.at("inputs")[0];
            current_ = reordered(load(x.at("name"), tensor_of(x).plain, file_shape(x)), chosen);
            inputs_[x.at("name")] = current_;
        }
        if (current_.get_desc() == chosen) return current_;
        memory result(chosen, engine_);
        steps_.push_back({dnnl::reorder(current_, result), {{DNNL_ARG_FROM, current_}, {DNNL_ARG_TO, result}}});
        note_ += "reorder; ";
        return result;
    }

    memory operand(const std::string &name) {
        for (const Json &input : layer_.at("inputs")) {
            if (input.at("name") != name) continue;
            if (!inputs_.count(name)) {
                const Tensor tensor = tensor_of(input);
                inputs_[name] = reordered(load(name, tensor.plain, file_shape(input)), operand_description(tensor));
            }
            return inputs_.at(name);
        }
        throw Failed{"no tensor " + name};
    }

    static memory::desc operand_description(const Tensor &tensor) {
        return {tensor.dims, memory::data_type::f32, last_tag(tensor.dims.size())};
    }

    // The operand's layout is that of its memory where that is known already.
    memory::desc operand_layout(const std::string &name, const Tensor &like) {
        const auto found = inputs_.find(name);
        return found != inputs_.end() ? found->second.get_desc() : operand_description(like);
    }

    struct Epilogues {
        bool bias = false;
        dnnl::primitive_attr attributes;
        std::vector<std::string> operands;  // one a post-op, empty where it has none
    };

    Epilogues epilogues(const Json &stage, const Tensor &output) {
        Epilogues result;
        dnnl::post_ops chain;
        for (const std::string text : stage.at("epilogues")) {
            using dnnl::algorithm;
            std::string named;
            if (text == "bias" && result.operands.empty()) {
                result.bias = true;
                continue;
            }
            if (text == "relu")
                chain.append_eltwise(algorithm::eltwise_relu, 0, 0);
            else if (text.rfind("leaky_relu(", 0) == 0)
                chain.append_eltwise(algorithm::eltwise_relu, std::stof(text.substr(11)), 0);
            else if (text == "relu6")
                chain.append_eltwise(algorithm::eltwise_clip, 0, 6);
            else if (text == "sigmoid")
                chain.append_eltwise(algorithm::eltwise_logistic, 0, 0);
            else if (text == "tanh")
                chain.append_eltwise(algorithm::eltwise_tanh, 0, 0);
            else if (text == "silu")
                chain.append_eltwise(algorithm::eltwise_swish, 1, 0);
            else if (text == "gelu")
                chain.append_eltwise(algorithm::eltwise_gelu_erf, 0, 0);
            else if (text.rfind("add(", 0) == 0) {
                named = text.substr(4, text.size() - 5);
                chain.append_binary(algorithm::binary_add, operand_layout(named, output));
            } else
                throw Failed{"epilogue " + text};
            result.operands.push_back(named);
        }
        result.attributes.set_post_ops(chain);
        return result;
    }

    void add_stage(const Json &stage, size_t index) {
        const std::string kind = stage.at("kind");
        if (kind == "shuffle") return add_shuffle(stage);
        if (stage.at("pad_mode") != "zeros") throw Failed{"pad_mode"};
        using dnnl::algorithm;
        if (kind == "transposed")
            return add<dnnl::deconvolution_forward>(stage, index, algorithm::deconvolution_direct);
        add<dnnl::convolution_forward>(stage, index, algorithm::convolution_auto);
    }

    template <class Primitive>
    void add(const Json &stage, size_t index, dnnl::algorithm algorithm) {
        const Geometry geometry(stage);
        const Tensor input = tensor_of(stage.at("input")), output = tensor_of(stage.at("output"));
        const memory::desc plain = plain_weights(stage, geometry, input.dims[1], output.dims[1]);
        const memory::desc any(plain.get_dims(), memory::data_type::f32, memory::format_tag::any);
        if (index == 0) resolve_input_first<Primitive>(stage, geometry, algorithm);
        const Epilogues after = epilogues(stage, output);
        const memory::desc bias({output.dims[1]}, memory::data_type::f32, memory::format_tag::x);
        const typename Primitive::primitive_desc description(
            engine_, dnnl::prop_kind::forward_inference, algorithm, wanted(input, layouts_), any,
            after.bias ? bias : memory::desc(), wanted(output, layouts_), geometry.strides, geometry.dilations,
            geometry.before, geometry.after, after.attributes);
        Step step{Primitive(description), {}};
        const memory read = source(description.src_desc());
        memory written(description.dst_desc(), engine_);
        step.arguments = {{DNNL_ARG_SRC, read},
                          {DNNL_ARG_WEIGHTS, weights(stage, index, plain, description.weights_desc())},
                          {DNNL_ARG_DST, written}};
        if (after.bias) {
            step.arguments[DNNL_ARG_BIAS] = load(std::to_string(index) + ".bias", bias, {output.dims[1]});
        }
        for (size_t i = 0; i < after.operands.size(); i++) {
            if (after.operands[i].empty()) continue;
            step.arguments[DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(i)) | DNNL_ARG_SRC_1] =
                operand(after.operands[i]);
        }
        steps_.push_back(std::move(step));
        current_ = written;
        note_ += std::string(description.impl_info_str()) + "; ";
    }

    // A post-op that reads the layer's own input has to know its layout, which the first stage chooses: it is asked
    // without its epilogues.
    template <class Primitive>
    void resolve_input_first(const Json &stage, const Geometry &geometry, dnnl::algorithm algorithm) {
        const Tensor input = tensor_of(stage.at("input")), output = tensor_of(stage.at("output"));
        const memory::desc plain = plain_weights(stage, geometry, input.dims[1], output.dims[1]);
        const memory::desc any(plain.get_dims(), memory::data_type::f32, memory::format_tag::any);
        const typename Primitive::primitive_desc description(
            engine_, dnnl::prop_kind::forward_inference, algorithm, wanted(input, layouts_), any, memory::desc(),
            wanted(output, layouts_), geometry.strides, geometry.dilations, geometry.before, geometry.after);
        source(description.src_desc());
    }

    void add_shuffle(const Json &stage) {
        if (!stage.at("epilogues").empty()) throw Failed{"a shuffle with epilogues"};
        const Tensor tensor = tensor_of(stage.at("input"));
        const memory read = source(current_ ? current_.get_desc() : operand_description(tensor));
        // oneDNN counts what a group holds, the language how many there are.
        const int64_t group_size = tensor.dims[1] / stage.at("groups").get<int64_t>();
        memory written(read.get_desc(), engine_);
        const dnnl::shuffle_forward::primitive_desc description(engine_, dnnl::prop_kind::forward_inference,
                                                                read.get_desc(), read.get_desc(), 1,
                                                                static_cast<int>(group_size));
        steps_.push_back({dnnl::shuffle_forward(description), {{DNNL_ARG_SRC, read}, {DNNL_ARG_DST, written}}});
        current_ = written;
        note_ += std::string(description.impl_info_str()) + "; ";
    }

    const Json layer_;
    std::string folder_;
    Layouts layouts_;
    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream_{engine_};
    std::vector<std::unique_ptr<Array>> arrays_;
    std::map<std::string, memory> inputs_;
    memory current_;
    std::vector<Step> steps_;
    std::string note_;
};

// Of handing work to oneDNN and waiting for it: with threads of its own some 1 us, through SYCL several.
double time_of_nothing() {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    const memory::desc one({1}, memory::data_type::f32, memory::format_tag::x);
    const dnnl::eltwise_forward::primitive_desc description(engine, dnnl::prop_kind::forward_inference,
                                                            dnnl::algorithm::eltwise_relu, one, one, 0.F);
    const dnnl::eltwise_forward relu(description);
    const memory x(one, engine), y(one, engine);
    const auto call = [&] {
        relu.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
        stream.wait();
    };
    return time_kernel(call, {0, 0.05}).minimum;
}

class OneDnn : public Library {
public:
    Json prepare(const Json &request) override {
        release();
        // Again before each layer: once alone, while the machine was disturbed, it came out at 16 us for SYCL's 7, and
        // depthwise layers seemed to run above the FMA peak.
        overhead_ = std::min(overhead_, time_of_nothing());
        const std::string folder = request.at("folder"), output = request.value("name", "onednn");
        double fastest = 0;
        std::string refused;
        for (const Layouts layouts : {Layouts::chosen, Layouts::channels_last}) {
            std::unique_ptr<Network> network;
            try {
                network = std::make_unique<Network>(request.at("layer"), folder, layouts);
            } catch (const dnnl::error &error) {
                refused = error.what();
                continue;
            }
            const double seconds = time_kernel([&] { network->run(); }, {0, 0.02}).minimum;
            if (network_ && seconds >= fastest) continue;
            fastest = seconds;
            network_ = std::move(network);
            note_ = (layouts == Layouts::chosen ? "" : "channels last: ") + network_->note();
        }
        if (!network_) throw Failed{refused};
        write_array(folder + "/" + output + ".npy", network_->output());
        return {{"output", output}, {"note", note_}};
    }

    void call() override { network_->run(); }
    void release() override { network_.reset(); }
    double overhead() const override { return overhead_; }

private:
    double overhead_ = time_of_nothing();
    std::unique_ptr<Network> network_;
    std::string note_;
};

}  // namespace
}  // namespace convc::bench

int main() {
    convc::bench::OneDnn library;
    convc::bench::serve(library);
    return 0;
}
