#include "compiler/driver/tensor_io/weights.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <random>
#include <system_error>

#include "compiler/driver/files.h"
#include "compiler/driver/tensor_io/npy.h"
#include "compiler/driver/tensor_io/npz.h"
#include "compiler/driver/tensor_io/safetensors.h"

namespace convc {
namespace {

class WeightDirectory final : public WeightSource {
public:
    explicit WeightDirectory(std::filesystem::path path) : path_(std::move(path)) {}

    bool contains(const std::string &name) const override {
        std::error_code error;
        return std::filesystem::exists(file(name), error);
    }

    Result<Tensor> read(const std::string &name, int64_t) const override {
        const Result<std::string> bytes = read_file(file(name));
        if (!bytes) return bytes.error();
        return read_npy(*bytes, file(name).string());
    }

private:
    std::filesystem::path file(const std::string &name) const { return path_ / (name + ".npy"); }
    std::filesystem::path path_;
};

class WeightNpz final : public WeightSource {
public:
    explicit WeightNpz(NpzFile file) : file_(std::move(file)) {}
    bool contains(const std::string &name) const override { return file_.contains(name); }
    Result<Tensor> read(const std::string &name, int64_t most_elements) const override {
        return file_.read(name, most_elements);
    }

private:
    NpzFile file_;
};

class WeightSafetensors final : public WeightSource {
public:
    explicit WeightSafetensors(SafetensorsFile file) : file_(std::move(file)) {}
    bool contains(const std::string &name) const override { return file_.contains(name); }
    Result<Tensor> read(const std::string &name, int64_t) const override { return file_.read(name); }

private:
    SafetensorsFile file_;
};

std::vector<std::string> names_to_try(const Layer &layer, const Parameter &parameter, bool plain_names) {
    std::vector<std::string> names{fmt::format("{}.{}", layer.name, parameter.name())};
    if (layer.c_name() != layer.name) names.push_back(fmt::format("{}.{}", layer.c_name(), parameter.name()));
    if (plain_names) names.push_back(parameter.name());
    return names;
}

Result<Tensor> read_parameter(const Layer &layer, const Parameter &parameter, const WeightSource &source,
                              bool plain_names) {
    const std::vector<std::string> names = names_to_try(layer, parameter, plain_names);
    for (const std::string &name : names) {
        if (!source.contains(name)) continue;
        Result<Tensor> tensor = source.read(name, parameter.elements());
        if (tensor && tensor->shape != parameter.shape) {
            return Error{Failure::invalid_input,
                         fmt::format("weights '{}': the shape is {}, but layer '{}' takes {}", name,
                                     print_shape(tensor->shape), layer.name, print_shape(parameter.shape))};
        }
        return tensor;
    }
    return Error{Failure::invalid_input, fmt::format("the weights have no '{}', which layer '{}' takes, of shape {}",
                                                     names.back(), layer.name, print_shape(parameter.shape))};
}

// What keeps a sum of fan-in products at the size of one input: uniform in +-sqrt(3 / fan-in).
float weight_scale(const Layer &layer, const Parameter &parameter) {
    const Stage &stage = layer.stages[static_cast<size_t>(parameter.stage)];
    const int64_t channels = stage.in_channels / stage.groups;
    const double fan_in = static_cast<double>(channels) * static_cast<double>(stage.kernel_volume());
    return static_cast<float>(std::sqrt(3.0 / std::max(fan_in, 1.0)));
}

}  // namespace

Result<std::unique_ptr<WeightSource>> WeightSource::open(const std::filesystem::path &path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        // Otherwise each of its files would seem to be missing.
        if (::access(path.c_str(), X_OK) != 0) {
            return Error{Failure::environment,
                         fmt::format("cannot read '{}': {}", path.string(), std::generic_category().message(errno))};
        }
        return std::unique_ptr<WeightSource>(std::make_unique<WeightDirectory>(path));
    }
    Result<std::string> bytes = read_file(path);
    if (!bytes) return bytes.error();
    if (bytes->starts_with("PK")) {
        Result<NpzFile> file = NpzFile::open(path);
        if (!file) return file.error();
        return std::unique_ptr<WeightSource>(std::make_unique<WeightNpz>(std::move(*file)));
    }
    if (bytes->starts_with("\x93NUMPY")) {
        return Error{Failure::invalid_input, fmt::format("{}: one .npy; weights are a directory of them, an .npz or a "
                                                         ".safetensors",
                                                         path.string())};
    }
    Result<SafetensorsFile> file = SafetensorsFile::parse(std::move(*bytes), path.string());
    if (!file) return file.error();
    return std::unique_ptr<WeightSource>(std::make_unique<WeightSafetensors>(std::move(*file)));
}

Result<ParameterValues> read_parameters(const Layer &layer, const WeightSource &source, bool plain_names) {
    ParameterValues all;
    for (const Parameter &parameter : layer.parameters()) {
        Result<Tensor> tensor = read_parameter(layer, parameter, source, plain_names);
        if (!tensor) return tensor.error();
        all.push_back(std::move(tensor->values));
    }
    return all;
}

std::vector<float> random_values(int64_t count, uint64_t seed, uint64_t stream) {
    // The standard fixes the engine's numbers but not its distributions', so the conversion is written out: 24 bits are
    // what an f32 in [-1, 1) holds exactly.
    std::seed_seq sequence{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                           static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
    std::mt19937 engine(sequence);
    std::vector<float> values(static_cast<size_t>(count));
    for (float &value : values) value = static_cast<float>(static_cast<int32_t>(engine() >> 8) - (1 << 23)) * 0x1p-23F;
    return values;
}

ParameterValues random_parameters(const Layer &layer, uint64_t seed) {
    ParameterValues all;
    for (const Parameter &parameter : layer.parameters()) {
        std::vector<float> values = random_values(parameter.elements(), seed, 1000 + all.size());
        const bool is_weight = parameter.role == Parameter::Role::weight;
        const float scale = is_weight ? weight_scale(layer, parameter) : 0.5F;
        const float offset = parameter.role == Parameter::Role::scale ? 1.0F : 0.0F;
        for (float &value : values) value = value * scale + offset;
        all.push_back(std::move(values));
    }
    return all;
}

}  // namespace convc
