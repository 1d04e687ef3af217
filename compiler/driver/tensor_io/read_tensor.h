// A file as a tensor, by what its first bytes say it is.
#pragma once

#include <filesystem>

#include "compiler/driver/tensor_io/picture.h"
#include "compiler/driver/tensor_io/tensor.h"
#include "convc/layer.h"
#include "convc/status.h"

namespace convc {

// .npy, PNG or JPEG. The shape of the result is that of `type`, run-time extents filled in.
Result<Tensor> read_tensor(const std::filesystem::path &path, const TensorType &type);

// The error of a name that says neither .npy nor .png.
Status check_output_name(const std::filesystem::path &path);

// .npy or .png, by the name's ending. Atomic.
Status write_tensor(const std::filesystem::path &path, const Tensor &tensor, const TensorType &type, Range range);

}  // namespace convc
