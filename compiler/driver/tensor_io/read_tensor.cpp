#include "compiler/driver/tensor_io/read_tensor.h"

#include <fmt/format.h>

#include "compiler/driver/files.h"
#include "compiler/driver/tensor_io/npy.h"

namespace convc {
namespace {

bool matches(const std::vector<int64_t> &shape, const TensorType &type) {
    const std::vector<int64_t> extents = type.extents();
    if (shape.size() != extents.size()) return false;
    for (size_t i = 0; i < shape.size(); i++) {
        if (extents[i] != runtime_extent && extents[i] != shape[i]) return false;
    }
    return true;
}

Result<Tensor> from_picture(const Result<Picture> &picture, const TensorType &type, const std::string &name) {
    if (!picture) return picture.error();
    return picture_to_tensor(*picture, type, name);
}

bool is_npy_name(const std::filesystem::path &path) {
    return path.extension() == ".npy" || path.extension() == ".NPY";
}

bool is_png_name(const std::filesystem::path &path) {
    return path.extension() == ".png" || path.extension() == ".PNG";
}

}  // namespace

Result<Tensor> read_tensor(const std::filesystem::path &path, const TensorType &type) {
    const Result<std::string> bytes = read_file(path);
    if (!bytes) return bytes.error();
    const std::string name = path.string();
    if (is_png(*bytes)) return from_picture(read_png(*bytes, name), type, name);
    if (is_jpeg(*bytes)) return from_picture(read_jpeg(*bytes, name), type, name);
    if (!bytes->starts_with("\x93NUMPY")) {
        return Error{Failure::invalid_input, fmt::format("{}: neither .npy nor PNG nor JPEG", name)};
    }
    Result<Tensor> tensor = read_npy(*bytes, name);
    if (tensor && !matches(tensor->shape, type)) {
        return Error{Failure::invalid_input, fmt::format("{}: its shape is {}, but the input is {}", name,
                                                         print_shape(tensor->shape), print_tensor(type))};
    }
    return tensor;
}

Status check_output_name(const std::filesystem::path &path) {
    if (is_npy_name(path) || is_png_name(path)) return {};
    return Error{Failure::usage,
                 fmt::format("cannot tell from the name '{}' what to write: .npy or .png", path.string())};
}

Status write_tensor(const std::filesystem::path &path, const Tensor &tensor, const TensorType &type, Range range) {
    if (is_png_name(path)) {
        const Result<std::string> bytes = write_png(tensor, type, range);
        if (!bytes) return bytes.error();
        return write_file(path, *bytes);
    }
    return write_file(path, write_npy(tensor));
}

}  // namespace convc
