// NumPy's .npy (NEP 1): a magic number, a version, a Python dictionary as text, then the numbers.
#pragma once

#include <string>
#include <string_view>

#include "compiler/driver/tensor_io/tensor.h"
#include "convc/status.h"

namespace convc {

// Versions 1 to 3; booleans, integers, f16, f32 and f64 of either byte order; C and Fortran order. The bytes may be
// anyone's: whatever is wrong with them is an error, which begins with `name`.
Result<Tensor> read_npy(std::string_view bytes, const std::string &name);

// Version 1, little-endian f32, C order.
std::string write_npy(const Tensor &tensor);

}  // namespace convc
