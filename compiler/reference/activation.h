// The activations by PyTorch's definitions, in f64: NaN comes out of every one, gelu is the one with erf.
#pragma once

#include "compiler/reference/error_bound.h"
#include "convc/layer.h"

namespace convc {

// Applies an epilogue without operand (anything but bias, scale, add and mul). Its constants count as f32.
void activate(const Epilogue &epilogue, BoundedNumber &number);

}  // namespace convc
